"""What a worker sees of a request's headers, and a client of a response's."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.errors import BadRequest
from v8box.gateway.headers import Incoming, declared_length, outgoing

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
              "Trailer", "Transfer-Encoding", "Upgrade")  # fmt: skip
TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)


def given_headers(*pairs: tuple[str, str]) -> Incoming:
    return Incoming([(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])


def forwarded(
    incoming: Incoming, peer: str, trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = TRUSTED
) -> str:
    return incoming.forwarded(peer, "http", "localhost", "/run/hello", trusted)


# ---- framing: what two servers could read in two ways


@pytest.mark.parametrize(
    "headers",
    [
        [("content-length", "1"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "chunked"), ("Content-Length", "0")],
        [("content-length", "1"), ("content-length", "1")],
        [("content-length", "1"), ("CONTENT-LENGTH", "2")],
        [("content-length", "1, 1")],
        [("content-length", "+1")],
        [("content-length", "-1")],
        [("content-length", "0x1")],
        [("content-length", "1_0")],
        [("content-length", " 1")],
        [("content-length", "")],
        [("content-length", "\u00b2")],
        [("content-length", "9" * 19)],
        [("transfer-encoding", "gzip, chunked")],
        [("transfer-encoding", "chunked"), ("Transfer-Encoding", "chunked")],
        [("transfer-encoding", "identity")],
        [("transfer-encoding", "xchunked")],
        [("transfer-encoding", "chunked\x0b,")],
        [("host", "a"), ("Host", "a")],
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(BadRequest):
        given_headers(*headers)


FRAMING = st.sampled_from(["content-length", "Content-Length", "transfer-encoding", "TRANSFER-ENCODING", "x-other"])
VALUES = st.sampled_from(["0", "5", "05", "chunked", "Chunked", " chunked ", "identity", "5,5", "\t5", "five"])


@given(st.lists(st.tuples(FRAMING, VALUES), max_size=4))
def test_at_most_one_framing_survives(headers: list[tuple[str, str]]) -> None:
    try:
        incoming = given_headers(*headers)
    except BadRequest:
        return
    framing = [name for name, _ in headers if name.lower() != "x-other"]
    assert len(framing) <= 1
    assert "transfer-encoding" not in dict(incoming.pairs)
    assert incoming.has_body == any(
        value.strip().lower() in ("5", "05", "chunked") for name, value in headers if name.lower() != "x-other"
    )


# ---- in


def test_names_are_lower_case_and_repeats_stay() -> None:
    incoming = given_headers(("Host", "h"), ("Cookie", "a=1"), ("COOKIE", "b=2"), ("Accept", "*/*"))
    assert incoming.pairs == [("host", "h"), ("cookie", "a=1"), ("cookie", "b=2"), ("accept", "*/*")]
    assert incoming.host == b"h"


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_hop_by_hop_headers_end_here(name: str) -> None:
    assert given_headers((name, "chunked")).pairs == []


def test_headers_listed_by_connection_end_here() -> None:
    incoming = given_headers(("X-Secret", "1"), ("Connection", "close, X-SECRET ,"), ("Accept", "*/*"))
    assert incoming.pairs == [("accept", "*/*")]


def test_connection_cannot_take_away_what_the_box_says() -> None:
    listed = "host, x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-forwarded-prefix, x-request-id"
    incoming = given_headers(("Host", "h"), ("Connection", listed), ("Connection", "x-real-ip"))
    forwarded(incoming, "1.2.3.4")
    assert dict(incoming.pairs) == {
        "host": "h",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "localhost",
        "x-forwarded-prefix": "/run/hello",
    }


@given(st.lists(TOKEN, max_size=5), st.lists(TOKEN, max_size=5))
def test_what_connection_lists_never_arrives(names: list[str], listed: list[str]) -> None:
    incoming = given_headers(
        ("host", "h"), *((name, "v") for name in names if name != "host"), ("connection", ",".join(listed))
    )
    shown = {name for name, _ in incoming.pairs}
    assert "host" in shown
    assert not (shown - {"host"}) & (set(listed) - {"keep-alive", "close", "upgrade"})


@pytest.mark.parametrize("name", ["x-v8box-termination", "X-V8Box-Anything", "x-v8box-"])
def test_the_boxs_own_headers_cannot_be_sent_in_or_out(name: str) -> None:
    assert given_headers((name, "1")).pairs == []
    assert outgoing([(name, "1")]) == []


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"])
def test_a_strangers_word_on_who_it_is_is_dropped(name: str) -> None:
    incoming = given_headers((name, "6.6.6.6"))
    assert incoming.pairs == []
    assert forwarded(incoming, "1.2.3.4") == "1.2.3.4"
    assert "6.6.6.6" not in str(incoming.pairs)


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.0.0.1"),
        ("", "1.2.3.4", ""),
    ],
)
def test_a_trusted_proxys_word_is_believed_as_far_as_it_goes(peer: str, chain: str, client: str) -> None:
    incoming = given_headers(("x-forwarded-for", chain), ("x-forwarded-proto", "https"))
    assert forwarded(incoming, peer) == client
    assert incoming.proto == ("https" if peer else "http")


def test_the_chain_goes_on() -> None:
    incoming = given_headers(("x-forwarded-for", "1.2.3.4, 10.1.1.1"))
    forwarded(incoming, "10.0.0.1")
    assert ("x-forwarded-for", "1.2.3.4, 10.1.1.1, 10.0.0.1") in incoming.pairs


def test_nobody_is_trusted_unless_said() -> None:
    incoming = given_headers(("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"))
    assert forwarded(incoming, "10.0.0.1", ()) == "10.0.0.1"
    assert incoming.proto == "http"


@pytest.mark.parametrize(
    ("value", "taken"),
    [("abc-1", True), ("a" * 128, True), ("a" * 129, False), ("", False), ("a b", False), ("\u00e9", False)],
)
def test_a_request_id_is_taken_over_if_it_is_one(value: str, taken: bool) -> None:
    assert given_headers(("x-request-id", value)).request_id == (value if taken else None)


@pytest.mark.parametrize(("mode", "navigates"), [("navigate", True), ("cors", False), ("no-cors", False)])
def test_a_browser_that_navigates_says_so(mode: str, navigates: bool) -> None:
    assert given_headers(("Sec-Fetch-Mode", mode)).navigates is navigates


def test_the_size_counts_everything() -> None:
    assert given_headers(("a", "bc"), ("d", "")).size == 3 + 4 + 1 + 4


# ---- out


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Content-Length", "Server", "X-Request-Id", "Alt-Svc"])
def test_what_is_the_boxs_to_say_a_worker_cannot(name: str) -> None:
    assert outgoing([(name, "1")]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "b\r\nset-cookie: x=1"), ("a", "b\n"), ("a", "b\r"), ("a", "b\x00"), ("a b", "c"), ("a:b", "c"), ("", "c"),
     ("a\r\nb", "c"), ("a\n", "c"), ("h\u00e9", "c"), ("a", "\u20ac")],
)  # fmt: skip
def test_what_could_split_a_response_is_left_out(name: str, value: str) -> None:
    assert outgoing([(name, value), ("ok", "1")]) == [(b"ok", b"1")]


def test_a_workers_own_timing_passes() -> None:
    assert outgoing([("Server-Timing", "db;dur=5")]) == [(b"server-timing", b"db;dur=5")]


def test_several_cookies_stay_several() -> None:
    assert outgoing([("Set-Cookie", "a=1"), ("set-cookie", "b=2")]) == [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=5))
def test_nothing_a_worker_sends_can_split_a_response(headers: list[tuple[str, str]]) -> None:
    for name, value in outgoing(headers):
        assert name
        assert not set(name) & set(b"\r\n\x00: ")
        assert not set(value) & set(b"\r\n\x00")


@pytest.mark.parametrize(
    ("value", "length"),
    [("0", 0), ("12", 12), ("-1", None), ("1e3", None), ("", None), ("9" * 19, None), ("1,1", None), ("\u0663", None)],
)
def test_the_length_a_stream_declares(value: str, length: int | None) -> None:
    assert declared_length([("a", "b"), ("content-length", value)]) == length


def test_a_superscript_is_no_length() -> None:
    assert declared_length([("content-length", "\u00b2")]) is None
