"""What every implementation of the `s3` binding does, as a worker's client sees it on the wire."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from tests.bindings.s3.conftest import Backend

from v8box.bindings.interface import BindingError, Call, Scope
from v8box.bindings.s3.binding import S3Binding

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
SCOPE = Scope("one", "worker", "version", "production", "run-1")


async def put(ask: Ask, s3: S3Binding, key: str, body: Any = b"x", **more: Any) -> Any:
    project = more.pop("project", "one")
    return (await ask(s3, "put", {"key": key, **more}, body=body, project=project))[0]


async def keys(ask: Ask, s3: S3Binding, **options: Any) -> list[str]:
    page, _ = await ask(s3, "list", options)
    return [entry["key"] for entry in page["objects"]]


async def refusal(work: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(BindingError) as caught:
        await work
    return caught.value.code


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_object_comes_back_as_it_was_put(
    backend: Backend, s3: S3Binding, ask: Ask, size: int, streamed: bool
) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    body = chunks(content[:1000], content[1000:]) if streamed else content
    stored = (await put(ask, s3, "k", body, http={"contentType": "a/b"}, custom={"n": "ü"}))["object"]
    assert (stored["size"], stored["etag"]) == (size, hashlib.md5(content).hexdigest())
    answer, got = await ask(s3, "get", {"key": "k"})
    assert got == content
    if not backend.exact_times:
        assert abs(answer["object"]["uploaded"] - stored["uploaded"]) < 5_000
        stored["uploaded"] = answer["object"]["uploaded"]
    assert answer == {"object": stored, "range": [0, size], "body": True}
    assert (stored["http"], stored["custom"]) == ({"contentType": "a/b"}, {"n": "ü"})
    assert (await ask(s3, "head", {"key": "k"}))[0] == {"object": stored}


@pytest.mark.parametrize(
    "key", ["..", "../../etc/passwd", "/", "//a//", "a/./b", ".", "ü/😀", "a\x00b", "\n", "%2e", "k" * 1024, "A", "a"]
)
async def test_any_key_is_just_a_key(backend: Backend, s3: S3Binding, ask: Ask, key: str) -> None:
    if not backend.takes(key):
        pytest.skip("a key that this server is known to refuse")
    await put(ask, s3, "other", b"other")
    await put(ask, s3, key, key.encode())
    assert (await ask(s3, "get", {"key": key}))[1] == key.encode()
    assert sorted(await keys(ask, s3)) == sorted(["other", key])
    await ask(s3, "delete", {"keys": [key]})
    assert await keys(ask, s3) == ["other"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), data=st.data())
@example(key="\ufffe\uffff\x7f\x85\u2028", data=None)
@example(key="%2F%00 +?#&=;:@$,<>\"'{}|\\^[]`~", data=None)
async def test_a_key_of_any_characters(
    backend: Backend, s3: S3Binding, ask: Ask, key: str, data: st.DataObject | None
) -> None:
    # Not beside the copy: its listings would find both, and to some servers a key is a path.
    assume(backend.takes(key) and not "copy".startswith(key) and not key.startswith("copy"))
    await put(ask, s3, key, b"x", custom={"n": "v"})
    assert (await ask(s3, "get", {"key": key}))[1] == b"x"
    assert await keys(ask, s3, prefix=key) == [key]
    copied = (await ask(s3, "copy", {"source": key, "target": "copy"}))[0]["object"]
    assert copied["custom"]["n"] == "v"
    others = ["none"] if data is not None and data.draw(st.booleans()) else []
    await ask(s3, "delete", {"keys": [key, *others]})
    assert await keys(ask, s3) == ["copy"]


@pytest.mark.parametrize("key", ["", "k" * 1025, "ü" * 513])
async def test_a_key_too_long_or_empty_is_refused(s3: S3Binding, ask: Ask, key: str) -> None:
    assert await refusal(put(ask, s3, key)) == "invalid_key"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"offset": 0, "length": 4}, b"0123"),
        ({"offset": 8}, b"89"),
        ({"offset": 8, "length": 100}, b"89"),
        ({"length": 2}, b"01"),
        ({"suffix": 3}, b"789"),
        ({"suffix": 100}, b"0123456789"),
        ({"offset": 3, "length": 0}, b""),
        ({"offset": 10}, None),
        ({"offset": -1}, None),
        ({"offset": 0, "length": -1}, None),
        ({"suffix": 0}, None),
    ],
)
async def test_ranges(s3: S3Binding, ask: Ask, part: dict[str, int], expected: bytes | None) -> None:
    await put(ask, s3, "k", b"0123456789")
    if expected is None:
        assert await refusal(ask(s3, "get", {"key": "k", "range": part})) == "invalid_range"
    else:
        assert (await ask(s3, "get", {"key": "k", "range": part}))[1] == expected


async def test_a_range_of_a_large_object_is_streamed(s3: S3Binding, ask: Ask) -> None:
    content = bytes(range(256)) * 4096
    await put(ask, s3, "k", content)
    _, got = await ask(s3, "get", {"key": "k", "range": {"offset": 100_001, "length": 500_000}})
    assert got == content[100_001:600_001]


async def test_conditions(s3: S3Binding, ask: Ask) -> None:
    etag = (await put(ask, s3, "k", b"1"))["object"]["etag"]
    now = (await ask(s3, "head", {"key": "k"}))[0]["object"]["uploaded"]
    holds: list[tuple[dict[str, Any], bool]] = [
        ({"match": [etag]}, True),
        ({"match": ["*"]}, True),
        ({"match": ["x"]}, False),
        ({"none_match": ["x"]}, True),
        ({"none_match": [etag]}, False),
        ({"none_match": ["*"]}, False),
        ({"before": now}, False),
        ({"before": now + 1}, True),
        ({"after": now}, False),
        ({"after": now - 1}, True),
        ({"match": [etag], "after": now}, False),
    ]
    for condition, expected in holds:
        answer, body = await ask(s3, "get", {"key": "k", "only_if": condition})
        assert ("body" in answer, body) == ((True, b"1") if expected else (False, None)), condition
        put_again = await put(ask, s3, "copy", b"new", only_if={"match": ["x"]})
        assert put_again is None
    assert await put(ask, s3, "k", b"2", only_if={"none_match": ["*"]}) is None
    assert await put(ask, s3, "k", b"2", only_if={"match": [etag]}) is not None
    assert await put(ask, s3, "k", b"3", only_if={"match": [etag]}) is None
    assert await put(ask, s3, "new", b"1", only_if={"none_match": ["*"]}) is not None
    assert (await ask(s3, "get", {"key": "k"}))[1] == b"2"


async def test_one_of_many_conditional_puts_wins(s3: S3Binding, ask: Ask) -> None:
    outcomes = await asyncio.gather(
        *(put(ask, s3, "k", f"{number}".encode(), only_if={"none_match": ["*"]}) for number in range(20))
    )
    (winner,) = [number for number, outcome in enumerate(outcomes) if outcome is not None]
    assert (await ask(s3, "get", {"key": "k"}))[1] == f"{winner}".encode()


@pytest.mark.parametrize("size", [1_000, 9_000_000])
async def test_a_condition_must_hold_when_the_body_has_come(s3: S3Binding, ask: Ask, size: int) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield bytes(size)
        assert await put(ask, s3, "k", b"meanwhile", only_if={"none_match": ["*"]}) is not None
        yield b"the end"

    assert await put(ask, s3, "k", body(), only_if={"none_match": ["*"]}) is None
    assert (await ask(s3, "get", {"key": "k"}))[1] == b"meanwhile"


async def test_digests_are_checked(s3: S3Binding, ask: Ask) -> None:
    for algorithm in ("md5", "sha1", "sha256", "sha384", "sha512"):
        digest = hashlib.new(algorithm, b"x").hexdigest()
        await put(ask, s3, "k", b"x", digests={algorithm: digest.upper()})
        assert await refusal(put(ask, s3, "k", b"y", digests={algorithm: digest})) == "bad_digest"
        assert await refusal(put(ask, s3, "k", b"y", digests={algorithm: "ff"})) == "invalid_argument"
    assert await refusal(put(ask, s3, "k", b"y", digests={"crc32": "ff"})) == "invalid_argument"
    assert (await ask(s3, "get", {"key": "k"}))[1] == b"x"


async def test_an_object_has_a_largest_size(s3: S3Binding, ask: Ask) -> None:
    assert await refusal(put(ask, s3, "k", bytes(12_000_001))) == "object_too_large"
    assert await refusal(put(ask, s3, "k", chunks(*[bytes(100_000)] * 121))) == "object_too_large"
    assert (await ask(s3, "head", {"key": "k"}))[0] is None
    await put(ask, s3, "k", chunks(*[bytes(100_000)] * 120))
    assert (await ask(s3, "head", {"key": "k"}))[0]["object"]["size"] == 12_000_000
    assert await refusal(put(ask, s3, "k", custom={"n": "x" * 8200})) == "metadata_too_large"


async def test_copy_and_delete(s3: S3Binding, ask: Ask) -> None:
    await put(ask, s3, "a", b"1", custom={"n": "v"})
    copied = (await ask(s3, "copy", {"source": "a", "target": "b"}))[0]["object"]
    assert (copied["key"], copied["custom"]) == ("b", {"n": "v"})
    await ask(s3, "copy", {"source": "a", "target": "a"})
    await ask(s3, "delete", {"keys": ["a", "none"]})
    assert (await ask(s3, "get", {"key": "b"}))[1] == b"1"
    assert await refusal(ask(s3, "copy", {"source": "a", "target": "c"})) == "no_such_key"
    assert await ask(s3, "get", {"key": "a"}) == (None, None)
    assert await refusal(ask(s3, "delete", {"keys": ["k"] * 1001})) == "invalid_argument"


async def test_projects_do_not_see_each_other(s3: S3Binding, ask: Ask) -> None:
    await put(ask, s3, "k", b"same content")
    await put(ask, s3, "k", b"same content", project="two")
    await ask(s3, "delete", {"keys": ["k"]}, project="two")
    assert (await ask(s3, "get", {"key": "k"}))[1] == b"same content"
    assert (await ask(s3, "head", {"key": "k"}, project="two"))[0] is None
    assert (await ask(s3, "list", {}, project="two"))[0]["objects"] == []
    assert await refusal(ask(s3, "head", {"key": "k", "bucket": "other"})) == "bucket_not_granted"
    assert await refusal(ask(s3, "head", {"key": "k", "bucket": "../x"})) == "invalid_argument"


async def test_wrong_calls_are_refused(s3: S3Binding, ask: Ask) -> None:
    wrong: list[tuple[str, Any]] = [
        ("get", None),
        ("get", {"key": 1}),
        ("get", {"key": "k", "range": {"from": 1}}),
        ("put", {"key": "k", "http": {"nonsense": "x"}}),
        ("put", {"key": "k", "custom": {"n": 1}}),
        ("list", {"limit": 0}),
        ("list", {"cursor": "?"}),
    ]
    for operation, args in wrong:
        assert await refusal(ask(s3, operation, args)) == "invalid_argument", (operation, args)
    assert await refusal(ask(s3, "chmod", {})) == "unknown_operation"


async def test_a_put_whose_source_fails_leaves_nothing(s3: S3Binding, ask: Ask) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(300_000)
        raise ConnectionResetError("the worker died")

    await put(ask, s3, "k", b"before")
    with pytest.raises(ConnectionResetError):
        await put(ask, s3, "k", failing())
    assert (await ask(s3, "get", {"key": "k"}))[1] == b"before"


async def test_a_reader_keeps_what_is_deleted_meanwhile(s3: S3Binding, ask: Ask) -> None:
    content = bytes(range(256)) * 4096
    await put(ask, s3, "k", content)
    answer = await s3.call(Call(SCOPE, "get", {"key": "k"}))
    await ask(s3, "delete", {"keys": ["k"]})
    assert not isinstance(answer.body, bytes | None)
    assert b"".join([chunk async for chunk in answer.body]) == content


async def test_a_body_may_be_left_unread(s3: S3Binding, ask: Ask) -> None:
    await put(ask, s3, "k", bytes(1_000_000))
    answer = await s3.call(Call(SCOPE, "get", {"key": "k"}))
    body: Any = answer.body
    assert 0 < len(await anext(body)) <= 262_144
    await body.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(body)


names = st.text(st.sampled_from("ab/é\U0001f600"), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(names, max_size=12),
    st.text(st.sampled_from("ab/é"), max_size=2),
    st.sampled_from(["", "/", "a/"]),
    st.data(),
)
async def test_listing_is_that_of_a_model(
    backend: Backend, s3: S3Binding, ask: Ask, present: set[str], prefix: str, delimiter: str, data: st.DataObject
) -> None:
    if not backend.listing:
        pytest.skip("a server that cannot have all of these keys")
    await ask(s3, "delete", {"keys": sorted(names for names in await keys(ask, s3))})
    for key in present:
        await put(ask, s3, key)
    start_after = data.draw(st.sampled_from(["", *sorted(present)]))
    limit = data.draw(st.integers(1, 5))
    expected_objects, expected_prefixes = [], []
    for key in sorted(present, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= start_after.encode():
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            expected_objects.append(key)
        elif (common := key[: cut + len(delimiter)]) not in expected_prefixes:
            if common != start_after or backend.starts_after_prefixes:
                expected_prefixes.append(common)
    found_objects: list[str] = []
    found_prefixes: list[str] = []
    cursor = ""
    while True:
        options = {"prefix": prefix, "delimiter": delimiter, "start_after": start_after, "limit": limit}
        page, _ = await ask(s3, "list", {**options, "cursor": cursor})
        assert 0 < len(page["objects"]) + len(page["prefixes"]) <= limit or page["cursor"] is None
        found_objects += [entry["key"] for entry in page["objects"]]
        found_prefixes += page["prefixes"]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found_objects == expected_objects
    assert found_prefixes == expected_prefixes


async def test_it_is_healthy(s3: S3Binding) -> None:
    await s3.health()
    assert not s3.keeps(SCOPE)
    await s3.end_run(SCOPE)
