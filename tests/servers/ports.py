"""Ports for the servers of the tests, of which no two test processes on this machine get the same one."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

# Below those that the kernel gives to connections: nobody takes one while its server is down for a test.
_FIRST, _LAST = 12_000, 32_000
_BLOCK = 100


def free_port() -> int:
    """A port that nobody listens on. It is given once: some servers leave theirs bound when they have stopped."""
    for port in _ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port is taken by the tests that run on this machine")


@cache
def _ports() -> Iterator[int]:
    """Those of one block after the other that this process has for itself; the kernel lets go of them when it ends."""
    folder = Path(tempfile.gettempdir(), f"v8box-test-ports-{os.geteuid()}")
    folder.mkdir(exist_ok=True)

    def blocks() -> Iterator[Iterable[int]]:
        for first in range(_FIRST, _LAST, _BLOCK):
            lock = os.open(folder / str(first), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                yield range(first, first + _BLOCK)

    return itertools.chain.from_iterable(blocks())
