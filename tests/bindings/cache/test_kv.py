"""KV namespaces: values, metadata, expiry, and lists in the order of names, checked against a model."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.bindings.cache.conftest import Ask, MakeCache, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.interface import BindingError


async def put(
    ask: Ask, cache: CacheBinding, name: str, value: bytes = b"v", project: str = "one", **options: Any
) -> None:
    await ask(cache, "kv.put", {"n": "ns", "k": name, **options}, project=project, body=value)


async def get(ask: Ask, cache: CacheBinding, name: str, project: str = "one") -> tuple[Any, bytes | None]:
    return await ask(cache, "kv.get", {"n": "ns", "k": name}, project=project)


async def listed(ask: Ask, cache: CacheBinding, **options: Any) -> Any:
    return (await ask(cache, "kv.list", {"n": "ns", **options}))[0]


async def test_a_value_and_its_metadata(cache: CacheBinding, ask: Ask) -> None:
    assert await get(ask, cache, "a") == (None, None)
    await put(ask, cache, "a", b"\x00\xff", m='{"x":1}')
    assert await get(ask, cache, "a") == ({"m": '{"x":1}'}, b"\x00\xff")
    await put(ask, cache, "a", b"")
    assert await get(ask, cache, "a") == ({"m": None}, b"")
    await ask(cache, "kv.delete", {"n": "ns", "k": "a"})
    assert await get(ask, cache, "a") == (None, None)
    assert await listed(ask, cache) == {"k": [], "c": None}


async def test_many_at_once(cache: CacheBinding, ask: Ask) -> None:
    await put(ask, cache, "a", b"one")
    await put(ask, cache, "c", b"three", m="3")
    result, body = await ask(cache, "kv.many", {"n": "ns", "k": ["a", "b", "c"]})
    assert (result, body) == ({"s": [3, -1, 5], "m": [None, None, "3"]}, b"onethree")


async def test_namespaces_projects_and_keys_are_apart(cache: CacheBinding, ask: Ask, run: Run) -> None:
    await put(ask, cache, "a", b"mine")
    assert await ask(cache, "kv.get", {"n": "other", "k": "a"}) == (None, None)
    assert await get(ask, cache, "a", project="two") == (None, None)
    assert await run("keys", "*") == []
    assert (await run("scan", "0"))[1] == []


async def test_expiry(cache: CacheBinding, ask: Ask) -> None:
    await put(ask, cache, "soon", t=1)
    at = int(time.time()) + 100
    await put(ask, cache, "later", e=at)
    page = await listed(ask, cache)
    assert [name for name, _, _ in page["k"]] == ["later", "soon"]
    assert page["k"][0][1] == at

    async def gone() -> bool:
        return [name for name, _, _ in (await listed(ask, cache))["k"]] == ["later"]

    await until(gone)
    assert await get(ask, cache, "soon") == (None, None)
    await put(ask, cache, "later")  # without an expiry it has none any more
    assert (await listed(ask, cache))["k"] == [["later", None, None]]


@pytest.mark.parametrize(
    "args",
    [
        {"n": "a b", "k": "x"},
        {"n": "", "k": "x"},
        {"n": "ns", "k": ""},
        {"n": "ns", "k": "."},
        {"n": "ns", "k": ".."},
        {"n": "ns", "k": "x" * 513},
        {"n": "ns", "k": "x", "t": 0},
        {"n": "ns", "k": "x", "e": 1},
        {"n": "ns", "k": "x", "m": "x" * 1025},
        {"n": "ns"},
    ],
)
async def test_what_is_refused(cache: CacheBinding, ask: Ask, args: dict[str, Any]) -> None:
    with pytest.raises(BindingError) as caught:
        await ask(cache, "kv.put", args, body=b"v")
    assert caught.value.code in ("ARGS_INVALID", "TOO_LARGE")


async def test_a_cursor_goes_on_where_the_page_ended(cache: CacheBinding, ask: Ask) -> None:
    names = sorted(f"k{number}" for number in range(25))
    for name in names:
        await put(ask, cache, name)
    found: list[str] = []
    cursor = None
    while True:
        page = await listed(ask, cache, l=10, **({"c": cursor} if cursor else {}))
        found += [name for name, _, _ in page["k"]]
        cursor = page["c"]
        if cursor is None:
            break
    assert found == names
    with pytest.raises(BindingError, match="cursor"):
        await listed(ask, cache, c="!")


NAMES = st.text(st.sampled_from("aäz\U0001f600/: \x00"), min_size=1, max_size=4).filter(
    lambda name: name not in (".", "..")
)


async def test_lists_are_those_of_a_model(make_cache: MakeCache, ask: Ask) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    async with make_cache() as cache:
        rounds: list[tuple[list[tuple[str, bool]], str, int]] = []

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(
            st.lists(st.tuples(NAMES, st.booleans()), max_size=12),
            st.text(st.sampled_from("aäz\U0001f600/"), max_size=2),
            st.integers(1, 5),
        )
        def draw(changes: list[tuple[str, bool]], prefix: str, limit: int) -> None:
            rounds.append((changes, prefix, limit))

        await loop.run_in_executor(None, draw)
        model: set[str] = set()
        for changes, prefix, limit in rounds:
            for name, there in changes:
                if there:
                    await put(ask, cache, name)
                    model.add(name)
                else:
                    await ask(cache, "kv.delete", {"n": "ns", "k": name})
                    model.discard(name)
            found: list[str] = []
            cursor: str | None = None
            while True:
                page = await listed(ask, cache, p=prefix, l=limit, **({"c": cursor} if cursor else {}))
                assert len(page["k"]) <= limit
                found += [name for name, _, _ in page["k"]]
                cursor = page["c"]
                if cursor is None:
                    break
            wanted = sorted((name for name in model if name.startswith(prefix)), key=lambda name: name.encode())
            assert found == wanted
