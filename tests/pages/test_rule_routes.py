"""Redirect rules with their hits, requests that are tried, and settings beside the files: over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.fakes.principals import any_project
from tests.pages.conftest import ADA, World
from tests.pages.test_functions import HELLO
from tests.pages.web import Web, web_of

from v8box.api.access import Role
from v8box.api.app import build_api
from v8box.api.idempotency import Idempotency
from v8box.features.pages import rule_routes, settings_routes
from v8box.telemetry import audit

BLOG = "http://localhost/api/v1/projects/default/sites/blog"
RULES = """
/old/*  /new/:splat 301
/shop id=:id /items/:id 302! Country=de
/api/x https://api.example.com/x 200
~^/p/(\\d+)$ /posts/$1 301
"""
PAGES = {"index.html": "<h1>home</h1>", "about.html": "about", "shop.html": "shop", "_redirects": RULES}


@pytest.fixture
async def web(world: World) -> AsyncIterator[Web]:
    async with web_of(world) as web:
        yield web


@pytest.fixture
async def app(world: World, web: Web) -> AsyncIterator[As]:
    ledger = await Idempotency.open(world.database)
    routers = [
        rule_routes.build_router(world.service, web.server.load, lambda label: f"http://{label}.localhost:8000/"),
        settings_routes.build_router(world.service),
    ]
    yield As(build_api(routers, idempotency=ledger, project_exists=any_project))
    await ledger.close()


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def hits(client: httpx.AsyncClient, **query: Any) -> dict[str, int]:
    items = (await client.get(f"{BLOG}/redirects", params=query)).json()["items"]
    return {each["from"]: each["hits"] for each in items}


async def tried(client: httpx.AsyncClient, url: str, **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{BLOG}/try", json={"url": url, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# ---- rules


@pytest.mark.parametrize(
    "body", [{}, {"url": ""}, {"url": "x"}, {"url": "/", "cookies": ["a b"]}, {"url": "/", "x": 1}]
)
async def test_what_is_no_request_is_refused(world: World, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await world.deploy(PAGES)
    assert (await client.post(f"{BLOG}/try", json=body)).status_code in (400, 422)


async def test_nothing_is_tried_of_a_site_that_is_not_live(world: World, client: httpx.AsyncClient) -> None:
    problem(await client.post(f"{BLOG}/try", json={"url": "/"}), 404, "not_found")
    await world.service.create("default", "blog", ADA)
    problem(await client.get(f"{BLOG}/redirects"), 404, "not_found")


async def test_hits_are_counted_over_deploys_with_the_same_rules(
    world: World, web: Web, client: httpx.AsyncClient
) -> None:
    await world.deploy(PAGES)
    await web.get("/old/a")
    await web.get("/old/b")
    await web.get("/about")
    assert await hits(client) == {"/old/*": 2, "/shop": 0, "/api/x": 0, "~^/p/(\\d+)$": 0}
    await tried(client, "/old/c")
    await world.deploy({**PAGES, "index.html": "new"})
    await web.get("/old/d")
    assert (await hits(client))["/old/*"] == 3
    assert list(await hits(client, unused="true")) == ["/shop", "/api/x", "~^/p/(\\d+)$"]
    assert await hits(client, release=1) == await hits(client)
    await world.deploy({**PAGES, "_redirects": "/other /x 301"})
    assert await hits(client) == {"/other": 0}


HEADERS = """
/*
  X-Frame-Options: DENY
/about
  X-Frame-Options: SAMEORIGIN
  ! Cache-Control
no path above
/gone/*
  X-Old: 1
https://blog.localhost/docs/
  X-Docs: 1
"""


async def test_header_rules_are_listed_with_the_files_that_they_are_for(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.deploy({**PAGES, "docs/index.html": "docs", "_headers": HEADERS})
    items = (await client.get(f"{BLOG}/headers")).json()["items"]
    assert items[1] == {
        "number": 2,
        "line": 4,
        "from": "/about",
        "sets": {"x-frame-options": "SAMEORIGIN"},
        "removes": ["cache-control"],
        "files": 1,
    }
    assert {each["from"]: each["files"] for each in items} == {
        "/*": 4,
        "/about": 1,
        "/gone/*": 0,
        "https://blog.localhost/docs/": 1,
    }
    unused = (await client.get(f"{BLOG}/headers", params={"unused": True})).json()["items"]
    assert [each["from"] for each in unused] == ["/gone/*"]
    first = (await client.get(f"{BLOG}/headers", params={"limit": 2})).json()
    rest = (await client.get(f"{BLOG}/headers", params={"cursor": first["next_cursor"]})).json()
    assert [each["number"] for each in rest["items"]] == [3, 4]
    problem(await client.get(f"{BLOG}/headers", params={"release": 9}), 404, "not_found")


async def test_trying_says_which_header_rules_fit(world: World, client: httpx.AsyncClient) -> None:
    await world.deploy({**PAGES, "_headers": HEADERS})
    about = await tried(client, "/about")
    assert about["header_rules"] == [1, 2]
    assert about["headers"]["x-frame-options"] == "DENY, SAMEORIGIN"
    assert (await tried(client, "/"))["header_rules"] == [1]
    assert (await tried(client, "/api/x"))["header_rules"] == []  # another host's answer


async def test_rules_are_listed_as_they_stand_and_in_pages(world: World, client: httpx.AsyncClient) -> None:
    await world.deploy(PAGES)
    first = (await client.get(f"{BLOG}/redirects", params={"limit": 2})).json()
    assert first["items"][1] == {
        "number": 2,
        "line": 3,
        "from": "/shop",
        "to": "/items/:id",
        "status": 302,
        "force": True,
        "query": {"id": ":id"},
        "conditions": {"country": ["de"]},
        "hits": 0,
    }
    more = (await client.get(f"{BLOG}/redirects", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["number"] for each in more["items"]] == [3, 4]


async def test_a_request_is_tried_with_what_rules_look_at(world: World, client: httpx.AsyncClient) -> None:
    await world.deploy({**PAGES, "functions/hello.ts": HELLO})
    moved = await tried(client, "/old/a?b=1")
    assert (moved["outcome"], moved["status"], moved["place"]) == ("redirect", 301, "/new/a?b=1")
    assert (moved["rule"]["line"], moved["rule"]["from"]) == (2, "/old/*")
    at_home = await tried(client, "/shop?id=7", country="DE")
    assert (at_home["outcome"], at_home["place"]) == ("redirect", "/items/7")
    abroad = await tried(client, "/shop?id=7", country="FR")
    assert (abroad["outcome"], abroad["place"], abroad["rule"]) == ("file", "/shop.html", None)
    assert abroad["headers"]["x-content-type-options"] == "nosniff"
    assert (await tried(client, "/hello"))["place"] == "blog--hello"
    assert (await tried(client, "/p/12"))["place"] == "/posts/12"
    lost = await tried(client, "/nowhere")
    assert (lost["outcome"], lost["status"]) == ("not_found", 404)
    assert (await tried(client, "/api/x"))["outcome"] == "refused"  # the host is not allowed
    assert (await tried(client, "http://blog.localhost:8000"))["place"] == "/index.html"


async def test_an_older_release_is_tried_as_its_preview(world: World, client: httpx.AsyncClient) -> None:
    await world.deploy(PAGES)
    await world.deploy({"index.html": "new"})
    assert (await tried(client, "/old/a"))["outcome"] == "not_found"
    old = await tried(client, "/about", release=1)
    assert (old["outcome"], old["headers"]["x-robots-tag"]) == ("file", "noindex")


# ---- settings


@pytest.mark.parametrize(
    "change",
    [
        {"html_handling": "sometimes"},
        {"security_headers": "yes please"},
        {"mounts": [{"path": "no", "worker": "a"}]},
        {"mounts": [{"path": "/a", "worker": "A B"}]},
        {"proxy_hosts": ["localhost"]},
        {"optimise": ["fonts"]},
        {"redirects": []},
    ],
)
async def test_a_setting_that_is_none_is_refused_and_nothing_changes(
    world: World, client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    await world.deploy(PAGES)
    answer = await client.patch(f"{BLOG}/settings", json={"strict": True, **change})
    assert answer.status_code in (400, 422), answer.text
    assert "v8box.toml" not in answer.json()["detail"]
    shown = (await client.get(f"{BLOG}/settings")).json()
    assert (shown["set"], shown["release"]) == ({}, 1)


async def test_a_setting_counts_at_once_and_one_can_go_back(world: World, web: Web, client: httpx.AsyncClient) -> None:
    await world.deploy({**PAGES, "functions/hello.ts": HELLO})
    change = {"security_headers": True, "not_found_handling": "single-page-application"}
    made = (await client.patch(f"{BLOG}/settings", json=change)).json()
    assert (made["set"], made["release"]) == (change, 2)
    assert made["live"]["mounts"] == []
    answer = await web.get("/nowhere", headers={"accept": "text/html"})
    assert (answer.status, answer.body) == (200, b"<h1>home</h1>")
    assert "x-frame-options" in answer.headers
    assert (await tried(client, "/hello"))["place"] == "blog--hello"
    info = await world.sites.release("default", "blog", 2)
    assert info.message == "settings: not_found_handling, security_headers"
    assert [route.worker for route in world.catalog.routes.workers.values()] == ["blog--hello"] * 2
    await world.service.roll_back("default", "blog", ADA)
    assert (await web.get("/nowhere")).status == 404
    again = (await client.patch(f"{BLOG}/settings", json={"security_headers": None})).json()
    assert again["set"] == {"not_found_handling": "single-page-application"}
    actions = await world.database.read(lambda sql: sql.rows("select * from audit order by number"))
    assert [audit.read(row).event.action for row in actions].count("site.settings") == 2


async def test_the_sites_own_file_goes_before_what_is_set(world: World, client: httpx.AsyncClient) -> None:
    await world.service.create("default", "blog", ADA)
    await client.patch(f"{BLOG}/settings", json={"html_handling": "none", "security_headers": True, "strict": True})
    own = "[site]\nhtml_handling = 'drop-trailing-slash'\n"
    await world.deploy({**PAGES, "v8box.toml": own})
    shown = (await client.get(f"{BLOG}/settings")).json()
    assert shown["own"] == ["html_handling"]
    assert (shown["live"]["html_handling"], shown["live"]["security_headers"]) == ("drop-trailing-slash", True)
    changed = await client.patch(f"{BLOG}/settings", json={"html_handling": "force-trailing-slash"})
    assert (changed.json()["live"]["html_handling"], changed.json()["release"]) == ("drop-trailing-slash", 1)


async def test_what_is_set_for_a_deploy_counts_there(world: World, client: httpx.AsyncClient) -> None:
    await world.service.create("default", "blog", ADA)
    await client.patch(f"{BLOG}/settings", json={"compat": "cloudflare", "strict": False})
    await world.deploy({"index.html": "x", "_redirects": "/a /b"})
    assert (await tried(client, "/a"))["status"] == 302


async def test_files_that_were_made_smaller_are_looked_at_anew(world: World, client: httpx.AsyncClient) -> None:
    await world.deploy(PAGES)
    await client.patch(f"{BLOG}/settings", json={"optimise": ["html"]})
    live = await world.live()
    assert live.settings.optimise == ("html",)
    assert all(not asset.encodings for asset in live.files.values())


async def test_who_may_look_may_not_change(world: World, app: As, client: httpx.AsyncClient) -> None:
    await world.deploy(PAGES)
    app.principal = user("bob", {"default": Role.VIEWER})
    assert (await client.get(f"{BLOG}/settings")).status_code == 200
    assert (await client.post(f"{BLOG}/try", json={"url": "/"})).status_code == 200
    assert (await client.patch(f"{BLOG}/settings", json={"strict": True})).status_code == 403
    app.principal = user("eve", {"other": Role.OWNER})
    assert (await client.get(f"{BLOG}/redirects")).status_code in (403, 404)
