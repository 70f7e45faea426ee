"""Who shares answers with whom, what a client can put into what others get, and where the cache stands in the order."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.cache.conftest import Kept, MakeKept, said

from v8box.gateway.cache.store import MAX_VARIANTS
from v8box.gateway.policies.keyring import PREFIX, ApiKey
from v8box.kit.bearers import hash_secret, make_secret

FRESH = "max-age=60"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"host": "api.localhost"}, {"host": "localhost:8000"}),
        ({"host": "localhost:8000"}, {"host": "localhost:8001"}),
        ({"path": "/a"}, {"path": "/A"}),
        ({"path": "/a"}, {"path": "/a/"}),
        ({"path": "/a%2Fb"}, {"path": "/a/b"}),
        ({"query": "a=1"}, {"query": "a=2"}),
        ({"query": "a=1"}, {}),
        ({"query": "a=1&a=2"}, {"query": "a=2&a=1"}),
    ],
)
async def test_what_does_not_share_answers(kept: Kept, one: dict[str, str], other: dict[str, str]) -> None:
    kept.says(b"one", cache_control=FRESH)
    await kept.get(**one)
    kept.says(b"two", cache_control=FRESH)
    assert ((await kept.get(**one)).body, (await kept.get(**other)).body) == (b"one", b"two")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"host": "API.localhost"}, {"host": "api.localhost"}),
        ({"query": "b=1&a=1"}, {"query": "a=1&b=1"}),
        ({"query": "%61=1"}, {"query": "a=1"}),
        ({"headers": {"cookie": "a=1"}}, {"headers": {"cookie": "a=2"}}),
        (
            {"peer": "10.0.0.1", "headers": {"x_forwarded_proto": "https"}},
            {"peer": "10.0.0.1", "headers": {"x_forwarded_proto": "http"}},
        ),
    ],
)
async def test_what_shares_answers(kept: Kept, one: dict[str, Any], other: dict[str, Any]) -> None:
    kept.says(b"one", cache_control=FRESH)
    await kept.get(**one)
    assert said(await kept.get(**other)) == "v8box; hit; ttl=60"


async def test_parameters_that_do_not_count_do_not_reach_the_worker(make_kept: MakeKept) -> None:
    kept = make_kept('ignore_query = ["utm_*"]')
    kept.says(b"one", cache_control=FRESH)
    await kept.get(query="b=1&utm_source=<script>&a=2")
    assert kept.world.seen[0].url == "http://localhost:8000/?b=1&a=2"
    assert said(await kept.get(query="a=2&b=1&utm_medium=x")) == "v8box; hit; ttl=60"
    await kept.get(query="a=2&utm_source=1", method="POST")
    assert kept.world.seen[1].url.endswith("?a=2&utm_source=1")


async def test_only_some_parameters_count(make_kept: MakeKept) -> None:
    kept = make_kept('vary_by_query = ["page"]')
    kept.says(b"one", cache_control=FRESH)
    await kept.get(query="page=1&x=1")
    assert said(await kept.get(query="y=2&page=1")) == "v8box; hit; ttl=60"
    assert said(await kept.get(query="page=2")) == "v8box; fwd=miss; stored"


async def test_too_many_parameters(kept: Kept) -> None:
    kept.says(cache_control=FRESH)
    assert said(await kept.get(query="&".join("a" * 300))) == "v8box; fwd=bypass; detail=query"


@pytest.mark.parametrize(
    ("cookie", "passes"),
    [("session=1", True), ("a=1; session=2", True), ("wp_x=1", True), ("a=session", False), ("sessions=1", False)],
)
async def test_who_has_a_cookie_of_these_is_not_answered_from_it(
    make_kept: MakeKept, cookie: str, passes: bool
) -> None:
    kept = make_kept('bypass_cookies = ["session", "wp_*"]')
    kept.says(b"all", cache_control=FRESH)
    await kept.get()
    kept.says(b"mine", cache_control=FRESH)
    client = await kept.get(headers={"cookie": cookie})
    assert client.body == (b"mine" if passes else b"all")
    assert (said(client) == "v8box; fwd=bypass; detail=cookie") is passes
    assert (await kept.get()).body == b"all"


async def test_forwarding_headers_of_clients_reach_no_answer(kept: Kept) -> None:
    kept.says(cache_control=FRESH)
    await kept.get(
        headers={"x_forwarded_host": "evil.example", "x_forwarded_prefix": "/evil", "forwarded": "host=evil"}
    )
    told = dict(kept.world.seen[0].headers)
    assert (told["x-forwarded-host"], told["x-forwarded-prefix"]) == ("localhost:8000", "/run/hello")
    assert "forwarded" not in told


async def test_variants_are_bounded(kept: Kept) -> None:
    kept.says(cache_control=FRESH, vary="x-a")
    for number in range(MAX_VARIANTS + 1):
        await kept.get(headers={"x_a": str(number)})
    assert said(await kept.get(headers={"x_a": str(MAX_VARIANTS)})) == "v8box; hit; ttl=60"
    assert said(await kept.get(headers={"x_a": "0"})) == "v8box; fwd=vary-miss; stored"


async def test_answers_that_vary_by_different_things_vary_by_all_of_them(kept: Kept) -> None:
    kept.says(b"de", cache_control=FRESH, vary="accept-language")
    await kept.get(headers={"accept_language": "de"})
    kept.says(b"x", cache_control=FRESH, vary="x-a")
    await kept.get(headers={"accept_language": "en", "x_a": "1"})
    kept.says(b"new", cache_control=FRESH, vary="x-a")
    assert (await kept.get(headers={"accept_language": "en", "x_a": "1"})).body == b"x"
    assert (await kept.get(headers={"accept_language": "en", "x_a": "2"})).body == b"new"
    assert (await kept.get(headers={"accept_language": "de", "x_a": "1"})).body == b"new"


# ---- behind the policies


async def test_refused_is_refused_whatever_is_kept(make_kept: MakeKept) -> None:
    kept = make_kept(manifest='[auth]\ndeny_ips = ["9.9.9.9"]\n[requests]\nmethods = ["GET"]')
    kept.says(cache_control=FRESH)
    await kept.get()
    refused = await kept.get(peer="9.9.9.9")
    assert (refused.status, "cache-status" in refused.headers) == (403, False)
    assert (await kept.get(method="DELETE")).status == 405


async def test_every_request_counts_for_a_rate_limit(make_kept: MakeKept) -> None:
    kept = make_kept(manifest="[rate_limit]\nlimit = 3\nwindow_seconds = 60")
    kept.says(cache_control=FRESH, ratelimit="mine")
    answers = [await kept.get() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert len({answer.headers["ratelimit"] for answer in answers[:3]}) == 3, "each its own"
    assert kept.runs == 1


async def test_cors_is_of_each_request(make_kept: MakeKept) -> None:
    kept = make_kept(manifest='[cors]\norigins = ["https://a.example", "https://b.example"]')
    kept.says(cache_control=FRESH, access_control_allow_origin="https://evil.example", vary="accept-language")
    for origin in ("https://a.example", "https://b.example", "https://c.example"):
        client = await kept.get(headers={"origin": origin})
        expected = origin if "c." not in origin else None
        assert client.headers.get("access-control-allow-origin") == expected
        assert client.headers["vary"] == "accept-language, Origin"
    assert kept.runs == 1


async def test_a_key_that_is_asked_for_is_asked_for_also_of_what_is_kept(make_kept: MakeKept) -> None:
    kept = make_kept(manifest='[auth]\napi_key = "required"')
    secret = make_secret()
    kept.world.keyring.put(ApiKey(id="0123456789abcdef", project="default", name="ci", secret_hash=hash_secret(secret)))
    key = {"x_api_key": f"{PREFIX}0123456789abcdef_{secret}"}
    kept.says(b"mine", cache_control=FRESH)
    assert said(await kept.get(headers=key)) == "v8box; fwd=miss; detail=authorization"
    kept.says(b"all", cache_control="public, max-age=60")
    await kept.clock.advance(11)
    assert said(await kept.get(headers=key)) == "v8box; fwd=miss; stored"
    assert said(await kept.get(headers=key)) == "v8box; hit; ttl=60"
    assert (await kept.get()).status == 401


async def test_what_belongs_to_one_request_is_not_kept(kept: Kept) -> None:
    kept.says(cache_control=FRESH, server_timing="db;dur=1")
    await kept.get(headers={"x_request_id": "first"})
    hit = await kept.get(headers={"x_request_id": "second"})
    assert (hit.headers["x-request-id"], "server-timing" in hit.headers) == ("second", False)


async def test_hits_are_no_runs_and_are_counted(kept: Kept) -> None:
    kept.says(cache_control=FRESH)
    for _ in range(3):
        await kept.get()
    assert len(kept.world.records.runs) == 1
    ((owner, counts),) = kept.world.cache.counts.of("default").items()
    assert (owner.kind, owner.name, counts["hit"], counts["miss"]) == ("worker", "hello", 2, 1)
    assert kept.world.cache.store.memory.held(owner)[0] == 1
