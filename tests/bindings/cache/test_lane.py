"""The shared connection under stress: every caller hears its own reply or that the cache is away, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest
from redis.asyncio.connection import UnixDomainSocketConnection

from v8box.bindings.cache.lane import MAX_WAITING, Lane
from v8box.bindings.interface import BindingError

BIG = 5_000_000


class FakeServer:
    """Answers ECHO, BIG (5 MB) and anything else with OK; may drop the connection at any of the two."""

    def __init__(self, seed: int, drops: float) -> None:
        self._random = random.Random(seed)
        self.drops = drops
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        parser = hiredis.Reader()
        try:
            while data := await reader.read(65536):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    if command[0] in (b"ECHO", b"BIG") and self._random.random() < self.drops:
                        return
                    writer.write(self._reply(command))
                    if self._random.random() < 0.1:
                        await writer.drain()
                        await asyncio.sleep(0)
        except ConnectionError:
            return  # the other end left first
        finally:
            writer.transport.abort()

    def _reply(self, command: list[bytes]) -> bytes:
        match command:
            case [b"ECHO", text]:
                return b"$%d\r\n%b\r\n" % (len(text), text)
            case [b"BIG"]:
                return b"$%d\r\n%b\r\n" % (BIG, b"x" * BIG)
            case _:
                return b"+OK\r\n"


@asynccontextmanager
async def lane_to(folder: Path, server: FakeServer) -> AsyncIterator[Lane]:
    path = str(folder / "fake.sock")
    listening = await asyncio.start_unix_server(server.serve, path)

    async def connect() -> Any:
        connection = UnixDomainSocketConnection(path=path, protocol=2, socket_timeout=None)
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    lane = Lane(connect, "the fake server")
    try:
        yield lane
    finally:
        await lane.stop()
        listening.close()


async def outcome_of(lane: Lane, number: int, chance: random.Random) -> str:
    """What a caller hears; checked to be its own."""
    try:
        match chance.randrange(20):
            case 0:
                assert len(await lane.submit(("BIG",))) == BIG  # type: ignore[arg-type]
            case 1 | 2 | 3:
                names = [f"{number}-{part}".encode() for part in range(chance.randrange(1, 30))]
                assert await lane.submit_all([("ECHO", name) for name in names]) == names
            case _:
                assert await lane.submit(("ECHO", str(number))) == str(number).encode()
    except BindingError as error:
        return error.code
    return "answered"


@pytest.mark.parametrize("seed", range(6))
async def test_callers_that_leave_and_connections_that_break(short_dir: Path, seed: int) -> None:
    chance = random.Random(seed)
    server = FakeServer(seed, drops=0.002)
    async with lane_to(short_dir, server) as lane:
        callers = []
        for number in range(1500):
            callers.append(asyncio.create_task(outcome_of(lane, number, chance)))
            if chance.random() < 0.3:
                chance.choice(callers).cancel()
            if chance.random() < 0.05:
                await asyncio.sleep(0)
        async with asyncio.timeout(60):
            heard = await asyncio.gather(*callers, return_exceptions=True)
        for one in heard:
            assert one in ("answered", "CACHE_UNAVAILABLE") or isinstance(one, asyncio.CancelledError), one
        assert "answered" in heard
        server.drops = 0
        assert await lane.submit(("ECHO", "still here")) == b"still here"
        assert not lane.busy
    assert server.connections > 1


async def test_ten_thousand_may_wait(short_dir: Path) -> None:
    async with lane_to(short_dir, FakeServer(0, drops=0)) as lane:
        waiting = [lane.submit(("ECHO", str(number))) for number in range(MAX_WAITING)]
        with pytest.raises(BindingError, match="CACHE_BUSY"):
            lane.submit(("ECHO", "one more"))
        assert await asyncio.gather(*waiting) == [str(number).encode() for number in range(MAX_WAITING)]
        for future in (lane.submit(("ECHO", "x")) for _ in range(10)):
            future.cancel()
        assert await lane.submit(("ECHO", "y")) == b"y"
        assert not lane.busy
