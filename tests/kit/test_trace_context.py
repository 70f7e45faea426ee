"""W3C trace context: what is valid, what is not, and ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.trace_context import MAX_STATE, Parent, TraceIds, format_parent, parse_parent, parse_state

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0G",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01.more",
    ],
)
def test_invalid_parents(header: str) -> None:
    assert parse_parent(header.encode()) is None


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-is-like", True),
    ],
)
def test_valid_parents(header: str, sampled: bool) -> None:
    assert parse_parent(header.encode()) == Parent(TRACE, SPAN, sampled)


@given(st.binary(max_size=80) | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True))
def test_what_is_understood_can_be_written_and_read_again(header: bytes) -> None:
    parent = parse_parent(header)
    if parent is not None:
        assert parse_parent(format_parent(*parent).encode()) == parent


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("a=1", "a=1"),
        (" a=1 ,\tb=2 ,, ", "a=1,b=2"),
        ("tenant@vendor=x y", "tenant@vendor=x y"),
        ("0a*/_-=ok", "0a*/_-=ok"),
        ("A=1", ""),
        ("a", ""),
        ("a=1,a=2", ""),
        ("a=1=2", ""),
        ("a=\x7f", ""),
        ("a=1,b", ""),
        (",".join(f"k{number}=1" for number in range(32)), ",".join(f"k{number}=1" for number in range(32))),
        (",".join(f"k{number}=1" for number in range(33)), ""),
        ("a=" + "x" * (MAX_STATE - 1), ""),
    ],
)
def test_states(header: str, kept: str) -> None:
    assert parse_state(header) == kept


def test_ids_are_hex_of_their_length_and_never_the_same() -> None:
    ids = TraceIds()
    spans = [ids.span() for _ in range(1_000)]
    begun = [parse_parent(ids.begin().encode()) for _ in range(1_000)]
    assert all(len(each) == 16 and set(each) <= set("0123456789abcdef") for each in spans)
    assert all(each is not None and each.sampled for each in begun)
    spans += [each.span for each in begun if each is not None]
    assert len(set(spans)) == 2_000
    assert len({each.trace for each in begun if each is not None}) == 1_000


def test_a_ratio_of_traces_is_sampled() -> None:
    def begun(ratio: float) -> int:
        ids = TraceIds(ratio)
        return sum(ids.begin().endswith("-01") for _ in range(2_000))

    assert (begun(1.0), begun(0.0)) == (2_000, 0)
    assert 700 < begun(0.5) < 1_300
    some = TraceIds(0.5)
    assert not some.sampled("0" * 18 + "8" + "0" * 13)
    assert some.sampled("f" * 18 + "7" + "f" * 13)
