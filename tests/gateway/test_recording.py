"""What the record of a run says of its waits, its bodies and its memory."""

from __future__ import annotations

from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.conftest import World

from v8box.sandbox.interface import Invocation
from v8box.sandbox.run import Run


async def test_bytes_that_came_in_are_counted(world: World) -> None:
    client = world.connect(method="POST", headers=(("content-length", "6"),))
    client.gives(b"abc", b"def")
    await settle()
    [record] = world.records.runs
    assert (record.bytes_in, record.method) == (6, "POST")


async def test_the_wait_for_room_and_the_memory_while_it_ran_are_in_the_record(world: World) -> None:
    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.memory_bytes, run.queued_seconds = 5_000_000, 0.25
        sandbox.respond(run, b"hi")

    world.worker = work
    await world.get()
    [record] = world.records.runs
    assert (record.memory, record.queue, record.bytes_in) == (5_000_000, 250.0, 0)
