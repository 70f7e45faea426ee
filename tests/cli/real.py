"""A real box that commands are sent to, as somebody would type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.box import RunningBox

COMMAND = str(Path(sys.executable).parent / "v8box")
_CLEARED = ("V8BOX_URL", "V8BOX_DATA_DIR", "V8BOX_TOKEN", "V8BOX_PROJECT", "V8BOX_API_KEY", "XDG_CONFIG_HOME")


class Shell:
    """Somebody at a terminal on the box's machine, with a home of their own."""

    def __init__(self, box: RunningBox, home: Path) -> None:
        self.box = box
        self.home = home
        home.mkdir(exist_ok=True)

    def call(
        self, *words: str, given: str | bytes | None = None, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """The command, run to its end."""
        env = {name: value for name, value in os.environ.items() if name not in _CLEARED}
        return subprocess.run(
            [COMMAND, *words],
            cwd=cwd or self.box.directory,
            env={**env, "HOME": str(self.home), "NO_COLOR": "1", **environ},
            input=given.decode() if isinstance(given, bytes) else given or "",
            capture_output=True,
            text=True,
            timeout=120,
        )

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
