"""A process that is not there: what a sandbox is told of one, told by the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from v8box.sandbox.spawner import Child, ExitStatus, Usage


class FakeChild(Child):
    """Counts its kills; `end` is its end, `cpu` and `bytes` are what it uses."""

    def __init__(self) -> None:
        self.pid = os.getpid()  # one that exists: its figures are read from /proc
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.cpu = 0.0
        self.bytes = 0
        self.kills = 0
        self.demotions = 0
        self.data_limit: int | None = None
        self.write: Callable[[bytes], None] = lambda data: None

    def on_output(self, callback: Callable[[bytes], None]) -> None:
        self.write = callback

    def kill(self, sig: int = 9) -> None:
        self.kills += 1

    def close(self) -> None:
        self.kill()

    def demote(self) -> None:
        self.demotions += 1

    def restore(self) -> bool:
        self.demotions -= 1
        return True

    def limit_data_bytes(self, limit: int, most: int | None = None) -> None:
        self.data_limit = limit

    def usage(self) -> Usage:
        return Usage(self.cpu, self.bytes)

    def end(self, code: int | None = None, sig: int | None = None) -> None:
        """It is gone; a killed one of signal 9, unless the test says otherwise."""
        if not self.exited.done():
            self.exited.set_result(ExitStatus(code, sig, self.cpu, self.bytes))
