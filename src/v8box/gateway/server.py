"""The ASGI application: every request enters here. Read on in `routing`, `policy`, `invoke`, `websocket`, `errors`."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from v8box.catalog.model import Route, RouteTable
from v8box.errors import (
    HeadersTooLarge,
    MethodNotAllowed,
    MountedWorkerMissing,
    NotFound,
    OnlyRead,
    StopReason,
    UriTooLong,
    V8BoxError,
)
from v8box.gateway import errors
from v8box.gateway.cache.answers import NAME
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.cache.call import CacheCall, Pairs
from v8box.gateway.cache.calls import worker_call
from v8box.gateway.error_pages import as_page, wants_page
from v8box.gateway.failures import Failures
from v8box.gateway.headers import SERVER, Incoming
from v8box.gateway.invoke import BrokenResponse, Exchange, Receive, Send
from v8box.gateway.origins import Origins
from v8box.gateway.pages.server import SiteServer
from v8box.gateway.policies.book import PolicyBook
from v8box.gateway.policies.passage import FREE, FreePassage
from v8box.gateway.policy import PathModePolicy
from v8box.gateway.recording import Recorder
from v8box.gateway.request_ids import RequestIds
from v8box.gateway.routing import Mount, Router, Target
from v8box.gateway.split import choose
from v8box.gateway.websocket import refuse_websocket, serve_websocket
from v8box.pool.pool import Pool
from v8box.sandbox.interface import Invocation, RunFailed, RunKilled, StartupFailed
from v8box.settings import Box, Requests
from v8box.telemetry.feed import Feed
from v8box.telemetry.rates import Rates

logger = logging.getLogger(__name__)

Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI application of the box. Its scope has the whole path, the part before its own as `root_path`, and the
request's id as `request_id`."""

_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the gateway is put together from."""

    box: Box
    requests: Requests
    routes: Callable[[], RouteTable]
    pool: Pool
    pages: Mapping[str, Application]
    """What answers GET and HEAD at an address of the box's own, e.g. `/health`."""
    sites: SiteServer
    mounts: Mapping[Mount, Application]
    feed: Feed
    policies: PolicyBook
    cache: ResponseCache
    rates: Rates = field(default_factory=Rates)
    failures: Failures | None = None
    """Who reads the stacks of what workers throw; None: they stay as V8 wrote them."""
    origins: Origins = field(default_factory=Origins)


