"""Host names of one's own: what proves them, and that no part of the box can be had by adding its name."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.api.conftest import As, client_of, problem
from tests.fakes.principals import any_project
from tests.pages.conftest import ADA, World
from tests.pages.web import web_of

from v8box.api.app import build_api
from v8box.catalog.model import RouteTable
from v8box.features.pages import domain_routes
from v8box.features.pages.internal import InternalApp
from v8box.gateway.routing import Router
from v8box.kit.proxies import Network

DOMAINS = "/projects/default/sites/blog/domains"


class Outside:
    """DNS, and names that all lead to the box, as a wildcard record makes them."""

    def __init__(self, box: InternalApp) -> None:
        self.records: dict[str, Sequence[str]] = {}
        self.points_here = True
        self._box = box

    async def texts(self, name: str) -> Sequence[str]:
        return self.records.get(name, ())

    async def fetch(self, url: str) -> str:
        parts = urlsplit(url)
        status, body = await ask(self._box, parts.path, host=parts.netloc) if self.points_here else (0, "")
        return body if status == 200 else ""


async def ask(
    box: InternalApp, path: str, *, host: str = "localhost", client: str = "127.0.0.1", query: str = "", **headers: str
) -> tuple[int, str]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    given = [
        (b"host", host.encode()),
        *((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()),
    ]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": given}
    await box({**scope, "client": (client, 1)}, None, send)  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"].decode()


def internal(world: World, trusted: Sequence[Network] = ()) -> InternalApp:
    return InternalApp(
        "example.com", lambda: RouteTable({}), lambda: world.sites.table, world.sites.domains_of, trusted
    )


@pytest.fixture
async def outside(world: World) -> Outside:
    await world.deploy({"index.html": "blog"})
    return Outside(internal(world))


@pytest.fixture
async def client(world: World, outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    router = domain_routes.build_router(world.sites, "example.com", texts=outside.texts, fetches=outside.fetch)
    async with client_of(As(build_api([router], project_exists=any_project))) as client:
        yield client


async def test_a_name_that_points_here_or_has_the_record_is_proved(
    client: httpx.AsyncClient, outside: Outside, world: World
) -> None:
    added = (await client.post(DOMAINS, json={"host": "www.mine.org"})).json()
    outside.points_here = False
    problem(await client.post(f"{DOMAINS}/www.mine.org/verify"), 409, "domain_not_verified")
    assert "www.mine.org" not in world.sites.table.domains
    outside.points_here = True
    assert (await client.post(f"{DOMAINS}/www.mine.org/verify")).json()["verified_at"] is not None
    assert world.sites.table.domains["www.mine.org"].site == "blog"

    added = (await client.post(DOMAINS, json={"host": "mine.org."})).json()
    outside.points_here = False
    outside.records["_v8box.mine.org"] = ["v=spf1 -all", f"v8box={added['token']}"]
    assert (await client.post(f"{DOMAINS}/mine.org/verify")).json()["verified_at"] is not None


@pytest.mark.parametrize(
    "host", ["admin.example.com", "API.example.com.", "other.example.com", "demo--blog.example.com"]
)
async def test_no_part_of_the_box_and_no_other_site_can_be_had_by_its_name(
    client: httpx.AsyncClient, world: World, host: str
) -> None:
    problem(await client.post(DOMAINS, json={"host": host}), 400, "domain_of_the_box")
    # One that was added before this was looked at is not let through either.
    name = host.rstrip(".").lower()
    await world.sites.add_domain("default", "blog", name, ADA)
    problem(await client.post(f"{DOMAINS}/{name}/verify"), 400, "domain_of_the_box")
    assert name not in world.sites.table.domains


@pytest.mark.parametrize("host", ["example.com", "www.example.com", "a.b.example.com"])
async def test_the_boxs_own_domain_needs_the_record(
    client: httpx.AsyncClient, outside: Outside, world: World, host: str
) -> None:
    """It points here, whoever asks: only who may change the zone has proved anything."""
    added = (await client.post(DOMAINS, json={"host": host})).json()
    problem(await client.post(f"{DOMAINS}/{host}/verify"), 409, "domain_not_verified")
    outside.records[f"_v8box.{host}"] = [f"v8box={added['token']}"]
    assert (await client.post(f"{DOMAINS}/{host}/verify")).status_code == 200
    async with web_of(world, "example.com") as web:
        assert (await web.get("/", host)).body == b"blog"


def test_a_part_of_the_box_goes_before_a_name_of_somebodys() -> None:
    router = Router("example.com", lambda: {"admin.example.com", "staging--api.example.com"})
    assert router.resolve(b"admin.example.com", b"/").mount == "admin"
    assert router.resolve(b"staging--api.example.com", b"/run/hello").worker == "hello@staging"


async def test_who_may_ask_for_certificates(world: World) -> None:
    await world.deploy({"index.html": "blog"})
    box = internal(world, [ip_network("10.0.0.0/24")])
    known = "domain=blog.example.com"
    for client, headers, status in (
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 200),  # a trusted proxy: Caddy in a container of its own
        ("10.0.1.7", {}, 404),
        ("192.0.2.1", {}, 404),
        ("not an address", {}, 404),
        ("127.0.0.1", {"x_forwarded_for": "192.0.2.1"}, 404),
        ("10.0.0.7", {"forwarded": "for=192.0.2.1"}, 404),
    ):
        assert (await ask(box, "/internal/tls/ask", client=client, query=known, **headers))[0] == status, client
    for name in ("", "nope.example.com", "admin.example.com.evil.org", "x.blog.example.com", "example.com", "."):
        assert (await ask(box, "/internal/tls/ask", query=f"domain={name}"))[0] == 404, name
    assert (await ask(box, "/internal/tls/ask", query="domain=BLOG.Example.com."))[0] == 200
