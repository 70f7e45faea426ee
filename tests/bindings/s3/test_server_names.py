"""How projects' buckets and R2's metadata are written on an S3 server: no two buckets meet, and values come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from v8box.bindings.interface import BindingError
from v8box.bindings.s3 import server_metadata as metadata
from v8box.bindings.s3.interface import BucketId
from v8box.bindings.s3.server_names import BucketNames

RESERVED = frozenset({"v8box", "sites", "a.b", "shop.main"})
NAMES = BucketNames("default", RESERVED)

buckets = st.text("ab.-", min_size=1, max_size=8).map(lambda middle: f"a{middle}b")
projects = st.one_of(st.just("default"), st.text("ab-.", min_size=1, max_size=6))


def on_server(bucket: BucketId) -> str | None:
    try:
        return NAMES.on_server(bucket)
    except BindingError as error:
        return None if error.code == "invalid_bucket" else error.code


@given(st.lists(st.tuples(projects, st.one_of(buckets, st.sampled_from(sorted(RESERVED)))), max_size=20, unique=True))
@example([("default", "a.b"), ("a", "b")])
@example([("default", "shop.main"), ("shop", "main")])
def test_no_two_buckets_have_one_name(given: list[tuple[str, str]]) -> None:
    seen: dict[str, BucketId] = {}
    for project, name in given:
        bucket = BucketId(project, name)
        real = on_server(bucket)
        if real is None:
            continue
        assert real not in seen, (bucket, seen[real])
        seen[real] = bucket
        for other in {each for each, _ in given}:
            assert NAMES.of_project(other, real) == (name if other == project else None)


@pytest.mark.parametrize(
    ("project", "name", "real"),
    [
        ("default", "v8box", "v8box"),
        ("default", "a.b", "a.b"),
        ("default", "c.d", None),
        ("shop", "v8box", "shop.v8box"),
        ("shop", "c.d", "shop.c.d"),
        ("shop", "main", None),
        ("Shop", "c", None),
        ("s.hop", "c", None),
        ("-", "c", None),
        ("shop", "c" * 58, "shop." + "c" * 58),
        ("shop", "c" * 59, None),
    ],
)
def test_names_on_the_server(project: str, name: str, real: str | None) -> None:
    assert on_server(BucketId(project, name)) == real


values = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.dictionaries(st.from_regex(r"[a-z0-9_.-]{1,12}", fullmatch=True), values, max_size=4))
@example({"a": "=?UTF-8?B?eA==?="})
@example({"a": " x "})
@example({"a": ""})
@example({"a": "=?utf-8?q?x?= y"})
def test_custom_metadata_comes_back(custom: dict[str, str]) -> None:
    arguments = metadata.to_arguments({}, custom)
    for value in arguments["Metadata"].values():
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()
        assert value
    assert metadata.from_answer("k", arguments).custom == custom


@given(st.text(max_size=40))
def test_what_others_wrote_is_read_without_a_fault(value: str) -> None:
    for text in (value, f"=?{value}?=", f"=?x?b?{value}?=", f"=?utf-8?q?{value}?="):
        info = metadata.from_answer("k", {"Metadata": {"N": text}, "Expires": text, "ETag": text})
        assert set(info.custom) == {"n"}


def test_http_metadata_comes_back() -> None:
    http = {
        "contentType": "text/html; charset=utf-8",
        "contentLanguage": "de",
        "contentDisposition": 'attachment; filename="a b"',
        "contentEncoding": "gzip",
        "cacheControl": "no-store",
        "cacheExpiry": "1795487156000",
    }
    arguments: dict[str, Any] = metadata.to_arguments(http, {})
    assert metadata.from_answer("k", arguments).http == http
    assert metadata.from_answer("k", metadata.to_arguments({}, {})).http == {}


@pytest.mark.parametrize(
    ("http", "custom"),
    [
        ({"contentType": "a\r\nx-evil: 1"}, {}),
        ({"cacheControl": "ü"}, {}),
        ({"contentLanguage": ""}, {}),
        ({"cacheExpiry": "9" * 40}, {}),
        ({"cacheExpiry": "-1"}, {}),
        ({}, {"a b": "x"}),
        ({}, {"ü": "x"}),
        ({}, {"": "x"}),
        ({}, {"a\nb": "x"}),
        ({}, {"Name": "x", "name": "y"}),
    ],
)
def test_what_no_header_can_say_is_refused(http: dict[str, str], custom: dict[str, str]) -> None:
    with pytest.raises(BindingError) as refused:
        metadata.to_arguments(http, custom)
    assert refused.value.code == "invalid_argument"
