"""Where URLs lead, and why some lead nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.fakes.versions import a_version, route_of

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.catalog import Limits, Manifest, RouteTable, place
from v8box.catalog.model import held_key
from v8box.catalog.sites import SiteRoute
from v8box.features.explain.explain import Explainer
from v8box.features.explain.routes import build_router
from v8box.gateway.headers import Incoming
from v8box.gateway.pages import redirects
from v8box.gateway.pages.decide import SiteRequest
from v8box.gateway.pages.foresee import Foreseen, foresee
from v8box.gateway.pages.release import Asset, Mount, Release, SiteSettings, Stored
from v8box.gateway.routing import Router, Target

OLD, NEW = a_version(number=1), a_version(number=2, limits=Limits(wall_ms=700))
FUNCTION = place(replace(a_version("fn"), project="acme", worker="blog--fn"), "preview", 0)
ROUTES = RouteTable(
    {
        "hello": route_of(OLD, NEW, weights=(90, 10), sticky="ip"),
        held_key("acme", "blog--fn", "preview", "fn-1"): route_of(FUNCTION),
    }
)


def described(manifest: Manifest) -> list[dict[str, Any]]:
    return [{"policy": "cors", "on": False, "detail": None}, {"policy": "api key", "on": True, "detail": "required"}]


SITE = Release(
    site="blog",
    number=1,
    at=0,
    files={"/index.html": Asset(Stored("0" * 64, 1), "text/html"), "/a.html": Asset(Stored("1" * 64, 1), "text/html")},
    redirects=tuple(redirects.parse("/old /a 302\n/new q=1 /index.html 200\n/out https://evil.test/ 200\n")[0]),
    settings=SiteSettings(mounts=(Mount("/api/*", "shop"), Mount("/fn", "blog--fn", True, "fn-1"))),
)
SITE_ROUTES = {
    "blog": SiteRoute(site="blog", project="acme", key="k"),
    "demo--blog": SiteRoute(site="blog", project="acme", key="k", label="demo", password_hash="h"),
}


async def foreseen(target: Target, method: str, query: str) -> Foreseen | None:
    route = SITE_ROUTES.get(target.site or "")
    if route is None:
        return None
    request = SiteRequest(route, Incoming([]), method, target.host_name, target.rest or "/", query, "", "")
    return foresee(SITE, request)


@pytest.mark.parametrize(
    ("path", "kind", "status", "place", "line"),
    [
        ("", "file", 200, "/index.html", None),
        ("a", "file", 200, "/a.html", None),
        ("a.html", "redirect", 307, "/a", None),
        ("old", "redirect", 302, "/a", 1),
        ("new?q=1", "file", 200, "/index.html", 2),
        ("new", "refused", 404, "no such page", None),
        ("out", "refused", 502, "do not allow", 3),
        ("%ff", "refused", 400, "UTF-8", None),
        ("api/x", "worker", None, "shop", None),
    ],
)
async def test_what_a_site_answers(
    client: httpx.AsyncClient, path: str, kind: str, status: int | None, place: str, line: int | None
) -> None:
    told = await explain(client, f"https://blog.example.com/{path}")
    answer = told["answer"]
    assert (told["leads_to"], told["project"], told["site"]) == ("site", "acme", "blog")
    assert (answer["kind"], answer["status"]) == (kind, status)
    assert place in answer["place"]
    assert (answer["rule"] and answer["rule"]["line"]) == line
    assert (told["reason"] is not None) == (kind in ("refused", "worker"))


async def test_a_mounted_worker_is_shown_with_its_version_or_that_it_is_missing(client: httpx.AsyncClient) -> None:
    told = await explain(client, "https://demo--blog.example.com/fn")
    assert (told["leads_to"], told["worker"], told["environment"]) == ("site", "blog--fn", "preview")
    assert [each["version"] for each in told["versions"]] == ["fn-1"]
    assert told["reason"] is None
    assert "not deployed" in (await explain(client, "https://blog.example.com/api/x"))["reason"]


async def test_a_preview_says_that_it_asks_for_a_password(client: httpx.AsyncClient) -> None:
    answer = (await explain(client, "https://demo--blog.example.com/"))["answer"]
    assert (answer["preview"], answer["password"]) == ("demo", True)
    assert answer["headers"]["x-robots-tag"] == "noindex"


async def test_sites_of_other_projects_are_as_if_there_were_none(client: httpx.AsyncClient, app: As) -> None:
    app.principal = user("eve", {"default": Role.OWNER})
    other = await explain(client, "https://blog.example.com/")
    none = await explain(client, "https://nope.example.com/")
    assert other["leads_to"] is other["answer"] is other["project"] is None
    assert other["reason"] == none["reason"].replace("nope", "blog")


@pytest.fixture
def app() -> As:
    explainer = Explainer(lambda: Router("example.com"), lambda: ROUTES, described, foreseen)
    return As(build_api([build_router(explainer)]))


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
