"""What a shared cache may keep and use (RFC 9111, 9213, 5861), as tables of what is said and what becomes of it."""

from __future__ import annotations

import email
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.cache.conftest import Kept, MakeKept, said

from v8box.catalog.policies import NO_CACHE

FRESH = "max-age=60"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *((status, {"cache_control": FRESH}) for status in (200, 203, 300, 301, 308, 404, 405, 410, 414, 501)),
        (200, {"cache_control": "s-maxage=60"}),
        (200, {"cache_control": "max-age=0, s-maxage=60"}),
        (200, {"cache_control": "public, MAX-AGE=60"}),
        (200, {"cache_control": 'max-age="60"'}),
        (200, {"cache_control": "foo=\"no-store, private\", max-age=60"}),
        (200, {"expires": "Fri, 01 Jan 2049 00:00:00 GMT"}),
        (200, {"date": "Fri, 01 Jan 2049 00:00:00 GMT", "expires": "Fri, 01 Jan 2049 00:01:00 GMT"}),
        (200, {"cache_control": "no-store", "cdn_cache_control": FRESH}),
        (200, {"cache_control": "private", "cdn_cache_control": "no-store", "v8box_cdn_cache_control": FRESH}),
        (200, {"cache_control": FRESH, "age": "59"}),
        (200, {"cache_control": FRESH, "vary": "accept-language"}),
    ],
)  # fmt: skip
async def test_kept(kept: Kept, status: int, headers: dict[str, str]) -> None:
    kept.says(b"one", status, **headers)
    first = await kept.get()
    kept.says(b"two", status, **headers)
    second = await kept.get()
    assert (first.status, first.body, second.status, second.body) == (status, b"one", status, b"one")
    assert said(first) == "v8box; fwd=miss; stored"
    assert said(second).startswith("v8box; hit; ttl=")
    assert kept.runs == 1
    for client in (first, second):
        assert {"cdn-cache-control", "v8box-cdn-cache-control"}.isdisjoint(client.headers)
    assert client.headers.get("cache-control") == headers.get("cache_control")


@pytest.mark.parametrize(
    ("status", "headers", "detail"),
    [
        (200, {}, "no-ttl"),
        (302, {"cache_control": FRESH}, "status"),
        (500, {"cache_control": FRESH}, "status"),
        (206, {"cache_control": FRESH}, "status"),
        (200, {"cache_control": "no-store, max-age=60"}, "no-store"),
        (200, {"cache_control": "private, max-age=60"}, "private"),
        (200, {"cache_control": 'private="x", max-age=60'}, "private"),
        (200, {"cache_control": FRESH, "set_cookie": "a=b"}, "set-cookie"),
        (200, {"cache_control": FRESH, "vary": "*"}, "vary"),
        (200, {"cache_control": FRESH, "vary": "a, *"}, "vary"),
        (200, {"cache_control": FRESH, "vary": ",".join(f"x-{n}" for n in range(9))}, "vary"),
        (200, {"cache_control": "max-age=0"}, "no-ttl"),
        (200, {"cache_control": "max-age=x"}, "no-ttl"),
        (200, {"cache_control": "max-age=-5"}, "no-ttl"),
        (200, {"cache_control": "max-age=60, max-age=61"}, "no-ttl"),
        (200, {"cache_control": FRESH, "age": "60"}, "no-ttl"),
        (200, {"expires": "0"}, "no-ttl"),
        (200, {"expires": "Fri, 01 Jan 1999 00:00:00 GMT"}, "no-ttl"),
        (200, {"cache_control": FRESH, "cdn_cache_control": "no-store"}, "no-store"),
        (200, {"cdn_cache_control": "max-age=60", "v8box_cdn_cache_control": "private"}, "private"),
        (200, {"expires": "Fri, 01 Jan 2049 00:00:00 GMT", "cdn_cache_control": "public"}, "no-ttl"),
    ],
)
async def test_not_kept(kept: Kept, status: int, headers: dict[str, str], detail: str) -> None:
    kept.says(b"one", status, **headers)
    first = await kept.get()
    kept.says(b"two", status, **headers)
    second = await kept.get()
    assert (first.body, second.body) == (b"one", b"two")
    assert said(first) == f"v8box; fwd=miss; detail={detail}"
    assert said(second) == "v8box; fwd=miss; detail=hit-for-miss"
    assert kept.runs == 2


async def test_an_empty_answer_is_kept(kept: Kept) -> None:
    kept.says(b"", 204, cache_control=FRESH)
    assert [(await kept.get()).status for _ in range(2)] == [204, 204]
    assert kept.runs == 1


