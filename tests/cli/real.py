"""A real box that commands are sent to, as somebody would type them."""

from __future__ import annotations

import json
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.box import RunningBox
from typer.testing import CliRunner

from v8box.cli.main import app

COMMAND = str(Path(sys.executable).parent / "v8box")
_CLEARED = ("V8BOX_URL", "V8BOX_DATA_DIR", "V8BOX_TOKEN", "V8BOX_PROJECT", "V8BOX_API_KEY", "XDG_CONFIG_HOME")
_runner = CliRunner()


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Somebody at a terminal on the box's machine, with a home of their own. The commands run in this process, as if
    typed: starting each as a program would take most of the time."""

    def __init__(self, box: RunningBox, home: Path) -> None:
        self.box = box
        self.home = home
        home.mkdir(exist_ok=True)

    def call(self, *words: str, given: str | None = None, cwd: Path | None = None, **environ: str) -> Done:
        """The command, run to its end."""
        cleared: dict[str, str | None] = dict.fromkeys(_CLEARED)
        env = {**cleared, "HOME": str(self.home), "NO_COLOR": "1", **environ}
        with chdir(cwd or self.box.directory):
            done = _runner.invoke(app, list(words), input=given or "", env=env)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def data(self, *words: str, given: str | None = None, cwd: Path | None = None, **environ: str) -> Any:
        """What it prints with --json, when it does what it was asked to."""
        done = self.call(*words, "--json", given=given, cwd=cwd, **environ)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def fails(self, code: int, *words: str, given: str | None = None, cwd: Path | None = None, **environ: str) -> str:
        """What it says when it ends with this code."""
        done = self.call(*words, given=given, cwd=cwd, **environ)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr
