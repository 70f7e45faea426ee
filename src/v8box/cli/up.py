"""`v8box up`: runs the box in the foreground and shows what happens."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Final

import uvloop

from v8box.app import Box, Listeners
from v8box.errors import V8BoxError
from v8box.features.deploy import Deployed, DeployEvent, DeployFailed, Problem, Removed
from v8box.settings import load
from v8box.telemetry.runs import LineRecord

_MAX_LINES_PER_SECOND: Final = 100
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing."""
_COLOURS: Final = {"debug": "2", "info": "0", "warn": "33", "error": "31"}


class Terminal:
    """Prints lines; in colour when somebody looks. A flood of worker output is cut, the run log has all of it."""

    def __init__(self) -> None:
        self._colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        self._second = 0
        self._lines = 0
        self._cut = 0
        self._began = time.perf_counter()

    def say(self, text: str, colour: str = "0") -> None:
        sys.stderr.write(f"\x1b[{colour}m{text}\x1b[0m\n" if self._colour and colour != "0" else f"{text}\n")

    def on_deploy(self, event: DeployEvent) -> None:
        match event:
            case Deployed():
                took = f" in {event.milliseconds:.0f} ms" if event.milliseconds else ""
                self.say(f"  ✓ {event.worker} is live{took} ({event.version.id[:8]})", "32")
            case DeployFailed():
                self.say(f"  ✗ {event.worker} was not deployed: {event}", "31")
            case Removed():
                self.say(f"  - {event.worker} was removed", "33")
            case Problem():
                self.say(f"  ! {event}", "33")
            case _:
                pass

    def on_line(self, line: LineRecord) -> None:
        second = int(line.time)
        if second != self._second:
            if self._cut:
                self.say(f"  … {self._cut} more lines; data/logs has them", "2")
            self._second, self._lines, self._cut = second, 0, 0
        self._lines += 1
        if self._lines > _MAX_LINES_PER_SECOND:
            self._cut += 1
            return
        text = _printable(line.text)
        fields = f" {line.fields}" if line.fields else ""
        self.say(f"{line.worker} | {text}{_printable(fields)}", _COLOURS.get(line.level, "0"))

    def on_ready(self, box: Box) -> None:
        settings = box.settings
        host = settings.box.host if settings.box.host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104 - compared
        shown = "localhost" if host == "127.0.0.1" else host
        base = f"http://{shown}:{box.port}"
        if box.written:
            self.say(f"  {settings.directory} was empty: {len(box.written)} example files were put there")
        for rung in box.missing_rungs:
            self.say(f"  ! {rung.name} is not active: {rung.detail}. {rung.advice}", "33")
        took = time.perf_counter() - self._began
        self.say(f"V8Box is ready in {took:.2f} s: {base}/run/<worker>   health: {base}/health", "1")

    def on_stopping(self, step: str) -> None:
        self.say(f"stopping: {step}", "2")


def _printable(text: str) -> str:
    """What a worker prints must not steer the terminal."""
    return _CONTROL.sub("\ufffd", text)


def run(directory: Path) -> int:
    """Gives the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    terminal = Terminal()
    try:
        settings = load(directory, os.environ)
        listeners = Listeners(
            on_deploy=terminal.on_deploy,
            on_line=terminal.on_line,
            on_ready=terminal.on_ready,
            on_stopping=terminal.on_stopping,
        )

        async def live() -> int:
            return await Box(settings, os.environ, listeners).run()

        return uvloop.run(live())
    except V8BoxError as error:
        terminal.say(f"v8box: {error.detail}", "31")
        return 1