async def test_age_and_the_end_of_freshness(kept: Kept) -> None:
    kept.says(cache_control=FRESH, age="10")
    assert (await kept.get()).headers["age"] == "10"
    await kept.clock.advance(20)
    hit = await kept.get()
    assert (hit.headers["age"], said(hit)) == ("30", "v8box; hit; ttl=30")
    await kept.clock.advance(30)
    kept.says(b"two", cache_control=FRESH)
    assert (await kept.get()).body == b"two"


async def test_a_default_ttl_is_for_answers_that_say_nothing(make_kept: MakeKept) -> None:
    kept = make_kept("default_ttl_seconds = 30")
    kept.says(b"one")
    await kept.get()
    assert said(await kept.get()) == "v8box; hit; ttl=30"
    kept.says(b"one", cache_control="no-store")
    await kept.get("/other")
    assert said(await kept.get("/other")).startswith("v8box; fwd=miss")


async def test_nothing_is_kept_of_a_worker_that_does_not_ask_for_it(make_kept: MakeKept) -> None:
    kept = make_kept()
    version = kept.world.version
    kept.world.version = replace(version, manifest=replace(version.manifest, cache=NO_CACHE))
    kept.says(cache_control=FRESH)
    answers = [await kept.get() for _ in range(2)]
    assert kept.runs == 2
    assert "cache-status" not in answers[1].headers


# ---- validation


async def test_a_stale_answer_is_asked_about(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH, etag='"a"', x_version="1")
    await kept.get()
    await kept.clock.advance(61)
    kept.says(b"two", cache_control="max-age=30", etag='"a"', x_version="2")
    again = await kept.get()
    assert (again.status, again.body) == (200, b"one")
    assert said(again) == "v8box; fwd=stale; fwd-status=304; stored"
    assert again.headers["x-version"] == "2"
    assert dict(kept.world.seen[1].headers)["if-none-match"] == '"a"'
    assert said(await kept.get()) == "v8box; hit; ttl=30"
    await kept.clock.advance(31)
    kept.says(b"three", cache_control=FRESH, etag='"b"')
    assert ((changed := await kept.get()).body, said(changed)) == (
        b"three",
        "v8box; fwd=stale; fwd-status=200; stored",
    )


@pytest.mark.parametrize("control", ["no-cache", "max-age=0, must-revalidate", "no-cache=x, max-age=60"])
async def test_what_must_be_asked_about_is_asked_about_each_time(kept: Kept, control: str) -> None:
    kept.says(cache_control=control, etag='"a"')
    answers = [await kept.get() for _ in range(3)]
    assert [answer.body for answer in answers] == [b"one"] * 3
    assert said(answers[2]) == "v8box; fwd=stale; fwd-status=304; stored"
    assert kept.runs == 3


async def test_a_stale_answer_that_is_not_to_be_kept_any_more_is_gone(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=10, stale-if-error=600", etag='"a"')
    await kept.get()
    await kept.clock.advance(11)
    kept.says(b"two", cache_control="no-store")
    assert (await kept.get()).body == b"two"
    kept.fails()
    assert (await kept.get()).status == 500


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"if_none_match": '"a"'}, 304, b""),
        ({"if_none_match": 'W/"a", "x"'}, 304, b""),
        ({"if_none_match": "*"}, 304, b""),
        ({"if_none_match": '"b"'}, 200, b"0123456789"),
        ({"if_modified_since": "Thu, 01 Jan 2026 00:00:00 GMT"}, 304, b""),
        ({"if_modified_since": "Thu, 01 Jan 2020 00:00:00 GMT"}, 200, b"0123456789"),
        ({"if_none_match": '"b"', "if_modified_since": "Thu, 01 Jan 2026 00:00:00 GMT"}, 200, b"0123456789"),
        ({"range": "bytes=2-4"}, 206, b"234"),
        ({"range": "bytes=-2"}, 206, b"89"),
        ({"range": "bytes=20-"}, 416, b""),
        ({"range": "bytes=0-8,1-9" + ",0-9" * 110}, 200, b"0123456789"),
        ({"range": "lines=1-2"}, 200, b"0123456789"),
        ({"range": "bytes=2-4", "if_range": '"a"'}, 206, b"234"),
        ({"range": "bytes=2-4", "if_range": '"b"'}, 200, b"0123456789"),
    ],
)
async def test_conditions_of_clients_are_answered_from_what_is_kept(
    kept: Kept, headers: dict[str, str], status: int, body: bytes
) -> None:
    kept.says(
        b"0123456789",
        cache_control=FRESH,
        etag='"a"',
        last_modified="Wed, 01 Jan 2025 00:00:00 GMT",
        content_type="text/plain",
    )
    await kept.get()
    client = await kept.get(headers=headers)
    assert (client.status, client.body) == (status, body)
    assert kept.runs == 1
    if status == 304:
        assert {"content-type", "content-length"}.isdisjoint(client.headers)
        assert client.headers["etag"] == '"a"'
    else:
        assert client.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("kind", ["text/plain", None])
