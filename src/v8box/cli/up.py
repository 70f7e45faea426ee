"""`v8box up`: runs the box in the foreground and shows what happens."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvloop

from v8box.app import Box, Listeners
from v8box.errors import V8BoxError
from v8box.features.deploy import Alone, Deployed, DeployEvent, DeployFailed, Problem, Removed
from v8box.features.pages import SiteDeployed, SiteEvent, SiteFailed, SiteRemoved
from v8box.settings import Settings, ignored, load
from v8box.telemetry.records import LineRecord

_MAX_LINES_PER_SECOND: Final = 100
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing."""
_COLOURS: Final = {"debug": "2", "info": "0", "warn": "33", "error": "31"}


class Terminal:
    """Prints lines; in colour when somebody looks. A flood of one worker is cut, the log in `logs` has all of it."""

    def __init__(self, logs: Path = Path(), clock: Callable[[], float] = time.monotonic) -> None:
        self.logs = logs
        self._clock = clock
        self._colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        self._second = 0
        self._lines: Counter[tuple[str, bool]] = Counter()
        """Of this second, by worker; a worker's own end is counted apart, so that its lines cannot hide it. There are
        as many as workers that printed within one second."""
        self._began = time.perf_counter()

    def say(self, text: str, colour: str = "0") -> None:
        sys.stderr.write(f"\x1b[{colour}m{text}\x1b[0m\n" if self._colour and colour != "0" else f"{text}\n")

    def on_deploy(self, event: DeployEvent) -> None:
        match event:
            case Deployed():
                took = f" in {event.milliseconds:.0f} ms" if event.milliseconds else ""
                self.say(f"  ✓ {event.worker} is live{took} ({event.version.id[:8]})", "32")
                for sentence in event.warnings:
                    self.say(f"    ! {printable(sentence)}", "33")
            case DeployFailed():
                self.say(f"  ✗ {event.worker} was not deployed: {printable(str(event))}", "31")
            case Removed():
                self.say(f"  - {event.worker} was removed", "33")
            case Problem():
                self.say(f"  ! {printable(str(event))}", "33")
            case _:
                pass

    def on_site(self, event: SiteEvent) -> None:
        match event:
            case SiteDeployed():
                files = _counted(event.release.files, "file")
                if functions := event.release.report.get("functions"):
                    files += f", {_counted(len(functions), 'function')}"
                self.say(f"  ✓ site {event.site} is live in {event.milliseconds:.0f} ms ({files})", "32")
                for told in event.release.report.get("ignored", ())[:10]:
                    self.say(f"  ! {told['file'][1:]}:{told['line']}: {printable(told['reason'])}", "33")
            case SiteFailed():
                self.say(f"  ✗ site {event.site} was not deployed: {printable(event.message)}", "31")
            case SiteRemoved():
                self.say(f"  - site {event.site} was removed", "33")

    def on_line(self, line: LineRecord) -> None:
        second = int(self._clock())  # the line's own time is the worker's word
        if second != self._second:
            self._tell_cut()
            self._second = second
        counted = (line.worker, _is_death(line))
        self._lines[counted] += 1
        if self._lines[counted] > _MAX_LINES_PER_SECOND:
            return
        text = line.text if line.fields is None or line.fields == {} else f"{line.text} {_compact(line.fields)}"
        self.say(f"{line.worker} | {printable(text)}", _COLOURS.get(line.level, "0"))

    def _tell_cut(self) -> None:
        for (worker, _), lines in self._lines.items():
            if lines > _MAX_LINES_PER_SECOND:
                self.say(f"  … {lines - _MAX_LINES_PER_SECOND} more lines of {worker}; {self.logs} has them", "2")
        self._lines.clear()

    def on_ready(self, box: Box) -> None:
        settings = box.settings
        if box.written:
            self.say(f"  {settings.directory} was empty: {len(box.written)} example files were put there")
        for rung in box.missing_rungs:
            self.say(f"  ! {rung.name} is not active: {rung.detail}. {rung.advice}", "33")
        for sentence in ignored(settings):
            self.say(f"  ! {sentence}", "33")
        took = time.perf_counter() - self._began
        workers, health, dashboard = addresses(settings, box.port)
        self.say(f"V8Box is ready in {took:.2f} s: {workers}   health: {health}", "1")
        self.say(f"  dashboard: {dashboard}")

    def on_password(self, password: str) -> None:
        self.say(f"  The box has an owner now: user admin, password {password}", "1")
        self.say("  It is shown this once and kept as a hash only. Sign in at /admin, or set ADMIN_PASSWORD.", "2")

    def on_stopping(self, step: str) -> None:
        self._tell_cut()
        self.say(f"stopping: {step}", "2")


def addresses(settings: Settings, port: int) -> tuple[str, str, str]:
    """Where workers, health and the dashboard answer. Under a real domain only its own hosts do, whatever address is
    listened on."""
    host = settings.box.host
    if settings.box.domain != "localhost":
        return (
            f"http://api.{settings.box.domain}:{port}/run/<worker>",
            f"http://admin.{settings.box.domain}:{port}/health",
            f"http://admin.{settings.box.domain}:{port}/",
        )
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1"):  # noqa: S104 - compared
        host = "localhost"
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return f"{base}/run/<worker>", f"{base}/health", f"{base}/admin"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _is_death(line: LineRecord) -> bool:
    return line.text.startswith("stopped (")


def _compact(fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)


def printable(text: str) -> str:
    """What a worker prints must not steer the terminal."""
    return _CONTROL.sub("\ufffd", text)


def run(directory: Path) -> int:
    """Gives the exit code."""
    return serve(Terminal(), lambda: load(directory, os.environ))


def serve(terminal: Terminal, find_settings: Callable[[], Settings], *, alone: Alone | None = None) -> int:
    """Runs a box in the foreground. Gives the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        settings = find_settings()
        terminal.logs = settings.data_directory / "logs"
        listeners = Listeners(
            on_deploy=terminal.on_deploy,
            on_site=terminal.on_site,
            on_line=terminal.on_line,
            on_ready=terminal.on_ready,
            on_password=terminal.on_password,
            on_stopping=terminal.on_stopping,
        )

        async def live() -> int:
            return await Box(settings, os.environ, listeners, alone=alone).run()

        return uvloop.run(live())
    except V8BoxError as error:
        terminal.say(f"v8box: {error.detail}", "31")
        return 1
