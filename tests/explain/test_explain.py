"""Where URLs lead, and why some lead nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.fakes.versions import a_version, route_of

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.catalog import Limits, Manifest, RouteTable
from v8box.features.explain.explain import Explainer
from v8box.features.explain.routes import build_router
from v8box.gateway.routing import Router

OLD, NEW = a_version(number=1), a_version(number=2, limits=Limits(wall_ms=700))
ROUTES = RouteTable({"hello": route_of(OLD, NEW, weights=(90, 10), sticky="ip")})


def described(manifest: Manifest) -> list[dict[str, Any]]:
    return [{"policy": "cors", "on": False, "detail": None}, {"policy": "api key", "on": True, "detail": "required"}]


@pytest.fixture
def app() -> As:
    return As(build_api([build_router(Explainer(lambda: Router("example.com"), lambda: ROUTES, described))]))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def explain(client: httpx.AsyncClient, url: str, **more: str) -> dict[str, Any]:
    answer = await client.get("/explain", params={"url": url, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_worker_with_its_versions_policies_and_limits(client: httpx.AsyncClient) -> None:
    told = await explain(client, "https://api.example.com/run/hello/a%20b?x=1")
    assert (told["leads_to"], told["reason"]) == ("worker", None)
    assert (told["project"], told["worker"], told["environment"]) == ("default", "hello", "production")
    assert (told["seen_path"], told["sticky"]) == ("/a%20b", "ip")
    assert [(each["number"], each["weight"]) for each in told["versions"]] == [(1, 90), (2, 10)]
    assert told["versions"][1]["limits"]["wall_ms"] == 700
    assert [each["policy"] for each in told["versions"][0]["policies"] if each["on"]] == ["api key"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://www.example.com/run/hello", None),
        ("https://a.b.example.com/", "nothing at this host name"),
        ("https://example.org/run/hello", "nothing at this host name"),
        ("https://admin.example.com/run/hello", "under the api host"),
        ("https://api.example.com/", "/run/<worker>"),
        ("https://api.example.com/run/nothing", "no worker nothing"),
        ("https://staging--api.example.com/run/hello", "no worker hello@staging"),
        ("https://api.example.com/run/HELLO", "Workers are called as"),
        ("https://ex_ample\u00e9.com/", "host"),
        ("https://api.example.com:99999/run/hello", "host name"),
    ],
)
async def test_why_a_url_leads_nowhere(client: httpx.AsyncClient, url: str, reason: str | None) -> None:
    told = await explain(client, url)
    if reason is not None:
        assert told["leads_to"] is None
        assert reason in told["reason"]


async def test_what_is_the_boxs_own_is_named(client: httpx.AsyncClient) -> None:
    assert (await explain(client, "admin.example.com/api/v1/session"))["leads_to"] == "the admin API"
    assert "LibSQL" in (await explain(client, "https://db.example.com/default"))["leads_to"]
    assert (await explain(client, "https://admin.example.com/health"))["leads_to"].endswith("/health")
    assert "never" in (await explain(client, "https://api.example.com/run/hello", method="TRACE"))["reason"]


async def test_who_has_no_role_there_learns_nothing(client: httpx.AsyncClient, app: As) -> None:
    app.principal = user("eve", {"acme": Role.OWNER})
    told = await explain(client, "https://api.example.com/run/hello")
    assert (told["leads_to"], told["worker"], told["versions"]) == (None, None, [])
    app.principal = user("eve", {EVERY_PROJECT: Role.VIEWER})
    assert (await explain(client, "https://api.example.com/run/hello"))["worker"] == "hello"


@pytest.mark.parametrize("url", ["", "x" * 5_000, "ftp://a/b", "http://", "http://[x/", "/run/hello"])
async def test_what_is_no_url_is_refused(client: httpx.AsyncClient, url: str) -> None:
    problem(await client.get("/explain", params={"url": url}), 400, "bad_request")


async def test_a_method_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    problem(await client.get("/explain", params={"url": "http://a/", "method": "get it"}), 400, "bad_request")