class Gateway:
    """Routes requests, applies policies, answers."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._routes = parts.routes
        self._pool = parts.pool
        self._sites = parts.sites
        self._router = Router(parts.box.domain, parts.sites.domains)
        parts.sites.on_change(self._router.forget)
        self._ids = RequestIds()
        self._origins = parts.origins
        self._feed = parts.feed
        self._path_mode = PathModePolicy(parts.box.domain)
        self._policies = parts.policies
        self._cache = parts.cache
        self._recorder = Recorder(
            parts.feed, parts.rates, parts.policies.parts.usage, parts.failures or Failures(parts.feed)
        )
        self._trusted = parts.box.trusted_proxies
        self._max_url_bytes = parts.requests.max_url_bytes
        self._max_header_bytes = parts.requests.max_header_bytes
        self._max_body_bytes = parts.requests.max_body_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            serve = self._http
        elif kind == "websocket":
            serve = self._websocket
        else:
            raise RuntimeError(f"an ASGI scope of type {kind!r} is not served")
        try:
            await serve(scope, receive, send)
        except BrokenResponse:
            raise  # the client sees it as cut, and that was said already
        except Exception:
            logger.exception("%s %s failed inside the gateway", kind, scope["path"])  # the HTTP server says nothing
            raise

    def _admit(self, scope: MutableMapping[str, Any], incoming: Incoming) -> tuple[Target, Route | None]:
        """What the request is for; no route means a page of the box. Raises `V8BoxError` for what is refused."""
        raw_path: bytes = scope["raw_path"]
        if len(raw_path) + len(scope["query_string"]) > self._max_url_bytes:
            raise UriTooLong
        if incoming.size > self._max_header_bytes:
            raise HeadersTooLarge
        if scope["method"] in _REFUSED_METHODS:
            raise MethodNotAllowed
        target = self._router.resolve(incoming.host, raw_path)
        if not target.worker:
            return target, None
        route = self._routes().workers.get(target.worker)
        if route is None:
            raise NotFound(f"There is no worker called {target.worker}.")
        return target, route

    def _invocation(
        self, scope: MutableMapping[str, Any], incoming: Incoming, target: Target, run_id: str, request_id: str
    ) -> tuple[Invocation, str]:
        """The request as the worker will see it, and the client's address. The request's id is the client's to choose;
        the run's is not, since bindings keep state by it."""
        client = self._tell_of_client(scope, incoming, target)
        origin = self._origins.of(incoming, request_id, client)
        incoming.pairs += (("x-request-id", request_id), ("traceparent", origin.header))
        if origin.state:
            incoming.pairs.append(("tracestate", origin.state))
        query: bytes = scope["query_string"]
        url = f"{incoming.proto}://{target.host_name}{target.rest}"
        if query:
            url += "?" + query.decode("latin-1")
        return Invocation(run_id, scope["method"], url, incoming.pairs, origin=origin), client

    def _tell_of_client(self, scope: MutableMapping[str, Any], incoming: Incoming, target: Target) -> str:
        """Adds to the request who it comes from; gives the client's address."""
        peer = scope["client"][0] if scope["client"] else ""
        return incoming.forwarded(peer, scope["scheme"], target.host_name, target.prefix, self._trusted)

    # ---- http

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        run_id = request_id = self._ids.new()
        passage: FreePassage = FREE
        sandboxed: list[tuple[bytes, bytes]] = []
        shown = False
        try:
            incoming = Incoming(scope["headers"])
            request_id = incoming.request_id or run_id
            target, route = self._admit(scope, incoming)
            if target.mount is not None:
                await self._mounted(scope, receive, send, target, request_id)
                return
            if target.site is not None:
                shown = wants_page(incoming.first("accept"))
                if incoming.navigates and (place := self._path_mode.redirect(scope, incoming, target)) is not None:
                    await _send_redirect(send, 307, place, request_id)
                    return
                mounted = await self._site(scope, receive, send, incoming, target, request_id)
                if mounted is None:
                    return
                target, route, sandboxed = mounted
                shown = False
            if route is None:
                if target.shared_host and target.rest == "/" and incoming.navigates:
                    await _send_redirect(send, 307, b"/admin", request_id)
                    return
                await self._box_page(scope, receive, send, target, request_id)
                return
            invocation, client = self._invocation(scope, incoming, target, run_id, request_id)
            placement = choose(route, incoming, client)
            if target.shared_host:
                if incoming.navigates and (place := self._path_mode.redirect(scope, incoming, target)) is not None:
                    await _send_redirect(send, 307, place, request_id)
                    return
                sandboxed = [*self._path_mode.headers, *sandboxed]
            if trigger := scope.get("trigger"):  # from within the box, see `trials`
                invocation.trigger = trigger
            else:
                passage = self._policies.passage(placement, invocation, incoming, client, target.rest)
            if passage is not FREE:
                passage.admit()
                if incoming.has_body:
                    receive = await passage.admit_body(receive)
        except V8BoxError as error:
            answer = errors.answer(error, request_id, envelope=False)  # a policy knows of no handler's envelope
            passage.refused(error)
            passage.dress(answer, sandboxed)
            if told := scope.get("cache_status"):
                answer.headers.append((b"cache-status", NAME + told))
            if shown:
                as_page(answer)
            await _send_error(send, answer, scope["method"])
            return
        most = passage.max_body_bytes(self._max_body_bytes)
        exchange = Exchange(self._pool, placement, incoming, request_id, receive, send, most, started, passage)
        if sandboxed:
            exchange.extra_headers = sandboxed
        call: CacheCall | None = None
        try:
            if placement.manifest.cache.enabled and not trigger:
                query = scope["query_string"].decode("latin-1")
                call = self._cached_call(exchange, invocation, target, route, query, client)
                await self._cache.answer(call)
            else:
                await self.perform(exchange, invocation, target.rest, client)
        except BrokenResponse as error:
            logger.info("request %s: %s", request_id, error)
            raise  # the server drops the connection, so that the client sees a cut body as cut
        except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
            answer = errors.answer(error, request_id, envelope=self._pool.shape(placement) == "handler")
            passage.dress(answer, sandboxed)
            if call is not None and call.told:
                answer.headers.append((b"cache-status", NAME + call.told))
            if answer.reason != StopReason.CLIENT_GONE:  # nobody is there to read it
                await _send_error(send, answer, invocation.method)

    def _cached_call(
        self, exchange: Exchange, invocation: Invocation, target: Target, route: Route, query: str, client: str
    ) -> CacheCall:
        """What the response cache needs to answer, and to ask the worker where it cannot."""

        async def fetch(receive: Receive, send: Send, pairs: Pairs, query: str | None) -> None:
            asked = Invocation(self._ids.new(), invocation.method, invocation.url, pairs, origin=invocation.origin)
            if query is not None:
                asked.url = invocation.url.partition("?")[0] + ("?" + query if query else "")
            await self.perform(exchange.again(receive, send), asked, target.rest, client)

        return worker_call(route, target, exchange, invocation, query, fetch)

    async def perform(self, exchange: Exchange, invocation: Invocation, path: str, client: str) -> None:
        """One run, which is written down however it ends. Raises what `errors.answer` knows."""
        outcome = "ok"
        try:
            await exchange.perform(invocation)
        except BrokenResponse:
            outcome = exchange.run.death.reason if exchange.run and exchange.run.death else "broken"
            raise
        except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
            envelope = self._pool.shape(exchange.placement) == "handler"
            answer = errors.answer(error, exchange.request_id, envelope=envelope)
            outcome = answer.reason or ("exception" if isinstance(error, RunFailed) else "refused")
            exchange.status = answer.status
            if isinstance(error, RunFailed | StartupFailed):
                exchange.failure = error
            raise
        finally:
            self._recorder.over(exchange, invocation, path, outcome, client)

    async def _site(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        incoming: Incoming,
        target: Target,
        request_id: str,
    ) -> tuple[Target, Route, list[tuple[bytes, bytes]]] | None:
        """Answers from a site; gives the worker that answers instead, where one is mounted, and what the site says to
        its answer. Raises `V8BoxError`."""
        self._tell_of_client(scope, incoming, target)
        extra = self._path_mode.headers if target.shared_host else ()
        mounted = await self._sites.answer(scope, receive, send, incoming, target, request_id, extra)
        if mounted is None:
            return None
        route = self._routes().workers.get(mounted.key)
        if route is None:
            raise MountedWorkerMissing(mounted.key)
        found = Target(target.host_name, target.shared_host, mounted.key, target.rest, target.prefix)
        return found, route, mounted.headers

    async def _mounted(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, target: Target, request_id: str
    ) -> None:
        application = None if target.mount is None else self._parts.mounts.get(target.mount)
        if application is None:
            raise NotFound
        scope["root_path"] = target.prefix
        scope["request_id"] = request_id
        self._feed.deliver()  # what is asked there may be what has just happened
        await application(scope, receive, send)

    async def _box_page(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, target: Target, request_id: str
    ) -> None:
        page = self._parts.pages.get(target.rest)
        if page is None:
            raise NotFound
        if scope["method"] not in ("GET", "HEAD"):
            raise OnlyRead
        scope["root_path"] = target.prefix
        scope["request_id"] = request_id
        self._feed.deliver()
        await page(scope, receive, send)

    # ---- websocket

    async def _websocket(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        passage: FreePassage = FREE
        scope["method"] = "GET"
        scope["scheme"] = "https" if scope["scheme"] == "wss" else "http"
        try:
            incoming = Incoming(scope["headers"])
            target, route = self._admit(scope, incoming)
            if target.mount in ("admin", "db"):
                await self._mounted(scope, receive, send, target, incoming.request_id or self._ids.new())
                return
            if target.site is not None:
                self._tell_of_client(scope, incoming, target)
                key = await self._sites.worker_at(scope, incoming, target)
                route = self._routes().workers.get(key)
                if route is None:
                    raise MountedWorkerMissing(key)
                target = Target(target.host_name, target.shared_host, key, target.rest or "/", target.prefix)
            if route is None:
                raise NotFound
            run_id = self._ids.new()
            request_id = incoming.request_id or run_id
            invocation, client = self._invocation(scope, incoming, target, run_id, request_id)
            placement = choose(route, incoming, client)
            passage = self._policies.passage(placement, invocation, incoming, client, target.rest, upgrade=True)
            if passage is not FREE:
                passage.admit()
        except V8BoxError as error:
            passage.refused(error)
            logger.info("a WebSocket was refused: %s", error.detail)
            await receive()
            await refuse_websocket(send, error.detail)
            return
        invocation.upgrade = True
        invocation.headers = [*invocation.headers, ("upgrade", "websocket"), ("connection", "Upgrade")]
        exchange = Exchange(self._pool, placement, incoming, request_id, receive, send, 0, started)
        outcome = "ok"
        try:
            outcome = await serve_websocket(exchange, self._pool, invocation)
        finally:
            self._recorder.over(exchange, invocation, target.rest, outcome, client)


async def _send_redirect(send: Send, status: int, place: bytes, request_id: str) -> None:
    headers = [SERVER, (b"location", place), (b"x-request-id", request_id.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_error(send: Send, answer: errors.ErrorAnswer, method: str) -> None:
    headers = [SERVER, *answer.headers]
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body, "more_body": False})
