"""The box's end of the channel: any bytes in any pieces, frames out and in, credit."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.clock import settle
from tests.fakes.sandboxes import RecordingChannel

from v8box.sandbox.channel import Channel, Inbound, Outbound, StreamClosed
from v8box.sandbox.protocol import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    WINDOW_BYTES,
    Flag,
    Kind,
    ProtocolError,
    pack_credit,
    pack_header,
)

Got = tuple[int, int, int, bytes, bytes]


class Recorder:
    """Keeps what the channel hands on; refuses the frames of one kind, if told so."""

    def __init__(self, refused: Kind | None = None) -> None:
        self.frames: list[Got] = []
        self.losses: list[str | None] = []
        self.refused = refused

    def on_frame(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        assert not self.losses, "a frame after the channel was lost"
        if kind == self.refused:
            raise ProtocolError("refused")
        self.frames.append((kind, flags, stream, head, body))

    def lost(self, fault: str | None) -> None:
        self.losses.append(fault)


class FakeTransport(asyncio.Transport):
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The tests push back when they want to."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        assert not self.aborted
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


def channel_of(handler: Recorder) -> tuple[Channel, FakeTransport]:
    """A connected channel. Any loop will do: what a test needs of one is that there is one."""

    async def make() -> Channel:
        return Channel(handler)

    channel = asyncio.run(make())
    transport = FakeTransport()
    channel.connection_made(transport)
    return channel, transport


def a_frame(kind: int, flags: int = 0, stream: int = 0, head: bytes = b"", body: bytes = b"") -> bytes:
    return pack_header(HEADER_BYTES - 4 + len(head) + len(body), kind, flags, 0, stream, len(head)) + head + body


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        yield data[start:end]


cut_lists = st.lists(st.integers(0, 1 << 20), max_size=12)
frames = st.tuples(
    st.sampled_from(list(Kind)).map(int),
    st.integers(0, 255),
    st.integers(0, 0xFFFF_FFFF),
    st.binary(max_size=80),
    st.binary(max_size=300),
)


@given(st.binary(max_size=200), cut_lists)
@settings(max_examples=100, deadline=None)
def test_any_bytes_in_any_pieces_end_in_frames_or_one_loss(data: bytes, cuts: list[int]) -> None:
    recorder = Recorder()
    channel, transport = channel_of(recorder)
    for piece in pieces(data, cuts):
        channel.data_received(piece)
    assert len(recorder.losses) == transport.aborted
    channel.connection_lost(None)
    assert len(recorder.losses) == 1


@given(st.lists(frames, max_size=6), st.binary(max_size=60), cut_lists)
@settings(max_examples=100, deadline=None)
def test_frames_before_garbage_arrive_whole(given_frames: list[Got], tail: bytes, cuts: list[int]) -> None:
    recorder = Recorder()
    channel, _ = channel_of(recorder)
    for piece in pieces(b"".join(a_frame(*frame) for frame in given_frames) + tail, cuts):
        channel.data_received(piece)
    assert recorder.frames[: len(given_frames)] == given_frames


@given(st.lists(frames, max_size=8), cut_lists)
@settings(max_examples=60, deadline=None)
def test_what_one_channel_sends_another_reads(given_frames: list[Got], cuts: list[int]) -> None:
    async def send() -> bytes:
        channel = Channel(Recorder())
        transport = FakeTransport()
        channel.connection_made(transport)
        for frame in given_frames:
            channel.send(*frame)
        await settle(2)
        assert len(transport.written) <= math.ceil(len(given_frames) * 3 / 8) + 1, "frames leave in batches"
        return b"".join(transport.written)

    wire = asyncio.run(send())
    recorder = Recorder()
    channel, _ = channel_of(recorder)
    for piece in pieces(wire, cuts):
        channel.data_received(piece)
    assert recorder.frames == given_frames
    assert recorder.losses == []


NONSENSE = {
    "longer than a frame may be": pack_header(MAX_FRAME_BYTES + 1, Kind.BODY, 0, 0, 2, 0),
    "as long as nothing": pack_header(0, Kind.BODY, 0, 0, 2, 0),
    "shorter than its header": pack_header(HEADER_BYTES - 5, Kind.BODY, 0, 0, 2, 0),
    "kind zero": pack_header(HEADER_BYTES - 4, 0, 0, 0, 2, 0),
    "an unknown kind": pack_header(HEADER_BYTES - 4, max(Kind) + 1, 0, 0, 2, 0),
    "a head longer than the frame": pack_header(HEADER_BYTES - 4, Kind.LOG, 0, 0, 0, 1),
    "the reserved field in use": pack_header(HEADER_BYTES - 4, Kind.BODY, 0, 1, 2, 0),
}


@pytest.mark.parametrize("size", [1, 3, 7, HEADER_BYTES, 1000])
@pytest.mark.parametrize("what", NONSENSE)
def test_a_header_that_makes_no_sense_loses_the_channel(what: str, size: int) -> None:
    recorder = Recorder()
    channel, transport = channel_of(recorder)
    data = a_frame(Kind.PONG) + NONSENSE[what] + a_frame(Kind.PONG)
    for start in range(0, len(data), size):
        channel.data_received(data[start : start + size])
    assert recorder.frames == [(Kind.PONG, 0, 0, b"", b"")]
    assert recorder.losses == ["a frame header that makes no sense"]
    assert transport.aborted


def test_a_refused_frame_loses_the_channel_and_what_follows_it() -> None:
    recorder = Recorder(refused=Kind.HELLO)
    channel, transport = channel_of(recorder)
    channel.data_received(a_frame(Kind.PONG) + a_frame(Kind.HELLO) + a_frame(Kind.PONG))
    channel.data_received(a_frame(Kind.PONG))
    channel.connection_lost(None)
    assert len(recorder.frames) == 1
    assert recorder.losses == ["refused"]
    assert transport.aborted


def test_a_closed_channel_says_and_sends_nothing_more() -> None:
    async def scenario() -> tuple[Recorder, FakeTransport]:
        recorder = Recorder()
        channel = Channel(recorder)
        transport = FakeTransport()
        channel.connection_made(transport)
        channel.send(Kind.PING, 0, 0)
        channel.close()
        channel.send(Kind.PING, 0, 0)
        await settle(2)
        channel.data_received(a_frame(Kind.PONG))
        channel.connection_lost(None)
        return recorder, transport

    recorder, transport = asyncio.run(scenario())
    assert (recorder.frames, recorder.losses, transport.written) == ([], [], [])


class CountingBytes(bytearray):
    """Counts the bytes that are copied out of it and into it."""

    copied = 0

    def __iadd__(self, other: Any) -> CountingBytes:  # type: ignore[misc]
        self.copied += len(other)
        self.extend(other)
        return self

    def __bytes__(self) -> bytes:
        self.copied += len(self)
        return bytes(memoryview(self))


@pytest.mark.parametrize(
    "length",
    [
        MAX_FRAME_BYTES - 100,
        MAX_FRAME_BYTES,
    ],
)
def test_a_long_frame_in_pieces_is_not_copied_again_and_again(length: int) -> None:
    recorder = Recorder()
    channel, _ = channel_of(recorder)
    counting = channel._partial = CountingBytes()
    data = pack_header(length, Kind.BODY, 0, 0, 2, 0) + bytes(length - HEADER_BYTES + 4)
    size = 1024 * 1024
    for start in range(0, len(data), size):
        channel.data_received(data[start : start + size])
    assert [len(frame[4]) for frame in recorder.frames] == [length - HEADER_BYTES + 4]
    assert counting.copied <= 3 * len(data)


def test_what_comes_with_the_rest_of_a_frame_is_not_copied_with_it() -> None:
    recorder = Recorder()
    channel, _ = channel_of(recorder)
    counting = channel._partial = CountingBytes()
    body = bytes(CHUNK_BYTES)
    data = 30 * (pack_header(HEADER_BYTES - 4 + len(body), Kind.BODY, 0, 0, 2, 0) + body)
    size = 3 * CHUNK_BYTES
    for start in range(0, len(data), size):
        channel.data_received(data[start : start + size])
    assert [frame[4] for frame in recorder.frames] == 30 * [body]
    assert counting.copied <= 0.7 * len(data), "one frame of three, in and out"


async def test_a_worker_that_does_not_read_is_not_read_from() -> None:
    """Else it sends calls for ever, and the answers pile up in the box."""
    recorder = Recorder()
    channel = Channel(recorder)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: channel, sock=ours)
    try:
        for _ in range(64):
            channel.send(Kind.ANSWER, 0, 1, b"", bytes(CHUNK_BYTES))
        await settle()
        assert transport.get_write_buffer_size() > 0
        seen = len(recorder.frames)
        theirs.send(a_frame(Kind.PONG))
        await settle()
        assert len(recorder.frames) == seen
    finally:
        transport.abort()
        theirs.close()
        await settle()


# ---- bodies from the worker


async def test_an_inbound_body_is_read_in_order_to_its_end() -> None:
    body = Inbound(RecordingChannel(), 2)
    for chunk in (b"a", b"", b"b"):
        body.feed(chunk, False)
    body.feed(b"c", True)
    assert [chunk async for chunk in body] == [b"a", b"b", b"c"]
    assert await body.read() == b""


async def test_a_reader_waits_for_the_next_chunk() -> None:
    body = Inbound(RecordingChannel(), 2)
    reading = asyncio.ensure_future(body.read())
    await settle()
    assert not reading.done()
    body.feed(b"late", False)
    assert await reading == b"late"


async def test_credit_is_paid_back_for_what_was_read() -> None:
    channel = RecordingChannel()
    body = Inbound(channel, 2)
    fed = paid = 0
    for _ in range(40):
        while fed + CHUNK_BYTES - paid <= WINDOW_BYTES:
            body.feed(bytes(CHUNK_BYTES), False)
            fed += CHUNK_BYTES
        await body.read()
        paid = sum(int.from_bytes(frame[4], "little") for frame in channel.sent)
    assert {frame[:3] for frame in channel.sent} == {(Kind.CREDIT, 0, 2)}
    assert fed >= 40 * CHUNK_BYTES


async def test_a_body_that_outruns_its_window_is_a_fault() -> None:
    body = Inbound(RecordingChannel(), 2)
    for _ in range(WINDOW_BYTES // CHUNK_BYTES + 1):
        body.feed(bytes(CHUNK_BYTES), False)
    with pytest.raises(ProtocolError, match="outran"):
        body.feed(b"x", False)


async def test_a_chunk_after_the_end_is_a_fault() -> None:
    body = Inbound(RecordingChannel(), 2)
    body.feed(b"", True)
    with pytest.raises(ProtocolError, match="after the end"):
        body.feed(b"more", False)


async def test_a_failed_body_ends_its_reader() -> None:
    body = Inbound(RecordingChannel(), 2)
    reading = asyncio.ensure_future(body.read())
    await settle()
    body.fail("it broke")
    with pytest.raises(StreamClosed, match="it broke"):
        await reading
    body.feed(b"too late", False)
    with pytest.raises(StreamClosed):
        await body.read()


async def test_a_complete_body_cannot_fail_any_more() -> None:
    body = Inbound(RecordingChannel(), 2)
    body.feed(b"all of it", True)
    body.fail("the run is over")
    assert await body.read() == b"all of it"
    assert await body.read() == b""


# ---- bodies to the worker


async def test_an_outbound_body_leaves_in_chunks_and_waits_for_credit() -> None:
    channel = RecordingChannel()
    body = Outbound(channel, 2)
    writing = asyncio.ensure_future(body.write(bytes(WINDOW_BYTES + 10)))
    await settle()
    assert not writing.done()
    assert [len(frame[4]) for frame in channel.sent] == [CHUNK_BYTES] * (WINDOW_BYTES // CHUNK_BYTES)
    body.grant(4)
    await settle()
    body.grant(100)
    await writing
    assert [len(frame[4]) for frame in channel.sent][-2:] == [4, 6]
    body.end()
    assert channel.sent[-1] == (Kind.BODY, Flag.END, 2, b"", b"")


async def test_credit_for_what_was_never_sent_is_a_fault() -> None:
    body = Outbound(RecordingChannel(), 2)
    with pytest.raises(ProtocolError, match="never sent"):
        body.grant(1)


async def test_a_writer_that_waits_is_told_that_nobody_wants_more() -> None:
    channel = RecordingChannel()
    body = Outbound(channel, 2)
    writing = asyncio.ensure_future(body.write(bytes(WINDOW_BYTES + 1)))
    await settle()
    body.fail("enough")
    with pytest.raises(StreamClosed, match="enough"):
        await writing
    with pytest.raises(StreamClosed, match="enough"):
        await body.write(b"more")
    count = len(channel.sent)
    body.end()
    assert len(channel.sent) == count


@given(st.lists(st.integers(0, 200_000), max_size=8), st.lists(st.integers(1, 300_000), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_no_more_than_a_window_is_ever_outstanding(sizes: list[int], grants: list[int]) -> None:
    async def scenario() -> None:
        channel = RecordingChannel()
        body = Outbound(channel, 2)

        async def write() -> None:
            for size in sizes:
                await body.write(bytes(size))
            body.end()

        writing = asyncio.ensure_future(write())
        granted = 0
        for count in grants * 100:
            await settle(3)
            sent = sum(len(frame[4]) for frame in channel.sent)
            assert 0 <= sent - granted <= WINDOW_BYTES
            if writing.done():
                break
            step = min(count, sent - granted)
            granted += step
            body.grant(step)
        if not writing.done():
            writing.cancel()
        else:
            assert sum(len(frame[4]) for frame in channel.sent) == sum(sizes)

    asyncio.run(scenario())


def test_a_credit_is_four_bytes() -> None:
    assert pack_credit(WINDOW_BYTES) == WINDOW_BYTES.to_bytes(4, "little")
