"""Workers that call workers: a run inside the box, without a socket, written down like any other.

The callee is the one that is live in the caller's project and environment, its own limits hold, and it belongs to the
caller's trace. What the gateway asks of strangers (API keys, CORS, rate limits, schemas, the response cache) is not
asked of a worker of the same project; the project's daily quota is. A call that could only wait for itself is refused
at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

from v8box.bindings.interface import BindingError
from v8box.bindings.services.interface import ServiceAnswer, ServiceRequest
from v8box.catalog.model import Placement, RouteTable, route_key
from v8box.errors import NoCapacity, V8BoxError
from v8box.gateway import errors
from v8box.gateway.caught import Caught
from v8box.gateway.headers import Incoming
from v8box.gateway.invoke import BrokenResponse, Exchange, Message
from v8box.gateway.origins import Origins
from v8box.gateway.policies.order import Usage
from v8box.gateway.request_ids import RequestIds
from v8box.gateway.split import choose
from v8box.kit.tasks import TaskSet
from v8box.pool.pool import Pool
from v8box.sandbox.channel import StreamClosed
from v8box.sandbox.interface import CallRefused, Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import Run
from v8box.telemetry.origin import Origin

MAX_DEPTH: Final = 16
"""Runs above and below each other: the first one has been called from outside."""
MAX_RUNS: Final = 1_000
"""Runs of one request together: workers that each call several would multiply without end."""

_NOT_PASSED: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    }
)
_KEPT_BACK: Final = frozenset({b"server", b"x-request-id", b"server-timing"})


class Perform(Protocol):
    """Runs an exchange and writes it down. Raises what `errors.answer` knows, and `BrokenResponse`."""

    def __call__(self, exchange: Exchange, invocation: Invocation, path: str, client: str) -> Awaitable[None]: ...


class WaitsForItself(V8BoxError):
    """Every place of the worker is taken by runs that wait for this call."""

    status = 503
    code = "service_loop"


class ServiceCalls:
    """`CallService` of the box. It serves once it is attached to the pool and the gateway, which are made later."""

    def __init__(self, routes: Callable[[], RouteTable], usage: Usage, origins: Origins, max_body_bytes: int) -> None:
        self._routes = routes
        self._usage = usage
        self._origins = origins
        self._ids = RequestIds()
        self._max_body_bytes = max_body_bytes
        self._tasks = TaskSet()
        self._pool: Pool
        self._perform: Perform
        self._waits: _Waits

    def attach(self, pool: Pool, perform: Perform) -> None:
        self._pool, self._perform, self._waits = pool, perform, _Waits(pool)

    async def stop(self) -> None:
        await self._tasks.cancel()

    async def __call__(self, asked: ServiceRequest) -> ServiceAnswer:
        began = time.perf_counter()
        placement, incoming, invocation = self._prepare(asked)
        origin = invocation.origin
        if origin is None:
            raise AssertionError("a call between workers has an origin")
        body = _Body(asked.body)
        caught = Caught(f"{asked.service} did not send its body to the end")
        exchange = _ServiceExchange(
            self._pool, placement, incoming, origin.request_id, body.receive, caught.send, self._max_body_bytes, began
        )
        exchange.waits = self._waits
        running = self._run(exchange, invocation, urlsplit(asked.url).path or "/", caught)
        task = self._tasks.add(running, f"service {asked.service}")
        try:
            await caught.begun
        except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
            if body.fault is not None:
                raise body.fault from error
            return self._unanswered(asked.service, exchange, error)
        except BrokenResponse as error:
            raise BindingError("service_broken", f"{asked.service} did not answer: {error}") from error
        except BaseException:
            task.cancel()
            raise
        return ServiceAnswer(status=caught.head["status"], headers=caught.headers(_KEPT_BACK), body=caught.body(task))

    def _prepare(self, asked: ServiceRequest) -> tuple[Placement, Incoming, Invocation]:
        """Whom to run, and with what. Raises `BindingError`."""
        caller, service = asked.caller, asked.service
        above = asked.origin or self._origins.of(Incoming(()), caller.run, "")
        if len(above.above) + 2 > MAX_DEPTH:
            raise BindingError("service_loop", f"workers that call each other may be {MAX_DEPTH} deep, and these are")
        if above.family.runs >= MAX_RUNS:
            raise BindingError("service_limit", f"one request may lead to {MAX_RUNS} runs, and this one has")
        route = self._routes().workers.get(route_key(caller.project, service, caller.environment))
        if route is None or (route.project, route.worker, route.environment) != (
            caller.project,
            service,
            caller.environment,
        ):
            where = f"There is no worker {service} in {caller.environment} of the project {caller.project}"
            raise BindingError("service_not_found", f"{where}: deploy it.")
        if (over := self._usage.over(caller.project)) is not None:
            raise BindingError(over.code, over.detail)
        span = self._origins.ids.span()
        if asked.span is not None:
            asked.span.id = span
        origin = above.child(self._origins.ids, caller.run, span)
        incoming = Incoming(_raw(asked))
        try:
            placement = choose(route, incoming, origin.client)
        except V8BoxError as error:
            raise BindingError(error.code, error.detail) from error
        above.family.runs += 1
        pairs = [pair for pair in asked.headers if pair[0] not in _NOT_PASSED and not pair[0].startswith("x-v8box-")]
        pairs += (
            ("host", urlsplit(asked.url).netloc.rpartition("@")[2]),
            ("x-request-id", origin.request_id),
            ("traceparent", origin.header),
        )
        if origin.state:
            pairs.append(("tracestate", origin.state))
        if incoming.content_length is not None:
            pairs.append(("content-length", str(incoming.content_length)))
        return (
            placement,
            incoming,
            Invocation(self._ids.new(), asked.method, asked.url, pairs, trigger="service", origin=origin),
        )

    async def _run(self, exchange: Exchange, invocation: Invocation, path: str, caught: Caught) -> None:
        client = invocation.origin.client if invocation.origin is not None else ""
        try:
            await self._perform(exchange, invocation, path, client)
        except (RunFailed, RunKilled, StartupFailed, V8BoxError, BrokenResponse) as error:
            caught.fail(error)  # its reader says so
        except BaseException as error:
            caught.fail(error)
            raise

    def _unanswered(self, service: str, exchange: Exchange, error: Exception) -> ServiceAnswer:
        """What the caller hears of a run that gave no answer of its own. Raises `BindingError`."""
        match error:
            case RunFailed() if error.caller or error.status is not None:
                # The worker throws to answer with a status: an answer like others.
                envelope = self._pool.shape(exchange.placement) == "handler"
                made = errors.answer(error, exchange.request_id, envelope=envelope)
                headers = [(name.decode(), value.decode("latin-1")) for name, value in made.headers]
                return ServiceAnswer(status=made.status, headers=headers, body=made.body)
            case RunFailed():
                raise BindingError("service_threw", f"{service} threw {error.name}: {error.message}") from error
            case RunKilled(death=death):
                details = {"reason": str(death.reason), "limit": death.limit, "used": death.used}
                raise BindingError("service_killed", f"{service} was stopped: {death.detail}", details) from error
            case StartupFailed():
                message = f"{service} could not be started; its log says why."
                raise BindingError("service_unavailable", message) from error
            case NoCapacity():
                raise BindingError("service_overloaded", f"{service} is busy: {error.detail}") from error
            case V8BoxError() if error.status < 500 or isinstance(error, WaitsForItself):
                raise BindingError(error.code, f"{service}: {error.detail}") from error
            case V8BoxError():
                raise BindingError("service_unavailable", f"{service}: {error.detail}") from error
            case _:
                raise error


def _raw(asked: ServiceRequest) -> list[tuple[bytes, bytes]]:
    """The headers as the gateway reads a request's, with what the call itself says of its body."""
    raw = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers if name not in _NOT_PASSED
    ]
    if isinstance(asked.body, bytes):
        raw.append((b"content-length", b"%d" % len(asked.body)))
    elif asked.body is not None:
        length = asked.length
        raw.append((b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length))
    return raw


