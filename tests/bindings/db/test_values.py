"""Values there and back, through SQLite and the encodings of both directions."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.db.values import BadArgument, ResultTooLarge, encode_rows, to_sqlite
from v8box.bindings.db.wire import FrameBuffer, Reply, frame

MAX_SAFE = 2**53 - 1


def as_client_sends(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b": b64encode(value).decode()}
    if isinstance(value, int):
        return value if abs(value) <= MAX_SAFE else {"i": str(value)}
    if isinstance(value, float) and value.is_integer() and abs(value) > MAX_SAFE:
        return {"f": value}
    return value


def as_client_reads(value: Any) -> Any:
    match value:
        case {"i": text}:
            return int(text)
        case {"b": text}:
            return msgspec.convert(text, bytes)
        case {"f": text}:
            return float(text)
    return value


values = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8")),
    st.binary(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(values, min_size=1, max_size=5))
def test_there_and_back(row: list[Any]) -> None:
    sent = msgspec.json.decode(msgspec.json.encode([as_client_sends(value) for value in row]))
    connection = apsw.Connection(":memory:")
    marks = ", ".join("?" * len(row))
    rows, _ = encode_rows(connection.execute(f"SELECT {marks}", [to_sqlite(value) for value in sent]), 10**6)
    (back,) = msgspec.json.decode(rows)
    for before, after in zip(row, map(as_client_reads, back), strict=True):
        assert after == before
        if isinstance(before, float) and not before.is_integer():
            assert isinstance(after, float)
    connection.close()


def test_infinity_has_an_encoding() -> None:
    (row,) = msgspec.json.decode(encode_rows([(math.inf, -math.inf)], 100)[0])
    assert [as_client_reads(value) for value in row] == [math.inf, -math.inf]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_argument_binds_or_is_refused(value: Any) -> None:
    try:
        bound = to_sqlite(value)
    except BadArgument:
        return
    assert bound is None or isinstance(bound, int | float | str | bytes)


@given(st.integers(0, 2000), st.integers(1, 5000))
def test_rows_stop_near_their_cap(count: int, cap: int) -> None:
    rows = [(number, "x") for number in range(count)]
    whole = msgspec.json.encode(rows)
    try:
        encoded, _ = encode_rows(iter(rows), cap)
    except ResultTooLarge:
        assert len(whole) > cap
    else:
        assert encoded == whole
        assert len(encoded) <= cap + 2


@given(st.lists(st.tuples(st.integers(0, 2**32), st.binary()), max_size=10), st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(Reply(number), body) for number, body in frames)
    buffer = FrameBuffer()
    out: list[tuple[int, bytes]] = []
    decoder = msgspec.msgpack.Decoder(Reply)
    position = 0
    while position < len(data):
        size = cuts[position % len(cuts)]
        out += [(decoder.decode(head).id, body) for head, body in buffer.feed(data[position : position + size])]
        position += size
    assert out == frames


def test_a_frame_refuses_what_msgpack_cannot_hold() -> None:
    from v8box.bindings.db.interface import Statement
    from v8box.bindings.db.wire import Request

    with pytest.raises(OverflowError):
        frame(Request(1, "execute", statements=[Statement("SELECT ?", [2**64])]))
