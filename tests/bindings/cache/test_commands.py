"""The table of commands against the server's own, and the confinement of keys for any arguments."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.cache.commands import Refused, confine, names, positions_of
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError
from v8box.bindings.valkey import PrivateValkey

NOT_KEYS = {"publish"}  # a channel, confined all the same
SAMPLES: dict[str, list[str]] = {
    # commands whose arguments must make sense before the server tells their keys
    "zunion": ["2", "K1", "K2"],
    "zinter": ["2", "K1", "K2", "WITHSCORES"],
    "zdiff": ["1", "K1"],
    "sintercard": ["2", "K1", "K2", "LIMIT", "1"],
    "zintercard": ["2", "K1", "K2"],
    "lmpop": ["2", "K1", "K2", "LEFT"],
    "zmpop": ["2", "K1", "K2", "MIN"],
    "zunionstore": ["K1", "2", "K2", "K3"],
    "zinterstore": ["K1", "1", "K2"],
    "zdiffstore": ["K1", "2", "K2", "K3"],
    "bitop": ["AND", "K1", "K2", "K3"],
    "object": ["ENCODING", "K1"],
    "xgroup": ["CREATE", "K1", "g", "$"],
    "xinfo": ["STREAM", "K1"],
}


async def keys_of(store: ValkeyStore, name: str, sample: list[str]) -> Any:
    try:
        keys = await store.execute("", ["COMMAND", "GETKEYS", name, *sample])
    except BindingError as error:
        if "no key arguments" in error.message:
            return []
        raise
    assert isinstance(keys, list)
    return [key.decode() for key in keys if isinstance(key, bytes)]


async def test_keys_are_where_the_server_says(valkey: PrivateValkey) -> None:
    store = ValkeyStore(valkey.url)
    checked = 0
    for name in sorted(names() - NOT_KEYS - {"scan"}):
        rule = positions_of(name)
        assert rule is not None
        info: Any = await store.execute("", ["COMMAND", "INFO", name])
        if info[0] is None:
            continue  # a server older than the command
        arity = info[0][1]  # with the name; negative: at least so many
        count = arity - 1 if arity > 0 else max(-arity - 1, 4)
        sample = SAMPLES.get(name) or [f"K{number}" for number in range(1, count + 1)]
        mine = [sample[index] for index in rule.positions(sample)]
        assert mine == await keys_of(store, name, sample), name
        checked += 1
    await store.stop()
    assert checked > 120


@pytest.mark.parametrize("name", sorted(names() - {"scan"}))
def test_every_command_without_arguments_is_the_servers_to_judge(name: str) -> None:
    assert confine(name, [], "p:one:")[0] == []


arguments = st.lists(st.one_of(st.text(max_size=8), st.binary(max_size=8), st.integers(-3, 9).map(str)), max_size=8)


@given(st.sampled_from(sorted(names() - {"scan"})), arguments)
def test_confining_prefixes_keys_and_changes_nothing_else(name: str, args: list[str | bytes]) -> None:
    rule = positions_of(name)
    assert rule is not None
    before = list(args)
    try:
        confined, _ = confine(name, args, "p:one:")
    except Refused:
        return
    assert args == before
    keys = set(rule.positions(args))
    for index, (was, now) in enumerate(zip(args, confined, strict=True)):
        if index in keys:
            assert now == ("p:one:" + was if isinstance(was, str) else b"p:one:" + was)
        else:
            assert now == was


@given(arguments)
def test_scan_always_ends_in_a_pattern_of_the_project(args: list[str | bytes]) -> None:
    with contextlib.suppress(Refused):
        confined, _ = confine("scan", args, "p:one:")
        assert confined[-2] == "MATCH"
        pattern = confined[-1]
        assert pattern.startswith("p:one:") if isinstance(pattern, str) else pattern.startswith(b"p:one:")
        words = [part.upper() if isinstance(part, str) else part.upper().decode("latin-1") for part in confined[1::2]]
        assert words.count("MATCH") == 1
        assert set(words) <= {"MATCH", "COUNT", "TYPE"}
