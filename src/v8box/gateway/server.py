"""The ASGI application: every request enters here. Read on in `routing`, `policy`, `invoke`, `websocket`, `errors`."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from v8box.catalog.model import RouteTable, Version
from v8box.errors import HeadersTooLarge, MethodNotAllowed, NotFound, UriTooLong, V8BoxError
from v8box.gateway import errors
from v8box.gateway.headers import Incoming
from v8box.gateway.invoke import BrokenResponse, Exchange, Receive, Send
from v8box.gateway.policy import PathModePolicy
from v8box.gateway.request_ids import RequestIds
from v8box.gateway.routing import HostKind, Router, ToBox, ToWorker
from v8box.gateway.websocket import serve_websocket
from v8box.pool.pool import Pool
from v8box.sandbox.interface import Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import Run
from v8box.settings import Box, Requests
from v8box.telemetry.runs import RunLog, RunRecord

logger = logging.getLogger(__name__)

Page = Callable[[], Awaitable[tuple[int, bytes]]]
"""A page of the box: gives a status and a JSON body."""

_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the gateway is put together from."""

    box: Box
    requests: Requests
    routes: Callable[[], RouteTable]
    pool: Pool
    pages: Mapping[str, Page]
    runs: RunLog


class Gateway:
    """Routes requests, applies policies, answers."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._router = Router(parts.box.domain)
        self._ids = RequestIds()
        self._path_mode = PathModePolicy(parts.box.domain)
        self._trusted = parts.box.trusted_proxies
        self._max_url_bytes = parts.requests.max_url_bytes
        self._max_header_bytes = parts.requests.max_header_bytes
        self._max_body_bytes = parts.requests.max_body_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            raise RuntimeError(f"an ASGI scope of type {scope['type']!r} is not served")

    # ---- http

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = ""
        try:
            incoming = Incoming(scope["headers"])
            request_id = incoming.request_id or self._ids.new()
            target = self._target(scope, incoming)
            if type(target) is ToBox:
                await self._box_page(scope["method"], target, request_id, send)
                return
            version = self._version(target)
        except V8BoxError as error:
            await _send_error(send, errors.answer(error, request_id, envelope=False), request_id, scope["method"])
            return
        redirect = self._path_mode.redirect(scope, incoming)
        if redirect is not None:
            await send({"type": "http.response.start", "status": 307, "headers": [(b"location", redirect)]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await self._run(scope, receive, send, incoming, target, version, request_id, started)

    def _target(self, scope: MutableMapping[str, Any], incoming: Incoming) -> ToWorker | ToBox:
        raw_path: str = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        if len(raw_path) + len(scope["query_string"]) > self._max_url_bytes:
            raise UriTooLong
        if incoming.size > self._max_header_bytes:
            raise HeadersTooLarge
        if scope["method"] in _REFUSED_METHODS:
            raise MethodNotAllowed
        host = self._router.host(incoming.host)
        incoming.host_name = host.name
        incoming.shared_host = host.kind is HostKind.PATHS
        return self._router.route(host, raw_path)

    def _version(self, target: ToWorker) -> Version:
        version = self._parts.routes().workers.get(target.worker)
        if version is None:
            raise NotFound(f"There is no worker called {target.worker}.")
        return version

    async def _run(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        incoming: Incoming,
        target: ToWorker,
        version: Version,
        request_id: str,
        started: float,
    ) -> None:
        method: str = scope["method"]
        invocation, client = self._invocation(scope, incoming, target, request_id, method)
        exchange = Exchange(self._parts.pool, version, incoming, receive, send, self._max_body_bytes)
        id_header = (b"x-request-id", request_id.encode())
        shared = incoming.shared_host and incoming.browser

        def extra(run: Run) -> list[tuple[bytes, bytes]]:
            timing = b"v8box;dur=%.2f" % ((time.perf_counter() - started) * 1000)
            if run.cold_seconds:
                timing += b", cold;dur=%.2f" % (run.cold_seconds * 1000)
            more = [id_header, (b"server-timing", timing)]
            return more + self._path_mode.headers if shared else more

        outcome = "ok"
        try:
            await exchange.perform(invocation, extra)
        except BrokenResponse as error:
            outcome = exchange.run.death.reason if exchange.run and exchange.run.death else "broken"
            logger.info("run %s: %s", request_id, error)
            raise  # the server drops the connection, so that the client sees a cut body as cut
        except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
            problem = errors.answer(error, request_id, envelope=self._parts.pool.shape(version) == "handler")
            outcome = problem.reason or ("exception" if isinstance(error, RunFailed) else "refused")
            exchange.status = problem.status
            if problem.status != errors.CLIENT_GONE_STATUS:
                await _send_error(send, problem, request_id, method)
        finally:
            run = exchange.run
            if outcome == "ok" and run is not None and run.death is not None:
                outcome = run.death.reason
            duration = (time.perf_counter() - started) * 1000
            self._parts.runs.run(
                RunRecord(
                    request_id,
                    time.time() - duration / 1000,
                    version.worker,
                    version.id,
                    "http",
                    method,
                    target.rest,
                    exchange.status,
                    str(outcome),
                    round(duration, 2),
                    round(run.cold_seconds * 1000, 2) if run else 0.0,
                    round(run.cpu_seconds * 1000, 1) if run else 0.0,
                    exchange.bytes_out,
                    client,
                )
            )

    def _invocation(
        self, scope: MutableMapping[str, Any], incoming: Incoming, target: ToWorker, request_id: str, method: str
    ) -> tuple[Invocation, str]:
        client = incoming.forwarded(
            scope["client"][0] if scope.get("client") else "", scope["scheme"], incoming.host_name, target.prefix, self._trusted
        )
        pairs = incoming.pairs
        pairs.append(("x-request-id", request_id))
        query: bytes = scope["query_string"]
        url = f"{incoming.proto}://{incoming.host_name}{target.rest}"
        if query:
            url += "?" + query.decode("latin-1")
        return Invocation(request_id, method, url, pairs), client

    async def _box_page(self, method: str, target: ToBox, request_id: str, send: Send) -> None:
        page = self._parts.pages.get(target.path)
        if page is None:
            raise NotFound
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed("This address answers GET and HEAD.")
        status, body = await page()
        headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body, "more_body": False})

    # ---- websocket

    async def _websocket(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request_id = ""
        scope["method"] = "GET"
        started = time.perf_counter()
        try:
            incoming = Incoming(scope["headers"])
            request_id = incoming.request_id or self._ids.new()
            target = self._target(scope, incoming)
            if type(target) is ToBox:
                raise NotFound
            version = self._version(target)
            scope["scheme"] = "https" if scope["scheme"] == "wss" else "http"
            invocation, client = self._invocation(scope, incoming, target, request_id, "GET")
        except V8BoxError as error:
            logger.info("a WebSocket was refused: %s", error.detail)
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": error.detail[:100]})
            return
        invocation.upgrade = True
        invocation.headers = [*incoming.pairs, ("upgrade", "websocket"), ("connection", "Upgrade")]
        result = await serve_websocket(self._parts.pool, version, invocation, receive, send)
        duration = (time.perf_counter() - started) * 1000
        self._parts.runs.run(
            RunRecord(
                request_id,
                time.time() - duration / 1000,
                version.worker,
                version.id,
                "http",
                "GET",
                target.rest,
                result.status,
                result.outcome,
                round(duration, 2),
                0.0,
                0.0,
                result.bytes_out,
                client,
            )
        )


async def _send_error(send: Send, problem: errors.ErrorAnswer, request_id: str, method: str) -> None:
    headers = [*problem.headers, (b"x-request-id", request_id.encode()), (b"content-length", b"%d" % len(problem.body))]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else problem.body, "more_body": False})


