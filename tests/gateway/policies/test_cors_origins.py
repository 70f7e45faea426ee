"""Matching of origins, against a matcher that is slow and obvious."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.gateway.policies.cors import Origins

LABELS = ["a", "example", "com", "evil", "x-1", ""]
hosts = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
schemes = st.sampled_from(["http://", "https://", "capacitor://", ""])
ports = st.sampled_from(["", ":8080", ":80"])
origins = st.builds(lambda scheme, host, port: scheme + host + port, schemes, hosts, ports)
patterns = st.builds(lambda origin, wild: origin.replace("://", "://*.", 1) if wild else origin, origins, st.booleans())


def slowly(pattern: str, origin: str) -> bool:
    """As the documents say it: exact, `*`, or any subdomain of the rest with the same scheme and port."""
    if pattern == "*" or pattern == origin:
        return True
    scheme, star, rest = pattern.partition("://*.")
    given, colon, host = origin.partition("://")
    if not star or not colon or given != scheme:
        return False
    name, _, port = host.partition(":")
    wanted, _, wanted_port = rest.partition(":")
    labels, of = name.split("."), wanted.split(".")
    below = labels[: len(labels) - len(of)]
    return port == wanted_port and labels[len(below) :] == of and bool(below) and all(below)


@given(st.lists(patterns, max_size=3), origins)
def test_the_same_as_the_obvious_matcher(named: list[str], origin: str) -> None:
    assert (origin in Origins(tuple(named))) == any(slowly(pattern, origin) for pattern in named)


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com", "http://a.example.com", "https://a.example.com:8443", "https://aexample.com",
        "https://a.example.com.evil.com", "https://evil.com/.example.com", "https://evil.com#.example.com",
        "https://evil.com?.example.com", "https://u@.example.com", "https://.example.com", "https://a..example.com",
        "https://A.example.com", "https://a b.example.com", "https://évil.example.com", "null", "",
        "https://a.example.com\n", "https://[::1].example.com",
    ],
)  # fmt: skip
def test_what_is_no_subdomain(origin: str) -> None:
    assert origin not in Origins(("https://*.example.com",))


@given(st.text())
def test_any_text_is_no_reason_to_fail(text: str) -> None:
    origins = Origins(("https://a.com", "https://*.example.com", "http://[::1]:80"))
    assert (text in origins) == any(slowly(each, text) for each in ("https://a.com", "http://[::1]:80")) or (
        text.endswith(".example.com")
    )
    assert text in Origins(("*",))
