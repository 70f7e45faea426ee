"""One server process of a test: started until it answers, ended for certain, and started again as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.01

# Ends the group of a server when the test process is gone, however that ended: it sees the end of its standard input.
_GUARD = 'read -r _ || kill -s KILL -- "-$1" 2>/dev/null'


class ServerFailed(Exception):
    """A server ended early or did not answer; the message has its last words."""


class ServerProcess:
    """A server with a folder of its own. A context manager: started on entry, ended on exit.

    Subclasses say what to run (`argv`) and when it is ready (`answers`). Every method may be called from any thread,
    one at a time, and blocks until it is done.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "output.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def argv(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves by now. May raise OSError for a no."""
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        return {"PATH": os.defpath, "HOME": str(self.directory), "LANG": "C.UTF-8"}

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it on its port and data, and returns when it answers. Raises `ServerFailed`."""
        assert self._process is None, "the server is running already"
        with open(self.log, "ab") as log:
            self._process = process = subprocess.Popen(
                self.argv(),
                env=self.environ(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        guard = ["/bin/sh", "-c", _GUARD, "guard", str(process.pid)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if process.poll() is not None or time.monotonic() > deadline:
                words = self.log.read_text(errors="replace")[-2000:]
                self.kill()
                raise ServerFailed(f"{type(self).__name__} does not answer (code {process.returncode}):\n{words}")
            time.sleep(POLL_SECONDS)

    def _ready(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def stop(self) -> None:
        """Asks it to end, as an administrator would; its data stays. Nothing to do when it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        self.thaw()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # it did not listen; what follows makes it
        self.kill()

    def kill(self) -> None:
        """Ends it and all it started at once, as a power cut would. Nothing to do when it is not running."""
        process, guard, self._process, self._guard = self._process, self._guard, None, None
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # the whole group has gone already
        process.wait(STOP_SECONDS)
        if guard is not None:
            guard.communicate(b"\n", timeout=STOP_SECONDS)

    def freeze(self) -> None:
        """Lets it hang: connections stay open and nothing answers, until `thaw`, `stop` or `kill`."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.running:
            os.killpg(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
