"""The table of commands against the server's own, and the confinement of keys for any arguments."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.cache.commands import Kind, Write, confine, names, rule_of
from v8box.bindings.cache.options import Refused, sort_patterns
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError

CONFINED = names() - {"scan", "keys", "dbsize"}
NOT_KEYS = {"publish"}  # a channel, confined all the same
SAMPLES: dict[str, list[list[str]]] = {
    # commands whose arguments must make sense before the server tells their keys
    "zunion": [["2", "K1", "K2"]],
    "zinter": [["2", "K1", "K2", "WITHSCORES"]],
    "zdiff": [["1", "K1"]],
    "sintercard": [["2", "K1", "K2", "LIMIT", "1"]],
    "zintercard": [["2", "K1", "K2"]],
    "lmpop": [["2", "K1", "K2", "LEFT"]],
    "zmpop": [["2", "K1", "K2", "MIN"]],
    "blmpop": [["0", "2", "K1", "K2", "LEFT", "COUNT", "2"]],
    "bzmpop": [["0", "1", "K1", "MIN"]],
    "zunionstore": [["K1", "2", "K2", "K3"]],
    "zinterstore": [["K1", "1", "K2"]],
    "zdiffstore": [["K1", "2", "K2", "K3"]],
    "bitop": [["AND", "K1", "K2", "K3"]],
    "object": [["ENCODING", "K1"]],
    "memory": [["USAGE", "K1"]],
    "xgroup": [["CREATE", "K1", "g", "$"]],
    "xinfo": [["STREAM", "K1"]],
    "msetex": [["2", "K1", "v", "K2", "v", "EX", "5"]],
    "hgetdel": [["K1", "FIELDS", "1", "f"]],
    "eval": [["return 1", "2", "K1", "K2", "a"], ["return 1", "0"]],
    "eval_ro": [["return 1", "1", "K1", "a"]],
    "evalsha": [["abc", "2", "K1", "K2", "a"]],
    "evalsha_ro": [["abc", "1", "K1"]],
    "script": [["LOAD", "return 1"]],
    "xread": [["COUNT", "1", "BLOCK", "5", "STREAMS", "K1", "K2", "0", "0"], ["STREAMS", "K1", "0"]],
    "xreadgroup": [
        ["GROUP", "streams", "c", "COUNT", "1", "NOACK", "STREAMS", "K1", "K2", ">", ">"],
        ["GROUP", "g", "streams", "BLOCK", "1", "STREAMS", "streams", ">"],
    ],
    "sort": [["K1"], ["K1", "BY", "w_*", "LIMIT", "0", "5", "GET", "x_*", "GET", "#", "ALPHA", "STORE", "K2"]],
    "sort_ro": [["K1", "BY", "nosort", "DESC"]],
    "georadius": [["K1", "1", "1", "5", "m", "COUNT", "1", "ANY", "STORE", "K2", "STOREDIST", "K3"]],
    "georadiusbymember": [["K1", "m", "5", "m", "WITHDIST"], ["K1", "m", "5", "m", "ASC", "STORE", "K2"]],
    "georadius_ro": [["K1", "1", "1", "5", "m", "WITHCOORD", "DESC"]],
    "georadiusbymember_ro": [["K1", "m", "5", "m"]],
}


async def keys_of(store: ValkeyStore, name: str, sample: list[str]) -> Any:
    if not sample:
        return []
    try:
        keys = await store.execute_own(["COMMAND", "GETKEYS", name, *sample])
    except BindingError as error:
        if "no key arguments" in error.message:
            return []
        raise
    assert isinstance(keys, list)
    return [key.decode() for key in keys if isinstance(key, bytes)]


async def test_keys_are_where_the_server_says(server_url: str) -> None:
    store = ValkeyStore(server_url)
    checked = 0
    for name in sorted(names() - NOT_KEYS):
        rule = rule_of(name)
        assert rule is not None
        if rule.kind is Kind.OWN:
            continue
        info: Any = await store.execute_own(["COMMAND", "INFO", name])
        if info[0] is None:
            continue  # a server older than the command
        arity = info[0][1]  # with the name; negative: at least so many
        count = arity - 1 if arity > 0 else max(-arity - 1, 4)
        for sample in SAMPLES.get(name) or [[f"K{number}" for number in range(1, count + 1)]]:
            mine = [sample[index] for index in rule.positions(sample)]
            theirs = await keys_of(store, name, sample)
            # Redis names both destinations of a GEORADIUS with two, though it writes the last one only.
            assert set(theirs) <= set(mine) if name.startswith("georadius") else mine == theirs, name
            checked += 1
    await store.stop()
    assert checked > 140


async def test_writing_and_waiting_are_what_the_server_says(server_url: str) -> None:
    store = ValkeyStore(server_url)
    for name in sorted(names()):
        rule = rule_of(name)
        assert rule is not None
        info: Any = await store.execute_own(["COMMAND", "INFO", name])
        if info[0] is None or rule.kind is Kind.SCRIPT:
            continue
        flags = {flag.decode() for flag in info[0][2]}
        for sub in info[0][9] if len(info[0]) > 9 else []:
            flags |= {flag.decode() for flag in sub[2]} if name == "xgroup" else set()
        write = Write.GROW if "denyoom" in flags else Write.KEEP if "write" in flags else Write.NO
        assert rule.write is write, name
        assert (rule.kind is Kind.BLOCKING) == ("blocking" in flags and name not in ("xread", "xreadgroup")), name
        assert "admin" not in flags, name
    await store.stop()


@pytest.mark.parametrize("name", sorted(CONFINED))
def test_every_command_without_arguments_is_the_servers_to_judge(name: str) -> None:
    assert confine(name, [], "p:one:")[0] == []


arguments = st.lists(st.one_of(st.text(max_size=8), st.binary(max_size=8), st.integers(-3, 9).map(str)), max_size=8)


@given(st.sampled_from(sorted(CONFINED)), arguments)
def test_confining_prefixes_keys_and_changes_nothing_else(name: str, args: list[str | bytes]) -> None:
    rule = rule_of(name)
    assert rule is not None
    before = list(args)
    try:
        confined, _ = confine(name, args, "p:one:")
    except Refused:
        return
    assert args == before
    keys = set(rule.positions(args))
    if name in ("sort", "sort_ro"):
        keys |= set(sort_patterns(args))
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
