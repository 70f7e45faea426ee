"""A gateway on a pool of fakes, and clients that speak ASGI to it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeFactory, FakeSandbox, Worker
from tests.fakes.versions import a_version, routes_of

from v8box.api.asgi import send_json
from v8box.catalog.manifest import no_files, own_table
from v8box.catalog.model import Limits, RouteTable, Version
from v8box.catalog.sites import SiteTable
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.invoke import Receive, Send
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
from v8box.sandbox.interface import Invocation, Profile
from v8box.sandbox.run import Run
from v8box.settings import Box, Requests, Sandboxes
from v8box.settings import ResponseCache as CacheSettings
from v8box.storage import FolderBlobs
from v8box.telemetry.feed import Feed
from v8box.telemetry.rates import Rates
from v8box.telemetry.records import LineRecord, RunRecord

Message = MutableMapping[str, Any]


class Records(Feed):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunRecord] = []

    def run(self, record: RunRecord) -> None:
        self.runs.append(record)

    def line(self, record: LineRecord) -> None:
        raise AssertionError("the gateway prints no lines of a worker's")


class Client:
    """One connection: what the server gives the app, and what the app sends."""

    def __init__(self, app: Gateway, scope: dict[str, Any], *, failing_sends: bool = False) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.failing = failing_sends
        self.served = asyncio.ensure_future(app(scope, self.inbox.get, self._send))

    async def _send(self, message: Message) -> None:
        if self.failing:
            raise ConnectionResetError("the client is gone")
        await self.may_send.wait()
        self.sent.append(message)

    def gives(self, *chunks: bytes, more: bool = False) -> None:
        """A body in chunks; the last one ends it unless there is `more`."""
        for number, chunk in enumerate(chunks, 1):
            self.inbox.put_nowait({"type": "http.request", "body": chunk, "more_body": more or number < len(chunks)})

    def leaves(self) -> None:
        self.inbox.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in self.sent[0]["headers"]]
        assert len(dict(pairs)) == len(pairs), "a header twice"
        return dict(pairs)

    @property
    def body(self) -> bytes:
        assert self.sent[-1]["more_body"] is False, "the body is not complete"
        return b"".join(message["body"] for message in self.sent[1:])


def no_sites(cache: ResponseCache) -> SiteServer:
    async def missing(_: str) -> bytes:
        raise AssertionError("there is no site")

    async def wrong(*_: str | None) -> bool:
        return False

    releases = Releases(missing)
    return SiteServer(SiteTable(), Pages(releases, HotFiles(FolderBlobs(Path())), wrong), releases, HostProxy(), cache)


class World:
    """The gateway, its one worker `hello`, and what they did."""

    def __init__(self, *, domain: str = "localhost", **settings: Any) -> None:
        self.worker: Worker = self._hello
        self.seen: list[Invocation] = []
        self.records = Records()
        self.rates = Rates()
        self.factory = FakeFactory(self._make)
        self.version = a_version(limits=settings.pop("limits", Limits()))
        if manifest := settings.pop("manifest", ""):
            read = own_table(manifest, "v8box.toml", settings.pop("read_file", no_files)).manifest("x.ts")
            self.version = replace(
                self.version,
                manifest=replace(
                    self.version.manifest, rules=read.rules, cache=read.cache, observability=read.observability
                ),
            )
        self.keyring = Keyring()
        self.limiter = Limiter()
        self.counts = Counts()
        self.policies = PolicyBook(
            Parts(
                keyring=self.keyring, limiter=self.limiter, counts=self.counts, usage=settings.pop("usage", Unmetered())
            )
        )
        self.cache = ResponseCache(
            settings.pop("response_cache", CacheSettings(disk_mb=0)), settings.pop("cache_folder", Path("/nowhere"))
        )
        self.routes: Callable[[], RouteTable] = lambda: routes_of(self.version)
        self.rates.follow([self.version.key])
        self.pool = Pool(self.factory, self._bundle, Sandboxes(blanks=0, max_sandboxes=4, **settings))

        async def health(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            await send_json(scope, send, 200, b'{"status":"ok"}')

        self.app = Gateway(
            GatewayParts(
                box=Box(domain=domain, trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),)),
                requests=Requests(max_body_mb=1, max_header_kb=4, max_url_kb=1),
                routes=lambda: self.routes(),
                pool=self.pool,
                pages={"/health": health},
                sites=no_sites(self.cache),
                mounts={"admin": self.mounted, "db": self.mounted},
                feed=self.records,
                rates=self.rates,
                policies=self.policies,
                cache=self.cache,
            )
        )

    async def mounted(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers what it was given."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            return
        body = f"{scope['root_path']} {scope['path']} {scope['request_id']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _make(self, profile: Profile) -> FakeSandbox:
        async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
            self.seen.append(invocation)
            await self.worker(sandbox, run, invocation)

        return FakeSandbox(profile, work)

    @staticmethod
    async def _bundle(version: Version) -> bytes:
        return b""

    @staticmethod
    async def _hello(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"hi", headers=[("content-type", "text/plain")])

    @property
    def sandbox(self) -> FakeSandbox:
        return self.factory.made[-1]

    def connect(
        self,
        path: str = "/run/hello",
        method: str = "GET",
        *,
        host: str = "localhost:8000",
        headers: tuple[tuple[str, str], ...] = (),
        query: str = "",
        peer: str = "1.2.3.4",
        kind: str = "http",
        failing_sends: bool = False,
    ) -> Client:
        raw = [(b"host", host.encode()), *((name.encode(), value.encode("latin-1")) for name, value in headers)]
        scope = {
            "type": kind,
            "method": method,
            "raw_path": path.encode("latin-1"),
            "path": path,
            "query_string": query.encode(),
            "scheme": "http" if kind == "http" else "ws",
            "headers": raw,
            "client": (peer, 1234),
        }
        return Client(self.app, scope, failing_sends=failing_sends)

    async def get(self, path: str = "/run/hello", method: str = "GET", **options: Any) -> Client:
        client = self.connect(path, method, **options)
        await settle()
        assert client.served.done(), "the request is not answered"
        client.served.result()
        return client


MakeWorld = Callable[..., World]


@pytest.fixture
async def make_world() -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(World(**options))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.cache.stop()
        await world.pool.stop(0)
        await settle()


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    return make_world()


Working = Callable[[FakeSandbox, Run, Invocation], Awaitable[None]]
