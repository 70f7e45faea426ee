"""What policies do to requests, through the gateway: who is refused with what, and what stands on answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.conftest import Client, MakeWorld, World

from v8box.catalog.policies import RateLimit
from v8box.errors import StopReason, V8BoxError
from v8box.gateway.policies.keyring import PREFIX, ApiKey
from v8box.gateway.policies.order import ORDER, describe
from v8box.kit.bearers import hash_secret, make_secret
from v8box.sandbox.interface import Death, Invocation, RunFailed
from v8box.sandbox.run import Run

PAGE = "https://shop.example.com"
CORS = f'[cors]\norigins = ["{PAGE}"]\n'


def problem(client: Client) -> dict[str, Any]:
    assert client.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(client.body)
    assert found["status"] == client.status
    assert found["type"] == f"urn:v8box:error:{found['code']}"
    assert found["request_id"] == client.headers["x-request-id"]
    return found


def a_key(world: World, **changes: Any) -> str:
    secret = make_secret()
    key = ApiKey(id="0123456789abcdef", project="default", name="ci", secret_hash=hash_secret(secret), **changes)
    world.keyring.put(key)
    return f"{PREFIX}{key.id}_{secret}"


def test_the_order_is_that_of_the_documents() -> None:
    assert list(ORDER) == ["addresses", "methods", "cors", "api key", "rate limits", "quota"]


# ---- addresses, methods


@pytest.mark.parametrize(
    ("auth", "allowed", "refused"),
    [
        ('allow_ips = ["203.0.113.0/24", "2001:db8::/32"]', ["203.0.113.9", "2001:db8::1"], ["1.2.3.4", "::1", ""]),
        ('deny_ips = ["203.0.113.0/24"]', ["1.2.3.4"], ["203.0.113.9", "::ffff:203.0.113.9"]),
        ('allow_ips = ["203.0.113.0/24"]\ndeny_ips = ["203.0.113.9"]', ["203.0.113.8"], ["203.0.113.9"]),
    ],
)
async def test_addresses(make_world: MakeWorld, auth: str, allowed: list[str], refused: list[str]) -> None:
    world = make_world(manifest=f"[auth]\n{auth}")
    for peer in allowed:
        assert (await world.get(peer=peer)).status == 200
    for peer in refused:
        client = await world.get(peer=peer)
        assert client.status == 403
        assert problem(client)["code"] == "ip_not_allowed"
    assert len(world.seen) == len(allowed)


async def test_the_address_of_a_client_is_told_by_a_trusted_proxy_only(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.allow_ips = ["203.0.113.9"]')
    forwarded = (("x-forwarded-for", "203.0.113.9"),)
    assert (await world.get(peer="10.1.1.1", headers=forwarded)).status == 200
    assert (await world.get(peer="1.2.3.4", headers=forwarded)).status == 403


async def test_methods(make_world: MakeWorld) -> None:
    world = make_world(manifest='requests.methods = ["GET", "POST"]')
    for method in ("GET", "HEAD", "POST"):
        assert (await world.get(method=method)).status == 200
    client = await world.get(method="DELETE")
    assert client.status == 405
    assert client.headers["allow"] == "GET, POST, HEAD"
    assert problem(client)["code"] == "method_not_allowed"
    assert (await world.get(method="OPTIONS")).status == 405


# ---- CORS


async def test_a_preflight_wakes_no_sandbox(make_world: MakeWorld) -> None:
    world = make_world(manifest=CORS + 'headers = ["x-tenant"]\nmax_age_seconds = 5\n[requests]\nmethods = ["PUT"]')
    asked = (("origin", PAGE), ("access-control-request-method", "PUT"))
    client = await world.get(method="OPTIONS", headers=asked)
    assert client.status == 204
    assert client.headers["access-control-allow-origin"] == PAGE
    assert client.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert client.headers["access-control-allow-headers"] == "x-tenant"
    assert client.headers["access-control-max-age"] == "5"
    assert client.headers["vary"].startswith("Origin, ")
    assert "content-length" not in client.headers
    assert "access-control-allow-credentials" not in client.headers
    assert world.factory.made == []
    foreign = await world.get(method="OPTIONS", headers=(("origin", "https://evil.com"), asked[1]))
    assert foreign.status == 403
    assert problem(foreign)["code"] == "origin_not_allowed"
    assert "access-control-allow-origin" not in foreign.headers


async def test_an_options_request_that_is_no_preflight_is_the_workers(make_world: MakeWorld) -> None:
    world = make_world(manifest=CORS)
    assert (await world.get(method="OPTIONS", headers=(("origin", PAGE),))).status == 200
    assert len(world.seen) == 1


async def test_what_the_worker_says_of_cors_is_replaced(make_world: MakeWorld) -> None:
    world = make_world(manifest=CORS + 'credentials = true\nexpose = ["x-total"]')

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        headers = [("access-control-allow-origin", "*"), ("access-control-allow-credentials", "true")]
        sandbox.respond(run, b"", headers=[*headers, ("vary", "Accept"), ("x-total", "1")])

    world.worker = worker
    known = await world.get(headers=(("origin", PAGE),))
    assert known.headers["access-control-allow-origin"] == PAGE
    assert known.headers["access-control-allow-credentials"] == "true"
    assert known.headers["access-control-expose-headers"] == "x-total"
    assert known.headers["vary"] == "Accept, Origin"
    for headers in ((("origin", "https://evil.com"),), ()):
        other = await world.get(headers=headers)
        assert other.status == 200
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-credentials" not in other.headers
        assert other.headers["vary"] == "Accept, Origin"


async def test_everyone_may_without_credentials(make_world: MakeWorld) -> None:
    world = make_world(manifest='cors.origins = ["*"]')
    client = await world.get(headers=(("origin", "null"),))
    assert client.headers["access-control-allow-origin"] == "*"
    assert "vary" not in client.headers


@pytest.mark.parametrize("died", [True, False])
async def test_errors_can_be_read_by_the_page_too(make_world: MakeWorld, died: bool) -> None:
    world = make_world(manifest=CORS + '[auth]\napi_key = "optional"')

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.MEMORY, detail="too much"))
        await asyncio.get_running_loop().create_future()

    world.worker = worker
    headers = (("origin", PAGE), *(() if died else (("x-api-key", "wrong"),)))
    client = await world.get(headers=headers)
    assert client.status == (503 if died else 401)
    assert client.headers["access-control-allow-origin"] == PAGE
    assert client.headers["vary"] == "Origin"


async def test_a_worker_without_policies_speaks_for_itself(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"", headers=[("access-control-allow-origin", "*")])

    world.worker = worker
    client = await world.get(headers=(("origin", PAGE), ("x-api-key", "its own")))
    assert client.headers["access-control-allow-origin"] == "*"
    assert ("x-api-key", "its own") in world.seen[0].headers


# ---- API keys


async def test_a_key_is_needed_and_does_not_reach_the_worker(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    text = a_key(world)
    for header in (("x-api-key", text), ("authorization", f"Bearer {text}"), ("authorization", f"bearer  {text}")):
        assert (await world.get(headers=(header, ("x-v8box-key-id", "forged")))).status == 200
        assert world.seen[-1].headers.count(("x-v8box-key-id", "0123456789abcdef")) == 1
        assert all(text not in value for _, value in world.seen[-1].headers)
        assert ("x-v8box-key-id", "forged") not in world.seen[-1].headers
    both = (("x-api-key", text), ("authorization", "Bearer a.worker's.own"))
    assert (await world.get(headers=both)).status == 200
    assert ("authorization", "Bearer a.worker's.own") in world.seen[-1].headers


async def test_two_headers_with_keys_are_one_decision(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    text = a_key(world)
    assert (await world.get(headers=(("x-api-key", "wrong"), ("x-api-key", text)))).status == 200
    assert all(name != "x-api-key" for name, _ in world.seen[-1].headers)
    assert (await world.get(headers=(("x-api-key", text), ("x-api-key", "wrong")))).status == 401


@pytest.mark.parametrize(
    ("header", "code", "challenge"),
    [
        (None, "api_key_missing", 'Bearer realm="hello"'),
        (("authorization", "Bearer something.else"), "api_key_missing", 'Bearer realm="hello"'),
        (("authorization", "Basic dTpw"), "api_key_missing", 'Bearer realm="hello"'),
        (("x-api-key", ""), "api_key_invalid", 'Bearer realm="hello", error="invalid_token"'),
        (("x-api-key", "nonsense"), "api_key_invalid", 'Bearer realm="hello", error="invalid_token"'),
        (("x-api-key", PREFIX + "é" * 66), "api_key_invalid", 'Bearer realm="hello", error="invalid_token"'),
        (
            ("authorization", f"Bearer {PREFIX}0123456789abcdef_{make_secret()}"),
            "api_key_invalid",
            'Bearer realm="hello", error="invalid_token"',
        ),
    ],
)
async def test_no_key_or_a_wrong_one(
    make_world: MakeWorld, header: tuple[str, str] | None, code: str, challenge: str
) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    a_key(world)
    client = await world.get(headers=() if header is None else (header,))
    assert client.status == 401
    assert client.headers["www-authenticate"] == challenge
    assert problem(client)["code"] == code
    assert world.factory.made == []
    assert [(each.code, each.count) for each in world.counts.of("default")] == [(code, 1)]


async def test_an_optional_key_is_right_or_absent(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.api_key = "optional"')
    text = a_key(world)
    assert (await world.get()).status == 200
    assert (await world.get(headers=(("x-api-key", text),))).status == 200
    assert (await world.get(headers=(("x-api-key", text[:-1] + "-"),))).status == 401


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({}, 200),
        ({"workers": ("hel*",), "environments": ("production",), "methods": ("GET",), "paths": ("/v1",)}, 200),
        ({"allow_ips": ("1.2.3.4",)}, 200),
        ({"workers": ("other",)}, 403),
        ({"environments": ("staging", "preview-*")}, 403),
        ({"methods": ("POST",)}, 403),
        ({"paths": ("/v2", "/v")}, 403),
        ({"allow_ips": ("1.2.3.5",)}, 403),
        ({"expires_at": 1.0}, 401),
    ],
)
async def test_what_a_key_opens(make_world: MakeWorld, scope: dict[str, Any], status: int) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    client = await world.get("/run/hello/v1/x", headers=(("x-api-key", a_key(world, **scope)),))
    assert client.status == status
    if status == 403:
        assert problem(client)["code"] == "api_key_scope"
        assert client.headers["www-authenticate"].endswith('error="insufficient_scope"')
    if status == 401:
        assert problem(client)["code"] == "api_key_expired"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1", 200), ("/v1/", 200), ("/v1/a/b", 200), ("/v1/..a", 200), ("/v1x", 403), ("/v1/../admin", 403),
        ("/v1/%2e%2E/admin", 403), ("/v1/.%2e/x", 403), ("/v1/..", 403), ("/v1/..\\admin", 403), ("/v1\\x", 403),
        ("//v1", 403), ("/V1", 403), ("/", 403), ("/%76%31", 403),
    ],
)  # fmt: skip
async def test_a_path_is_opened_by_whole_segments(make_world: MakeWorld, path: str, status: int) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    key = (("x-api-key", a_key(world, paths=("/v1",))),)
    assert (await world.get(f"/run/hello{path}", headers=key)).status == status


async def test_a_key_of_another_project_is_none(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.api_key = "required"')
    secret = make_secret()
    world.keyring.put(ApiKey(id="0" * 16, project="acme", name="x", secret_hash=hash_secret(secret)))
    client = await world.get(headers=(("x-api-key", f"{PREFIX}{'0' * 16}_{secret}"),))
    assert problem(client)["code"] == "api_key_invalid"


# ---- rate limits


async def test_so_many_and_no_more(make_world: MakeWorld) -> None:
    world = make_world(manifest="[rate_limit]\nlimit = 5\nwindow_seconds = 600")
    clients = [world.connect() for _ in range(200)]
    await settle()
    statuses = [client.status for client in clients]
    assert statuses.count(200) == 5
    assert statuses.count(429) == 195
    assert clients[0].headers["ratelimit"] == '"ip";r=4;t=120'
    assert clients[0].headers["ratelimit-policy"] == '"ip";q=5;w=600'
    refused = clients[-1]
    assert refused.headers["retry-after"] == "120"
    assert refused.headers["ratelimit"] == '"ip";r=0;t=120'
    assert refused.headers["ratelimit-policy"] == '"ip";q=5;w=600'
    assert problem(refused)["code"] == "rate_limited"
    assert problem(refused)["limit"] == 5
    assert [(each.code, each.count, each.dry_run) for each in world.counts.of("default")] == [
        ("rate_limited", 195, False)
    ]


@pytest.mark.parametrize(
    ("by", "same", "other"),
    [
        ("ip", {"peer": "2001:db8::1"}, {"peer": "2001:db8:0:1::1"}),
        ("ip", {"peer": "::ffff:1.2.3.4"}, {"peer": "1.2.3.5"}),
        ("header:X-Tenant", {"headers": (("x-tenant", "a"),)}, {"headers": (("x-tenant", "b"),)}),
        ("header:X-Tenant", {"peer": "1.1.1.1"}, {"peer": "1.1.1.2"}),  # who sends none is told by the address
        ("key", {"peer": "1.1.1.1"}, {"peer": "1.1.1.2"}),
    ],
)
async def test_by_whom_it_is_counted(
    make_world: MakeWorld, by: str, same: dict[str, Any], other: dict[str, Any]
) -> None:
    world = make_world(manifest=f'[rate_limit]\nlimit = 1\nwindow_seconds = 600\nby = "{by}"')
    first = {"peer": "1.2.3.4"} if same.get("peer") == "::ffff:1.2.3.4" else same
    assert (await world.get(**first)).status == 200
    if same.get("peer") == "2001:db8::1":
        same = {"peer": "2001:db8::ffff:1"}  # the same /64
    assert (await world.get(**same)).status == 429
    assert (await world.get(**other)).status == 200


async def test_all_callers_of_a_worker_together(make_world: MakeWorld) -> None:
    world = make_world(manifest='[rate_limit]\nlimit = 1\nwindow_seconds = 600\nby = "worker"')
    assert (await world.get(peer="1.1.1.1")).status == 200
    assert (await world.get(peer="1.1.1.2")).status == 429


async def test_a_request_that_one_limit_refuses_costs_nothing_of_another(make_world: MakeWorld) -> None:
    limits = "[[rate_limit]]\nlimit = 10\nwindow_seconds = 600\n[[rate_limit]]\nlimit = 1\nwindow_seconds = 60\n"
    world = make_world(manifest=limits)
    first = await world.get()
    assert first.headers["ratelimit"] == '"ip";r=9;t=60, "ip-2";r=0;t=60'
    assert first.headers["ratelimit-policy"] == '"ip";q=10;w=600, "ip-2";q=1;w=60'
    for _ in range(20):
        refused = await world.get()
        assert refused.status == 429
        assert refused.headers["ratelimit"].startswith('"ip-2";r=0;')
    bucket = next(bucket for key, bucket in world.limiter._buckets.items() if "|ip|ip|10/" in key)
    assert bucket.owed == pytest.approx(60)  # of one request


async def test_a_dry_run_only_counts(make_world: MakeWorld) -> None:
    world = make_world(manifest="[rate_limit]\nlimit = 1\nwindow_seconds = 600\ndry_run = true")
    for _ in range(5):
        client = await world.get()
        assert client.status == 200
        assert "ratelimit" not in client.headers
    assert [(each.code, each.count, each.dry_run) for each in world.counts.of("default")] == [("rate_limited", 4, True)]


async def test_a_key_brings_a_limit_of_its_own(make_world: MakeWorld) -> None:
    world = make_world(manifest='auth.api_key = "optional"')
    key = (("x-api-key", a_key(world, rate_limit=RateLimit(limit=1, window_seconds=60, by="key"))),)
    first = await world.get(headers=key)
    assert first.headers["ratelimit"] == '"api-key";r=0;t=60'
    assert (await world.get(headers=key)).status == 429
    assert (await world.get()).status == 200


@pytest.mark.parametrize(("when", "status"), [("allow", 200), ("deny", 503)])
async def test_when_nobody_can_be_told_for_long(make_world: MakeWorld, when: str, status: int) -> None:
    world = make_world(manifest=f'[rate_limit]\nlimit = 9\nwindow_seconds = 60\nwhen_down = "{when}"')
    world.limiter.down_since = 1.0
    client = await world.get()
    assert client.status == status
    if status == 503:
        assert problem(client)["code"] == "rate_limit_unavailable"
        assert client.headers["retry-after"] == "1"
    world.limiter.down_since = None
    assert (await world.get()).status == 200


# ---- quota, sizes


class Spent:
    """A project that has used up everything."""

    class Over(V8BoxError):
        """It is over."""

        status = 429
        code = "over"

    def __init__(self) -> None:
        self.runs: list[str] = []

    def over(self, project: str) -> V8BoxError | None:
        return self.Over() if project == "default" else None

    def add(self, project: str, cpu_seconds: float) -> None:
        self.runs.append(project)


@pytest.mark.parametrize("manifest", ["", CORS])
async def test_a_project_over_its_quota_runs_nothing(make_world: MakeWorld, manifest: str) -> None:
    usage = Spent()
    world = make_world(manifest=manifest, usage=usage)
    client = await world.get()
    assert client.status == 429
    assert json.loads(client.body)["type"] == "urn:v8box:error:over"
    assert world.factory.made == []
    assert usage.runs == []


async def test_every_run_is_counted_for_its_project(make_world: MakeWorld) -> None:
    usage = Spent()
    usage.over = lambda project: None  # type: ignore[method-assign]
    world = make_world(usage=usage)
    await world.get()
    await world.pool.stop(0)
    await settle()
    assert usage.runs == ["default"]


async def test_bodies_are_bounded_before_a_sandbox_is_woken(make_world: MakeWorld) -> None:
    world = make_world(manifest="requests.max_body_mb = 0")
    client = await world.get(method="POST", headers=(("content-length", "1"),))
    assert client.status == 413
    assert problem(client)["limit"] == 0
    assert world.factory.made == []
    assert (await world.get(method="POST", headers=(("content-length", "0"),))).status == 200


# ---- error pages


def read_file(name: str) -> bytes:
    return {"a.html": b"<p>{{status}} {{request_id}}</p>", "b.json": b'{"id": "{{request_id}}"}'}[name]


BROWSER = (("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),)


async def test_browsers_see_a_page_and_programs_the_problem(make_world: MakeWorld) -> None:
    world = make_world(
        manifest='auth.allow_ips = ["9.9.9.9"]\n[errors]\n403 = "a.html"\n5xx = "b.json"', read_file=read_file
    )
    page = await world.get(headers=(*BROWSER, ("x-request-id", "<script>")))
    assert page.status == 403
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("sandbox")  # it is the admin's own origin here
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.body == b"<p>403 &lt;script&gt;</p>"
    assert page.headers["content-length"] == str(len(page.body))
    for accept in ("*/*", "application/json", "application/json, text/html", "application/problem+json;q=1,text/html"):
        assert problem(await world.get(headers=(("accept", accept),)))["code"] == "ip_not_allowed"
    problem(await world.get())


async def test_a_death_has_a_page_and_a_workers_own_words_stay(make_world: MakeWorld) -> None:
    world = make_world(manifest='[errors]\n4xx = "a.html"\n5xx = "b.json"', read_file=read_file)

    async def dies(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.MEMORY, detail="too much"))
        await asyncio.get_running_loop().create_future()

    async def throws(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        raise RunFailed("Error", "no such note", None, 404, caller=False)

    world.worker = dies
    died = await world.get(headers=BROWSER)
    assert died.status == 503
    assert died.headers["x-v8box-termination"] == "memory"
    assert died.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(died.body) == {"id": died.headers["x-request-id"]}
    world.worker = throws
    own = await world.get(headers=BROWSER)
    assert own.status == 404
    assert json.loads(own.body)["error"] == "no such note"


# ---- WebSockets


async def test_a_websocket_goes_the_same_way(make_world: MakeWorld) -> None:
    world = make_world(manifest=CORS + '[auth]\napi_key = "required"\ndeny_ips = ["6.6.6.6"]')
    key = ("x-api-key", a_key(world))
    for options in (
        {"headers": ()},
        {"headers": (key,), "peer": "6.6.6.6"},
        {"headers": (key, ("origin", "https://evil.com"))},
    ):
        refused = world.connect(kind="websocket", **options)
        refused.inbox.put_nowait({"type": "websocket.connect"})
        await settle()
        assert refused.sent[0]["type"] == "websocket.close"
        assert refused.served.done()
    assert world.factory.made == []
    for origin in (PAGE, "http://localhost:8000"):  # a page of the worker's own host may too
        client = world.connect(kind="websocket", headers=(key, ("origin", origin)))
        client.inbox.put_nowait({"type": "websocket.connect"})
        await settle()
        assert ("x-v8box-key-id", "0123456789abcdef") in world.seen[-1].headers
        assert all(name != "x-api-key" for name, _ in world.seen[-1].headers)


# ---- what is compiled


async def test_what_is_no_longer_live_is_forgotten(make_world: MakeWorld) -> None:
    from tests.fakes.versions import routes_of

    world = make_world(manifest=CORS)
    await world.get()
    assert list(world.policies._compiled) == [world.version.key]
    world.policies.follow(routes_of(world.version))
    assert list(world.policies._compiled) == [world.version.key]
    world.policies.follow(routes_of())
    assert list(world.policies._compiled) == []


def test_policies_are_described_in_their_order(make_world: MakeWorld) -> None:
    world = make_world(manifest=CORS + '[auth]\nallow_ips = ["1.2.3.4"]')
    told = describe(world.version.manifest)
    assert [each["policy"] for each in told][:6] == list(ORDER)
    assert told[0] == {"policy": "addresses", "on": True, "detail": "only 1.2.3.4/32"}
    assert told[2]["detail"] == PAGE
    assert not told[3]["on"]