class _Body:
    """The request's body as an exchange reads it. After it there is nothing to read for as long as the caller is
    there: when it goes, the exchange is cancelled."""

    def __init__(self, body: bytes | AsyncIterator[bytes] | None) -> None:
        self._body = body
        self.fault: BindingError | None = None

    async def receive(self) -> Message:
        body = self._body
        if body is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(body, bytes):
            self._body = None
            return {"type": "http.request", "body": body, "more_body": False}
        assert body is not None  # noqa: S101 - a future that nobody sets is awaited for ever
        try:
            chunk = await anext(body)
        except StopAsyncIteration:
            self._body = None
            return {"type": "http.request", "body": b"", "more_body": False}
        except BindingError as error:
            self.fault = error
        except CallRefused as error:
            self.fault = BindingError(error.code, error.message, error.details)
        except StreamClosed as error:
            self.fault = BindingError("STREAM_ENDED", str(error))
        else:
            return {"type": "http.request", "body": chunk, "more_body": True}
        self._body = None
        return {"type": "http.disconnect"}


class _ServiceExchange(Exchange):
    """An exchange whose wait for a sandbox may be in vain."""

    __slots__ = ("waits",)

    waits: _Waits

    async def wait_turn(self, invocation: Invocation, leaving: asyncio.Future[None] | None) -> Run:
        with self.waits.waiting(self.placement, invocation.origin):
            return await super().wait_turn(invocation, leaving)


class _Waits:
    """Who waits for a place of which worker version. A call goes on only when a run ends there; when each of them is
    above a call that waits for the same version, none will."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._above: dict[str, Counter[str]] = {}

    @contextmanager
    def waiting(self, placement: Placement, origin: Origin | None) -> Iterator[None]:
        """Raises `WaitsForItself`."""
        above = origin.above if origin is not None else ()
        waiting = self._above.setdefault(placement.key, Counter())
        waiting.update(above)
        try:
            limits = placement.manifest.limits
            stuck = sum(1 for run in self._pool.holders(placement) if run in waiting)
            if stuck >= limits.concurrency * limits.max_instances:
                raise WaitsForItself(
                    "Every place it has is taken by runs that wait for this very call; raise its limits.concurrency or "
                    "limits.max_instances, or do not call in a circle."
                )
            yield
        finally:
            waiting.subtract(above)
            for run in above:
                if waiting[run] <= 0:
                    del waiting[run]
            if not waiting and self._above.get(placement.key) is waiting:
                del self._above[placement.key]