async def test_several_ranges_of_what_is_kept_are_one_answer(kept: Kept, kind: str | None) -> None:
    said_type: dict[str, Any] = {} if kind is None else {"content_type": kind}
    kept.says(b"0123456789", cache_control=FRESH, **said_type)
    await kept.get()
    client = await kept.get(headers={"range": "bytes=0-1, 3-4, -2, 50-"})
    assert (client.status, kept.runs) == (206, 1)
    assert "content-range" not in client.headers
    assert client.headers["content-length"] == str(len(client.body))
    message = email.message_from_bytes(
        b"content-type: " + client.headers["content-type"].encode() + b"\r\n\r\n" + client.body
    )
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_payload() for part in parts] == ["01", "34", "89"]
    assert [part["content-range"] for part in parts] == ["bytes 0-1/10", "bytes 3-4/10", "bytes 8-9/10"]
    assert [part["content-type"] for part in parts] == [kind] * 3


async def test_the_worker_is_not_asked_with_a_clients_conditions(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH, etag='"a"')
    client = await kept.get(headers={"if_none_match": '"a"'})
    assert client.status == 304
    assert "if-none-match" not in dict(kept.world.seen[0].headers)
    assert (await kept.get()).body == b"one"


async def test_a_range_of_what_is_not_kept_is_the_workers(kept: Kept) -> None:
    kept.says(b"part", 206, cache_control=FRESH, content_range="bytes 0-3/9")
    client = await kept.get(headers={"range": "bytes=0-3"})
    assert (client.status, said(client)) == (206, "v8box; fwd=bypass; detail=range")
    assert dict(kept.world.seen[0].headers)["range"] == "bytes=0-3"


# ---- what requests ask for


async def test_head_is_answered_from_a_get(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH)
    asked = await kept.get(method="HEAD")
    assert said(asked) == "v8box; fwd=miss"
    await kept.get()
    head = await kept.get(method="HEAD")
    assert (head.body, head.headers["content-length"], said(head)) == (b"", "3", "v8box; hit; ttl=60")


@pytest.mark.parametrize(
    "headers", [{"cache_control": "no-cache"}, {"cache_control": "max-age=0"}, {"pragma": "no-cache"}]
)
async def test_nobody_can_force_load_unless_allowed(make_kept: MakeKept, headers: dict[str, str]) -> None:
    kept = make_kept()
    kept.says(cache_control=FRESH)
    await kept.get()
    assert said(await kept.get(headers=headers)) == "v8box; hit; ttl=60"
    allowed = make_kept("client_may_revalidate = true")
    allowed.says(cache_control=FRESH)
    await allowed.get()
    assert said(await allowed.get(headers=headers)) == "v8box; fwd=stale; fwd-status=200; stored"


async def test_only_if_cached(kept: Kept) -> None:
    kept.says(cache_control=FRESH)
    only = {"cache_control": "only-if-cached"}
    refused = await kept.get(headers=only)
    assert (refused.status, kept.runs) == (504, 0)
    assert said(refused) == "v8box; fwd=bypass; detail=only-if-cached"
    await kept.get()
    assert (await kept.get(headers=only)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_through_the_address_forgets_what_is_kept(kept: Kept, method: str) -> None:
    kept.says(b"one", cache_control=FRESH, vary="accept-language")
    await kept.get("/a")
    await kept.get("/b")
    changed = await kept.get("/a", method=method)
    assert said(changed) == "v8box; fwd=method"
    kept.says(b"two", cache_control=FRESH)
    assert ((await kept.get("/a")).body, (await kept.get("/b")).body) == (b"two", b"one")


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("POST", 400), ("POST", 500)])
async def test_what_changes_nothing_forgets_nothing(kept: Kept, method: str, status: int) -> None:
    kept.says(b"one", cache_control=FRESH)
    await kept.get()
    kept.says(b"two", status)
    await kept.get(method=method)
    assert (await kept.get()).body == b"one"


