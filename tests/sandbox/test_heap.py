"""Heap snapshots over a sandbox's channel: piece by piece, at nobody's expense, and what a hostile process may do."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.clock import settle
from tests.sandbox.conftest import Bench, a_frame

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.sandbox import heap as module
from v8box.sandbox.heap import SnapshotFailed
from v8box.sandbox.protocol import Flag, Kind

MIB = 1024 * 1024


class Taken:
    """A snapshot under way, and its pieces."""

    def __init__(self, bench: Bench) -> None:
        self.pieces: list[bytes] = []
        self.task = asyncio.ensure_future(bench.sandbox.heap_snapshot(self.write))

    async def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


async def begin(bench: Bench) -> Taken:
    await bench.become_ready(Limits(memory_mb=128, cpu_ms=100, wall_ms=1_000))
    taken = Taken(bench)
    await settle(3)
    return taken


def asks(bench: Bench) -> list[int]:
    """The flags of the HEAP frames that the box sent."""
    return [flags for kind, flags, *_ in bench.wire.frames if kind is Kind.HEAP]


async def test_each_piece_is_asked_for_when_the_one_before_is_written(bench: Bench) -> None:
    taken = await begin(bench)
    assert asks(bench) == [0]
    for piece in (b"one", b"two"):
        bench.says(a_frame(Kind.HEAP, body=piece))
        await settle(3)
    assert asks(bench) == [0, 0, 0]
    bench.says(a_frame(Kind.HEAP, Flag.END))
    assert await taken.task == 6
    assert taken.pieces == [b"one", b"two"]
    assert bench.sandbox.retiring
    assert not bench.sandbox.inspected


async def test_what_it_costs_is_charged_to_nobody(bench: Bench) -> None:
    await bench.become_ready(Limits(memory_mb=128, cpu_ms=100, wall_ms=1_000))
    run = bench.invoke()
    taken = Taken(bench)
    await settle(3)
    bench.child.cpu, bench.child.bytes = 20.0, 900 * MIB
    for second in range(1, 20):
        bench.sandbox.tick(run.started + second)
        bench.sandbox.tick_idle(run.started + second)
    assert bench.fault is None
    assert run.cancelled is None
    bench.says(a_frame(Kind.HEAP, Flag.END))
    await taken.task
    bench.child.bytes = 0
    bench.sandbox.tick(asyncio.get_running_loop().time() + 0.5)
    assert bench.fault is None
    assert run.cpu_seconds == 0


async def test_a_piece_that_nobody_asked_for_breaks_the_channel(bench: Bench) -> None:
    await bench.become_ready()
    bench.says(a_frame(Kind.HEAP, body=b"x"))
    assert bench.fault is StopReason.PROTOCOL


async def test_a_second_piece_at_once_breaks_the_channel(bench: Bench) -> None:
    taken = await begin(bench)
    bench.says(a_frame(Kind.HEAP, body=b"x"), a_frame(Kind.HEAP, body=b"y"))
    assert bench.fault is StopReason.PROTOCOL
    await bench.end(sig=9)
    with pytest.raises(SnapshotFailed):
        await taken.task


async def test_a_process_that_says_why_it_cannot_is_believed(bench: Bench) -> None:
    taken = await begin(bench)
    bench.says(a_frame(Kind.HEAP, Flag.END, head={"message": "no room"}))
    with pytest.raises(SnapshotFailed, match="no room"):
        await taken.task
    assert not bench.sandbox.inspected


async def test_a_process_that_dies_of_it_is_told(bench: Bench) -> None:
    taken = await begin(bench)
    await bench.end(sig=6)
    with pytest.raises(SnapshotFailed, match="process ended"):
        await taken.task


async def test_a_snapshot_without_end_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    taken = await begin(bench)
    bench.says(a_frame(Kind.HEAP, body=b"x" * 11))
    with pytest.raises(SnapshotFailed, match="longer than"):
        await taken.task
    assert asks(bench) == [0, int(Flag.END)]
    assert taken.pieces == []


async def test_a_snapshot_that_nobody_waits_for_is_called_off(bench: Bench) -> None:
    taken = await begin(bench)
    taken.task.cancel()
    await settle(3)
    assert asks(bench) == [0, int(Flag.END)]
    assert not bench.sandbox.inspected


async def test_without_room_on_the_machine_none_is_begun(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.become_ready(Limits(memory_mb=128))
    monkeypatch.setattr("v8box.kit.procfs.machine_memory", lambda: (1024 * MIB, 300 * MIB))
    bench.child.bytes = 50 * MIB
    with pytest.raises(SnapshotFailed, match="this machine has 300 MB left"):
        await bench.sandbox.heap_snapshot(Taken.write)  # type: ignore[arg-type]
    assert not asks(bench)
    assert not bench.sandbox.retiring


async def test_one_at_a_time(bench: Bench) -> None:
    taken = await begin(bench)
    with pytest.raises(SnapshotFailed, match="already"):
        await bench.sandbox.heap_snapshot(taken.write)
    taken.task.cancel()
