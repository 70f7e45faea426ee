"""Keys: what makes two requests the same. Properties of the query's normal form, and what `Vary` adds."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from v8box.catalog.policies import CacheRules
from v8box.gateway.cache.keys import MAX_PARAMETERS, Key, key_query, passed_query, variant, vary_names

ALL = CacheRules()
texts = st.text(st.characters(codec="latin-1", exclude_characters="&=#\r\n\0"), max_size=6)
pairs = st.lists(st.tuples(texts, texts), max_size=6)
queries = st.text("ab=&%41f+;*", max_size=30)


def written(found: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in found)


def meaning(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True, separator="&"), key=lambda pair: pair[0])


@given(queries)
@example("%%41a")
def test_a_normal_form_stays_as_it_is(query: str) -> None:
    normal = key_query(query, ALL)
    assert normal is not None
    assert key_query(normal, ALL) == normal


@given(queries, queries)
def test_what_means_another_thing_has_another_key(one: str, other: str) -> None:
    if key_query(one, ALL) == key_query(other, ALL):
        assert meaning(one) == meaning(other)


@given(pairs, st.randoms())
def test_the_order_of_names_does_not_count_and_that_of_equal_names_does(
    found: list[tuple[str, str]], random: object
) -> None:
    named: dict[str, list[tuple[str, str]]] = {}
    for pair in found:
        named.setdefault(pair[0], []).append(pair)
    names = list(named)
    random.shuffle(names)  # type: ignore[attr-defined]
    shuffled = [pair for name in names for pair in named[name]]
    assert key_query(written(shuffled), ALL) == key_query(written(found), ALL)


@given(pairs)
def test_what_does_not_count_is_neither_in_the_key_nor_with_the_worker(found: list[tuple[str, str]]) -> None:
    rules = CacheRules(ignore_query=("a", "utm_*"))
    noise = [("a", "1"), ("utm_source", "x"), ("utm_", "y")]
    query = written([*noise, *found, *noise])
    kept = [pair for pair in found if pair[0] != "a" and not pair[0].startswith("utm_")]
    assert key_query(query, rules) == key_query(written(kept), ALL)
    assert passed_query(query, rules) == "&".join(part for part in written(kept).split("&") if part)


@pytest.mark.parametrize(
    ("query", "only", "ignored", "normal"),
    [
        ("", (), (), ""),
        ("&&a=1&", (), (), "a=1"),
        ("b=2&a=1&b=1", (), (), "a=1&b=2&b=1"),
        ("%61=%2f&b=%7E", (), (), "a=%2F&b=~"),
        ("utm%5Fsource=1&a=1", (), ("utm_*",), "a=1"),
        ("%75tm_source=1&a=1", (), ("utm_*",), "a=1"),
        ("page=1&x=2&p=3", ("page", "p"), (), "p=3&page=1"),
        ("page=1&x=2", ("p*",), ("page",), ""),
        ("a=1&b=2", (), ("*",), ""),
        ("my+name=1&my%20name=2&x=3", (), ("my name",), "x=3"),
    ],
)
def test_queries(query: str, only: tuple[str, ...], ignored: tuple[str, ...], normal: str) -> None:
    assert key_query(query, CacheRules(vary_by_query=only, ignore_query=ignored)) == normal


def test_too_many_parameters_are_no_key() -> None:
    assert key_query("&".join(["a=1"] * MAX_PARAMETERS), ALL) is not None
    assert key_query("&".join(["a=1"] * (MAX_PARAMETERS + 1)), ALL) is None


@given(st.lists(st.text(max_size=5), min_size=4, max_size=4), st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_digests_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (Key(*one).digest() == Key(*other).digest()) == (one == other)  # type: ignore[arg-type]


def test_a_vary_header_in_one_form() -> None:
    assert vary_names([b"Accept-Language, x-a", b" X-A ,, b"]) == ("accept-language", "b", "x-a")


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("accept-encoding", "gzip, br", "br;q=0.9,gzip", True),
        ("accept-encoding", "gzip, br", "gzip", False),
        ("accept-encoding", "gzip, br;q=0", "gzip, br", False),
        ("accept-language", "de", " de ", True),
        ("accept-language", "de", "en", False),
        ("x-a", "", None, False),
    ],
)
def test_variants(name: str, one: str, other: str | None, same: bool) -> None:
    given = [[(name, value)] if value is not None else [] for value in (one, other)]
    assert (variant((name,), given[0]) == variant((name,), given[1])) is same
