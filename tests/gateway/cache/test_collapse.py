"""Many that ask for the same at once: one run answers them, and nobody is held up by it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.cache.conftest import Kept, MakeKept, said
from tests.gateway.conftest import Client

from v8box.errors import StopReason
from v8box.gateway.cache.cache import COLLAPSE_SECONDS, PASS_SECONDS
from v8box.gateway.invoke import BrokenResponse
from v8box.sandbox.channel import Inbound
from v8box.sandbox.interface import Death, Invocation
from v8box.sandbox.protocol import Kind, ProtocolError
from v8box.sandbox.run import Response, Run
from v8box.settings import ResponseCache as CacheSettings

FRESH = "max-age=60"


async def together(kept: Kept, count: int, path: str = "/") -> list[Client]:
    """Requests that all wait before the worker answers the first."""
    kept.gate = asyncio.Event()
    clients = [kept.start(path) for _ in range(count)]
    await settle()
    return clients


async def answered(clients: list[Client]) -> None:
    await settle()
    for client in clients:
        assert client.served.done()
        client.served.result()


def open_gate(kept: Kept) -> None:
    assert kept.gate is not None
    kept.gate.set()


async def test_one_run_for_five_hundred(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    clients = await together(kept, 500)
    assert kept.runs == 1
    open_gate(kept)
    await answered(clients)
    assert kept.runs == 1
    assert {client.body for client in clients} == {b"one"}
    assert sorted({said(client) for client in clients}) == ["v8box; fwd=miss; collapsed", "v8box; fwd=miss; stored"]


async def test_what_is_not_kept_lets_all_go_by_themselves(kept: Kept) -> None:
    kept.says(b"mine", cache_control="private")
    clients = await together(kept, 20)
    assert kept.runs == 1
    open_gate(kept)
    await answered(clients)
    assert kept.runs == 20
    more = await together(kept, 5)
    assert kept.runs == 25
    open_gate(kept)
    await answered(more)
    await kept.clock.advance(PASS_SECONDS + 1)
    await together(kept, 5)
    assert kept.runs == 26
    open_gate(kept)
    await settle()


async def test_what_must_be_asked_about_each_time_is_not_waited_for(kept: Kept) -> None:
    kept.says(b"one", cache_control="no-cache", etag='"a"')
    await kept.get()
    clients = await together(kept, 10)
    assert kept.runs == 11
    open_gate(kept)
    await answered(clients)
    assert {said(client) for client in clients} == {"v8box; fwd=stale; fwd-status=304; stored"}


async def test_a_slow_first_request_does_not_block_the_others_for_ever(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    clients = await together(kept, 4)
    await kept.clock.advance(COLLAPSE_SECONDS - 1)
    assert kept.runs == 1
    await kept.clock.advance(2)
    assert kept.runs == 4
    open_gate(kept)
    await answered(clients)
    assert sorted({said(client) for client in clients}) == [
        "v8box; fwd=miss; detail=collapse-timeout",
        "v8box; fwd=miss; stored",
    ]


async def test_the_first_may_leave(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    first, *others = await together(kept, 5)
    first.served.cancel()
    await settle()
    open_gate(kept)
    await answered(others)
    assert {other.body for other in others} == {b"one"}
    assert kept.runs == 1


async def test_a_run_that_nobody_waits_for_ends(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    (first,) = await together(kept, 1)
    first.served.cancel()
    await settle()
    assert Kind.CANCEL in kept.world.sandbox.channel.sent_kinds()
    open_gate(kept)
    await settle()
    assert (await kept.get()).body == b"one"


async def test_a_failure_is_the_firsts_alone(kept: Kept) -> None:
    kept.fails()
    clients = await together(kept, 3)
    assert kept.runs == 1
    kept.says(b"one", cache_control=FRESH)
    open_gate(kept)
    await answered(clients)
    assert {client.status for client in clients} == {200}


async def test_variants_of_one_address_each_have_their_run(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH, vary="accept-language")
    kept.gate = asyncio.Event()
    clients = [kept.start(headers={"accept_language": language}) for language in ("de", "en") * 10]
    await settle()
    open_gate(kept)
    await answered(clients)
    assert kept.runs == 2
    assert said(await kept.get(headers={"accept_language": "fr"})) == "v8box; fwd=vary-miss; stored"


async def test_credentials_and_none_do_not_wait_for_each_other(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    kept.gate = asyncio.Event()
    clients = [kept.start(), kept.start(headers={"authorization": "x"}), kept.start()]
    await settle()
    assert kept.runs == 2
    open_gate(kept)
    await answered(clients)
    assert [said(client) for client in clients] == [
        "v8box; fwd=miss; stored",
        "v8box; fwd=miss; detail=authorization",
        "v8box; fwd=miss; collapsed",
    ]


async def test_stale_answers_are_asked_about_once(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=10, must-revalidate", etag='"a"')
    await kept.get()
    await kept.clock.advance(11)
    clients = await together(kept, 50)
    open_gate(kept)
    await answered(clients)
    assert kept.runs == 2
    assert {client.body for client in clients} == {b"one"}


async def test_a_killed_worker_gives_those_that_wait_what_is_stale(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=10, stale-if-error=60")
    await kept.get()
    await kept.clock.advance(11)
    clients = await together(kept, 5)
    kept.world.sandbox.kill(Death(reason=StopReason.MEMORY, detail="x"))
    await answered(clients)
    assert {client.body for client in clients} == {b"one"}
    assert kept.runs == 2


# ---- streams


class Streaming:
    """The worker answers with a stream that the test feeds."""

    def __init__(self, kept: Kept, *headers: tuple[str, str]) -> None:
        self.bodies: list[Inbound] = []
        self.runs: list[Run] = []

        async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
            run.body = Inbound(sandbox.channel, run.stream)
            self.bodies.append(run.body)
            self.runs.append(run)
            run.response.set_result(Response(200, list(headers), run.body))
            await asyncio.get_running_loop().create_future()

        kept.world.worker = work

    async def feed(self, *chunks: bytes, end: bool = False) -> None:
        for chunk in chunks:
            self.bodies[-1].feed(chunk, False)
            await settle()
        if end:
            self.bodies[-1].feed(b"", True)
            await settle()


async def test_a_stream_reaches_the_first_as_it_comes_and_is_kept(kept: Kept) -> None:
    stream = Streaming(kept, ("cache-control", FRESH))
    first, second = kept.start(), kept.start()
    await settle()
    await stream.feed(b"a")
    assert [message.get("body") for message in first.sent[1:]] == [b"a"]
    assert second.sent == []
    await stream.feed(b"b", end=True)
    assert (first.body, second.body) == (b"ab", b"ab")
    assert said(await kept.get()).startswith("v8box; hit")
    assert len(stream.runs) == 1


async def test_a_slow_client_holds_nobody_up(kept: Kept) -> None:
    stream = Streaming(kept, ("cache-control", FRESH))
    first, second = kept.start(), kept.start()
    first.may_send.clear()
    await settle()
    await stream.feed(b"a", b"b", end=True)
    assert second.body == b"ab"
    first.may_send.set()
    await settle()
    assert first.body == b"ab"


async def test_what_is_longer_than_the_bound_passes_through(make_kept: MakeKept) -> None:
    kept = make_kept(response_cache=CacheSettings(disk_mb=0, entry_mb=1))
    stream = Streaming(kept, ("cache-control", FRESH))
    first, second = kept.start(), kept.start()
    await settle()
    piece = b"x" * 200_000
    await stream.feed(*[piece] * 5)
    assert second.sent == []
    await stream.feed(piece)
    assert len(stream.runs) == 2, "the second goes by itself"
    await stream.feed(b"2", end=True)
    stream.bodies[0].feed(b"", True)
    await settle()
    assert first.body == piece * 6
    assert (second.body, said(second)) == (b"2", "v8box; fwd=miss; detail=too-long")


async def test_a_long_one_is_the_clients_pace(make_kept: MakeKept) -> None:
    kept = make_kept(response_cache=CacheSettings(disk_mb=0, entry_mb=1))
    stream = Streaming(kept, ("cache-control", FRESH), ("content-length", "9000000"))
    client = kept.start()
    client.may_send.clear()
    await settle()
    fed: list[int] = []
    with contextlib.suppress(ProtocolError):  # it may not send more than the client takes
        for number in range(20):
            stream.bodies[0].feed(b"x" * 100_000, False)
            fed.append(number)
            await settle()
    assert len(fed) < 15
    client.served.cancel()
    await settle()
    assert Kind.CANCEL in kept.world.sandbox.channel.sent_kinds()


async def test_a_client_that_leaves_ends_a_stream_that_is_only_its_own(kept: Kept) -> None:
    Streaming(kept, ("cache-control", "no-store"))
    client = kept.start()
    await settle()
    client.leaves()
    await settle()
    assert Kind.CANCEL in kept.world.sandbox.channel.sent_kinds()
    with pytest.raises(BrokenResponse):
        client.served.result()


async def test_a_client_that_leaves_does_not_end_a_stream_that_others_wait_for(kept: Kept) -> None:
    stream = Streaming(kept, ("cache-control", FRESH))
    first, second = kept.start(), kept.start()
    await settle()
    first.leaves()
    await settle()
    await stream.feed(b"a", end=True)
    assert second.body == b"a"


async def test_a_broken_stream_is_not_kept(kept: Kept) -> None:
    stream = Streaming(kept, ("cache-control", FRESH))
    first = kept.start()
    await settle()
    await stream.feed(b"a")
    stream.bodies[0].fail("it broke")
    await settle()
    with pytest.raises(BrokenResponse):
        first.served.result()
    kept.world.worker = kept._work
    kept.says(b"whole", cache_control=FRESH)
    assert (await kept.get()).body == b"whole"
