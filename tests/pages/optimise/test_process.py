"""The optimiser process: started when needed, replaced when a file takes it down or too long, gone when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.pages.optimise.conftest import Launcher, PlainChild

from v8box.errors import V8BoxError
from v8box.features.pages.optimise.process import OptimiserProcess, Unfinished
from v8box.features.pages.optimise.wire import Request
from v8box.storage import FolderBlobs

TEXT = b"hello " * 200
WAITS = ["import sys, time; sys.stdin.buffer.read(1); time.sleep(600)"]
DIES = ["import sys, os; sys.stdin.buffer.read(1); os.kill(os.getpid(), 11)"]
LIES = ["import socket, sys; s = socket.socket(fileno=0); s.recv(1); s.sendall(b'\\xff' * 64)"]
BABBLES = ["import socket, sys; s = socket.socket(fileno=0); s.recv(1); s.sendall(b'\\4\\0\\0\\0' + b'\\xc1' * 4)"]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.launcher = Launcher()
        self.blobs = FolderBlobs(folder)
        self.process = OptimiserProcess(self.launcher, folder)
        self.request = Request("")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "sites")
    await made.blobs.open()
    made.request = Request(await made.blobs.put(TEXT), compress=True)
    yield made
    await made.process.stop()


async def test_one_process_serves_many_files(bench: Bench) -> None:
    first = await bench.process.work(bench.request)
    assert set(first.encodings) == {"br", "zstd", "gzip"}
    assert await bench.process.work(bench.request) == first
    (child,) = bench.launcher.children
    await bench.process.stop()
    assert await child.wait() == 0
    assert await bench.process.work(bench.request) == first


async def test_a_file_that_is_not_there(bench: Bench) -> None:
    assert "cannot be read" in (await bench.process.work(Request("ab" * 32, compress=True))).left


@pytest.mark.parametrize(("program", "code"), [(DIES, "signal 11"), (LIES, "."), (BABBLES, ".")])
async def test_a_process_that_fails_is_replaced(bench: Bench, program: list[str], code: str) -> None:
    bench.launcher.program = program
    with pytest.raises(Unfinished, match=code):
        await bench.process.work(bench.request)
    bench.launcher.program = None
    assert (await bench.process.work(bench.request)).encodings
    assert await bench.launcher.children[0].wait() != 0


async def test_it_is_killed_when_a_file_takes_too_much(bench: Bench) -> None:
    bench.launcher.program = WAITS

    def busy(child: PlainChild) -> None:
        asyncio.get_running_loop().call_soon(lambda: setattr(child, "cpu_seconds", 1e6))

    bench.launcher.on_launch = busy
    process = OptimiserProcess(bench.launcher, Path(), cpu_seconds=10.0)
    with pytest.raises(Unfinished, match="longer than 10 seconds"):
        await process.work(bench.request)
    assert await bench.launcher.children[0].wait() == -9


async def test_it_is_killed_when_nobody_waits_for_it(bench: Bench) -> None:
    bench.launcher.program = WAITS
    launched = asyncio.Event()
    bench.launcher.on_launch = lambda child: launched.set()
    working = asyncio.create_task(bench.process.work(bench.request))
    await launched.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await bench.launcher.children[0].wait() == -9


async def test_it_cannot_be_started(bench: Bench) -> None:
    bench.launcher.refuses = V8BoxError("no")
    with pytest.raises(V8BoxError, match="no"):
        await bench.process.work(bench.request)
