"""The sites as visitors see them: the gateway itself around the test's own store, asked over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.sandboxes import FakeFactory, FakeSandbox
from tests.pages.conftest import World

from v8box.api.auth.passwords import Passwords
from v8box.catalog.model import RouteTable, Version
from v8box.features.pages import PreviewPasswords
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.answers import HotFiles
from v8box.gateway.pages.proxy import HostProxy
from v8box.gateway.pages.release import Releases
from v8box.gateway.pages.serve import Pages
from v8box.gateway.pages.server import SiteServer
from v8box.gateway.policies.book import PolicyBook
from v8box.gateway.policies.counts import Counts
from v8box.gateway.policies.keyring import Keyring
from v8box.gateway.policies.limiter import Limiter
from v8box.gateway.policies.order import Parts, Unmetered
from v8box.gateway.server import Gateway, GatewayParts
from v8box.pool.pool import Pool
from v8box.sandbox.interface import Profile
from v8box.settings import Box, Requests, Sandboxes
from v8box.settings import ResponseCache as CacheSettings
from v8box.telemetry.feed import Feed


class Answer:
    """What a visitor got."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.sent_path: Path | None = None

    async def send(self, message: MutableMapping[str, Any]) -> None:
        match message["type"]:
            case "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            case "http.response.pathsend":
                self.sent_path = Path(message["path"])
                self.body += self.sent_path.read_bytes()
            case _:
                self.body += message["body"]


class Web:
    """Asks the gateway."""

    def __init__(self, gateway: Gateway, server: SiteServer) -> None:
        self.server = server
        self._gateway = gateway

    async def get(
        self,
        target: str | bytes = "/",
        host: str | bytes = "blog.localhost:8000",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        raw = target.encode() if isinstance(target, str) else target
        path, _, query = raw.partition(b"?")
        name = host.encode() if isinstance(host, str) else host
        given = [(key.encode(), value.encode("latin-1")) for key, value in (headers or {}).items()]
        scope = {
            "type": "http",
            "method": method,
            "raw_path": path,
            "path": path.decode("latin-1"),
            "query_string": query,
            "scheme": "http",
            "headers": [(b"host", name), *given],
            "client": ("192.0.2.1", 1234),
        }

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        answer = Answer()
        await self._gateway(scope, receive, answer.send)
        return answer


@asynccontextmanager
async def web_of(world: World, domain: str = "localhost") -> AsyncIterator[Web]:
    """Follows the sites of `world`."""
    releases = Releases(world.blobs.get)
    hasher = Passwords()
    passwords = PreviewPasswords(hasher.check)
    proxy = HostProxy()
    pages = Pages(releases, HotFiles(world.blobs), passwords.verify)
    cache = ResponseCache(CacheSettings(disk_mb=0), world.folder / "cache")
    server = SiteServer(world.sites.table, pages, releases, proxy, cache)
    world.sites.subscribe(server.follow)
    pool = Pool(FakeFactory(_no_sandbox), _no_bundle, Sandboxes(blanks=0))
    counts = Parts(keyring=Keyring(), limiter=Limiter(), counts=Counts(), usage=Unmetered())
    gateway = Gateway(
        GatewayParts(
            box=Box(domain=domain),
            requests=Requests(),
            routes=lambda: RouteTable({}),
            pool=pool,
            pages={},
            sites=server,
            cache=cache,
            mounts={},
            feed=Feed(),
            policies=PolicyBook(counts),
        )
    )
    try:
        yield Web(gateway, server)
    finally:
        await pool.stop(0)
        await proxy.stop()
        await cache.stop()
        hasher.stop()


def _no_sandbox(_: Profile) -> FakeSandbox:
    raise AssertionError("no site asks for a worker here")


async def _no_bundle(_: Version) -> bytes:
    raise AssertionError("no site asks for a worker here")
