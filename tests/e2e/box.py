"""A real box for the tests: `v8box up` in a process of its own, watched through what it prints."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from tests.servers.ports import free_port

from v8box.features.deploy.discovery import Discovery

START_SECONDS, WAIT_SECONDS = 180.0, 60.0  # until a test is given up; none takes as long, however busy the machine
QUIET_SECONDS = 0.3
LOOK_SECONDS = 0.02


class RunningBox:
    """Starts at once; `wait_ready` returns when it serves. `wait_line` waits for something it prints."""

    def __init__(self, directory: Path, environ: dict[str, str] | None = None) -> None:
        self.directory = directory
        self._new = not (directory / "data").exists()
        self.port = free_port()
        self.lines: list[str] = []
        self._printed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            self.command(),
            env={**os.environ, "PORT": str(self.port), "NO_COLOR": "1", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.client = httpx.Client(base_url=f"http://localhost:{self.port}", timeout=WAIT_SECONDS, trust_env=False)
        self._admin: httpx.Client | None = None

    def command(self) -> list[str]:
        """What is run."""
        return [str(Path(sys.executable).parent / "v8box"), "up", str(self.directory)]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._printed:
                self.lines.append(line.rstrip("\n"))
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()

    def mark(self) -> int:
        """A place in what was printed, for `wait_line` to look from."""
        with self._printed:
            return len(self.lines)

    def wait_line(self, matches: str | Callable[[str], bool], since: int = 0, seconds: float = WAIT_SECONDS) -> str:
        """The first line from `since` on that matches a regular expression (searched) or a function."""
        test = matches if callable(matches) else re.compile(matches).search
        deadline = time.monotonic() + seconds
        looked = since
        with self._printed:
            while True:
                for line in self.lines[looked:]:
                    if test(line):
                        return line
                looked = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    shown = "\n".join(self.lines[since:][-40:])
                    raise AssertionError(f"no line matched {matches!r}; the box printed:\n{shown}")
                self._printed.wait(left)

    def wait_ready(self) -> RunningBox:
        """Until it serves all that is in its folder: when bundling takes long, it is ready before that."""
        self.wait_line(r"V8Box is ready", seconds=START_SECONDS)
        if self._new:
            for worker in Discovery(self.directory, self.directory / "data").look().workers:
                line = self.wait_line(rf"[✓✗] {worker} (is live|was not deployed)", seconds=START_SECONDS)
                assert "is live" in line, line
        return self

    @property
    def admin(self) -> httpx.Client:
        """As the local operator. Once it is ready; a box that starts again has another token."""
        if self._admin is None:
            token = (self.directory / "data" / "keys" / "local.token").read_text().strip()
            headers = {"authorization": f"Bearer {token}"}
            self._admin = httpx.Client(
                base_url=f"http://localhost:{self.port}", headers=headers, timeout=WAIT_SECONDS, trust_env=False
            )
        return self._admin

    def until(self, condition: Callable[[], bool]) -> None:
        """Looks until it is so, and leaves the processors to others in between."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(LOOK_SECONDS)

    def run(self, worker: str, method: str = "GET", **options: object) -> httpx.Response:
        """Calls a worker."""
        return self.client.request(method, f"/run/{worker}", **options)  # type: ignore[arg-type]

    def descendants(self) -> set[int]:
        """Every process that the box has started, by the kernel's word."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found - {self.process.pid}
            found |= more

    def exit_code(self) -> int:
        """Waits until it has ended by itself."""
        return self.process.wait(WAIT_SECONDS)

    def stop(self) -> int:
        """Asks it to stop and waits; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(10)
        self._reader.join(WAIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.client.close()
        if self._admin is not None:
            self._admin.close()
        return code

    def raw(self, data: bytes) -> bytes:
        """Sends bytes as they are and reads until the box closes or has answered and waits."""
        with socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS) as connection:
            connection.sendall(data)
            parts = []
            try:
                while chunk := connection.recv(65536):
                    parts.append(chunk)
                    connection.settimeout(QUIET_SECONDS)
            except TimeoutError:
                pass  # it keeps the connection open, and has nothing more to say
            return b"".join(parts)