CREDENTIALS: list[dict[str, str]] = [{"authorization": "Bearer x"}, {"x_api_key": "x"}]


@pytest.mark.parametrize("headers", CREDENTIALS)
async def test_answers_to_credentials_are_not_kept(kept: Kept, headers: dict[str, str]) -> None:
    kept.says(b"mine", cache_control=FRESH)
    assert said(await kept.get(headers=headers)) == "v8box; fwd=miss; detail=authorization"
    kept.says(b"all", cache_control=FRESH)
    assert (await kept.get()).body == b"all"
    kept.says(b"mine", cache_control=FRESH)
    with_key = await kept.get(headers=headers)
    assert (with_key.body, said(with_key)) == (b"mine", "v8box; fwd=bypass; detail=authorization")
    assert (await kept.get()).body == b"all"


@pytest.mark.parametrize("headers", CREDENTIALS)
@pytest.mark.parametrize("control", ["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"])
async def test_unless_they_are_for_everybody(kept: Kept, headers: dict[str, str], control: str) -> None:
    kept.says(b"all", cache_control=control)
    await kept.get(headers=headers)
    assert said(await kept.get()).startswith("v8box; hit")
    assert said(await kept.get(headers=headers)).startswith("v8box; hit")


# ---- stale answers


async def test_stale_while_revalidate(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=10, stale-while-revalidate=30")
    await kept.get()
    await kept.clock.advance(15)
    kept.says(b"two", cache_control="max-age=10, stale-while-revalidate=30")
    stale = await kept.get()
    assert (stale.body, said(stale)) == (b"one", "v8box; hit; ttl=-5; detail=stale-while-revalidate")
    assert kept.runs == 2
    fresh = await kept.get()
    assert (fresh.body, said(fresh)) == (b"two", "v8box; hit; ttl=10")
    await kept.clock.advance(41)
    kept.says(b"three")
    assert (await kept.get()).body == b"three"


async def test_one_refresh_at_a_time_and_a_pause_after_one_that_failed(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=10, stale-while-revalidate=300")
    await kept.get()
    await kept.clock.advance(15)
    kept.fails()
    assert [(await kept.get()).body for _ in range(5)] == [b"one"] * 5
    assert kept.runs == 2
    await kept.clock.advance(6)
    await kept.get()
    assert kept.runs == 3


STALE_IF_ERROR = "max-age=10, stale-if-error=60"


@pytest.mark.parametrize("failure", ["throws", 500, 502, 503, 504])
async def test_stale_if_error(kept: Kept, failure: Any) -> None:
    kept.says(b"one", cache_control=STALE_IF_ERROR)
    await kept.get()
    await kept.clock.advance(15)
    if failure == "throws":
        kept.fails()
    else:
        kept.says(b"bad", failure)
    stale = await kept.get()
    assert (stale.status, stale.body) == (200, b"one")
    status = "" if failure == "throws" else f"; fwd-status={failure}"
    assert said(stale) == f"v8box; fwd=stale{status}; ttl=-5; detail=stale-if-error"
    await kept.clock.advance(60)
    assert (await kept.get()).status >= 500


@pytest.mark.parametrize("more", ["must-revalidate", "proxy-revalidate", "no-cache"])
async def test_what_must_be_asked_about_is_never_stale(kept: Kept, more: str) -> None:
    kept.says(b"one", cache_control=f"{STALE_IF_ERROR}, stale-while-revalidate=60, {more}", etag='"a"')
    await kept.get()
    await kept.clock.advance(15)
    kept.fails()
    assert (await kept.get()).status == 500


async def test_an_error_of_the_callers_is_not_hidden(kept: Kept) -> None:
    kept.says(b"one", cache_control=STALE_IF_ERROR)
    await kept.get()
    await kept.clock.advance(15)
    kept.fails(403)
    assert (await kept.get()).status == 403
    kept.says(b"gone", 404)
    assert (await kept.get()).status == 404


async def test_an_answer_for_errors_only(kept: Kept) -> None:
    kept.says(b"one", cache_control="max-age=0, stale-if-error=60")
    await kept.get()
    kept.says(b"two", cache_control="max-age=0, stale-if-error=60")
    assert ((again := await kept.get()).body, said(again)) == (b"two", "v8box; fwd=stale; fwd-status=200; stored")
    kept.fails(503)
    assert [(await kept.get()).body for _ in range(2)] == [b"two"] * 2
