"""Sites at their hosts: which release answers there, and whom a request is passed on to when it is not a file's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.errors import NotFound
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.cache.calls import host_call
from v8box.gateway.headers import SERVER, Incoming
from v8box.gateway.invoke import Receive, Send
from v8box.gateway.pages.counts import SiteCounts
from v8box.gateway.pages.decide import SiteRequest, ToHost, ToWorker, preview_headers, worker_key
from v8box.gateway.pages.foresee import Foreseen, foresee
from v8box.gateway.pages.proxy import HostProxy
from v8box.gateway.pages.release import LoadedRelease, Releases
from v8box.gateway.pages.serve import Pages
from v8box.gateway.routing import Target


class Mounted(NamedTuple):
    """A worker that answers for a site: its route key, and what goes over its own headers."""

    key: str
    headers: list[tuple[bytes, bytes]]


class SiteServer:
    """Answers requests for sites, as the snapshot of the sites says."""

    def __init__(
        self, table: SiteTable, pages: Pages, releases: Releases, proxy: HostProxy, cache: ResponseCache
    ) -> None:
        self._table = table
        self._pages = pages
        self._releases = releases
        self._proxy = proxy
        self._cache = cache
        self.counts = SiteCounts()
        self._subscribers: list[Callable[[], None]] = []

    def follow(self, table: SiteTable) -> None:
        """The sites have changed."""
        self._table = table
        self._releases.forget(table.keys)
        self._pages.forget()
        for subscriber in self._subscribers:
            subscriber()

    def on_change(self, subscriber: Callable[[], None]) -> None:
        self._subscribers.append(subscriber)

    async def load(self, key: str) -> LoadedRelease:
        """A release as it is served here."""
        return await self._releases.get(key)

    def domains(self) -> Container[str]:
        """The host names of somebody's own that answer."""
        return self._table.domains

    @property
    def live(self) -> int:
        """How many sites answer."""
        return len(self._table.sites)

    async def answer(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        incoming: Incoming,
        target: Target,
        request_id: str,
        extra: Sequence[tuple[bytes, bytes]],
    ) -> Mounted | None:
        """Answers; or gives the worker that is mounted there. Raises `V8BoxError`."""
        route = self._route(target.site or "")
        if not target.rest:
            await _to_folder(send, target, scope["query_string"], request_id)
            return None
        query = scope["query_string"].decode("latin-1")
        request = SiteRequest(
            route, incoming, scope["method"], target.host_name, target.rest, query, target.prefix, request_id, extra
        )
        counting = self.counts.counting(route, request.method, send)
        outcome = await self._pages.answer(request, counting)
        match outcome:
            case ToWorker():
                return Mounted(worker_key(route, outcome), preview_headers(route))
            case ToHost():
                await self._pass_on(outcome.url, request, scope, target, receive, counting)
                return None
            case _:
                return None

    async def _pass_on(
        self,
        url: str,
        request: SiteRequest,
        scope: MutableMapping[str, Any],
        target: Target,
        receive: Receive,
        send: Send,
    ) -> None:
        """Another host's answer, which may be kept if that says so."""
        plain = request._replace(extra=())

        async def fetch(receive: Receive, send: Send, pairs: list[tuple[str, str]], _: str | None) -> None:
            await self._proxy.pass_on(url, plain, receive, send, pairs)

        call = host_call(
            request.route,
            url,
            request.incoming,
            target,
            request.method,
            request.request_id,
            receive,
            send,
            fetch,
            (*request.extra, *preview_headers(request.route)),
        )
        try:
            await self._cache.answer(call)
        finally:
            scope["cache_status"] = call.told

    async def foresee(self, target: Target, method: str, query: str) -> Foreseen | None:
        """What a request would get; None where no site is."""
        try:
            route = self._route(target.site or "")
        except NotFound:
            return None
        incoming = Incoming([(b"host", target.host_name.encode())])
        path = target.rest or "/"
        request = SiteRequest(route, incoming, method, target.host_name, path, query, target.prefix, request_id="")
        release = await self._releases.get(route.key)
        return await asyncio.to_thread(foresee, release.release, request)

    async def worker_at(self, scope: MutableMapping[str, Any], incoming: Incoming, target: Target) -> str:
        """The route key of the worker that answers a WebSocket there. Raises `V8BoxError`."""
        route = self._route(target.site or "")
        query = scope["query_string"].decode("latin-1")
        request = SiteRequest(
            route, incoming, "GET", target.host_name, target.rest or "/", query, target.prefix, request_id=""
        )
        outcome = await self._pages.worker_at(request)
        if outcome is None:
            raise NotFound("No worker answers a WebSocket at this address of the site.")
        return worker_key(route, outcome)

    def _route(self, name: str) -> SiteRoute:
        routes: Mapping[str, SiteRoute] = self._table.sites
        if "." in name:
            routes = self._table.domains
        elif "--" in name:
            routes = self._table.previews
        route = routes.get(name)
        if route is None:
            raise NotFound("There is no site at this host name.")
        return route


async def _to_folder(send: Send, target: Target, query: bytes, request_id: str) -> None:
    """`/pages/blog` is a folder: relative links of its pages need the slash."""
    place = f"{target.prefix}/".encode() + (b"?" + query if query else b"")
    head = [SERVER, (b"location", place), (b"x-request-id", request_id.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": head})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
