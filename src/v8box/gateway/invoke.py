"""One HTTP request to a worker: lease, send, answer. The middle of the request path.

`server.py` has found the worker and read the headers; `pool` gives the run; what comes back leaves here. Bodies pass in
chunks with back-pressure both ways; a client that goes away ends the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from v8box.catalog.model import Placement
from v8box.errors import PayloadTooLarge, RequestTimeout, StopReason
from v8box.gateway.headers import SERVER, Incoming, declared_length, outgoing
from v8box.gateway.policies.passage import FREE, FreePassage
from v8box.pool.pool import Pool
from v8box.sandbox.channel import Inbound, Outbound, StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import Response, Run

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

INLINE_BODY_BYTES: Final = 64 * 1024
"""A request body up to this long goes with the invocation; a longer one, or one of unknown length, is streamed."""

INLINE_BODY_SECONDS: Final = 30.0
"""How long a short body may take to arrive; no run has begun by then whose wall time would end it."""

_EMPTY: Final = (204, 304)


class Exchange:
    """The request and the response of one run, from the gateway's side."""

    __slots__ = (
        "_gone",
        "_pool",
        "_pump",
        "_watch",
        "answered",
        "began",
        "bytes_in",
        "bytes_out",
        "ended",
        "extra_headers",
        "failure",
        "incoming",
        "max_body_bytes",
        "passage",
        "placement",
        "receive",
        "request_id",
        "run",
        "send",
        "started",
        "status",
    )

    def __init__(
        self,
        pool: Pool,
        placement: Placement,
        incoming: Incoming,
        request_id: str,
        receive: Receive,
        send: Send,
        max_body_bytes: int,
        began: float,
        passage: FreePassage = FREE,
    ) -> None:
        # per gateway
        self._pool = pool
        self.max_body_bytes = max_body_bytes
        # per request
        self.passage = passage
        self.placement = placement
        self.request_id = request_id
        self.began = began
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        self.incoming = incoming
        self.receive = receive
        self.send = send
        self._pump: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._gone = False
        self.run: Run | None = None
        self.failure: RunFailed | StartupFailed | None = None
        # what is known of the answer
        self.started = False
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.answered = 0.0
        """When the head of an answer was sent whose body is a stream."""
        self.ended = 0.0

    def again(self, receive: Receive, send: Send) -> Exchange:
        """Another run for the same request, without what policies say of its answer."""
        return Exchange(
            self._pool,
            self.placement,
            self.incoming,
            self.request_id,
            receive,
            send,
            self.max_body_bytes,
            time.perf_counter(),
        )

    async def perform(self, invocation: Invocation) -> None:
        """Runs the worker and sends what it answers. Raises what `errors.answer` knows when nothing was sent yet."""
        incoming = self.incoming
        if incoming.has_body:
            length = incoming.content_length
            if length is not None and length > self.max_body_bytes:
                raise PayloadTooLarge(f"The request body is longer than {self.max_body_bytes} bytes.")
            if length is not None and length <= INLINE_BODY_BYTES:
                invocation.body = await self._read_whole(length)
                self.bytes_in = length
            else:
                invocation.body = None
        run = self._pool.try_run(self.placement, invocation)
        if run is None:
            run = await self._queue(invocation)
        else:
            self.run = run
        try:
            if run.request is not None:
                pump = self._pump_body(run, run.request)
                self._pump = asyncio.get_running_loop().create_task(pump, name="request body")
            else:
                run.on_slow = self._watch_client
            response = await run.response
            await self._respond(run, response, invocation)
        except (RunFailed, RunKilled, PayloadTooLarge, BrokenResponse):
            raise  # the run has ended, or ends by itself
        except BaseException:
            self.abandon("the request was given up")
            raise
        finally:
            run.on_slow = None
            if self._watch is not None:
                self._watch.cancel()
            if self._pump is not None:
                self._pump.cancel()

    async def _queue(self, invocation: Invocation) -> Run:
        if invocation.body is None:
            return await self.wait_turn(invocation, None)  # its body is not read yet, so nobody can tell that it left
        leaving = asyncio.ensure_future(self._disconnected())
        try:
            return await self.wait_turn(invocation, leaving)
        finally:
            leaving.cancel()

    async def wait_turn(self, invocation: Invocation, leaving: asyncio.Future[None] | None) -> Run:
        """Waits for a sandbox; a client that leaves meanwhile takes its place in the queue with it."""
        waiting = asyncio.ensure_future(self._pool.queue_run(self.placement, invocation))
        try:
            await asyncio.wait(
                (waiting,) if leaving is None else (waiting, leaving), return_when=asyncio.FIRST_COMPLETED
            )
            if leaving is not None and leaving.done():
                raise RunKilled(Death(reason=StopReason.CLIENT_GONE, detail="the client went away while it waited"))
            self.run = waiting.result()
            return self.run
        except BaseException:
            if not waiting.cancel() and not waiting.cancelled() and waiting.exception() is None:
                self.run = waiting.result()  # it began in the very moment in which it was given up
                self.abandon("the request was given up")
            raise

    # ---- the request's body

    async def _read_whole(self, length: int) -> bytes:
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            try:
                async with asyncio.timeout(INLINE_BODY_SECONDS):
                    while message["type"] == "http.request" and message.get("more_body", False):
                        message = await self.receive()
                        body += message.get("body", b"")
            except TimeoutError:
                raise RequestTimeout from None
        if message["type"] != "http.request" or len(body) != length:
            raise RunKilled(
                Death(reason=StopReason.CLIENT_GONE, detail="the client went away in the middle of its body")
            )
        return body

    async def _pump_body(self, run: Run, outbound: Outbound) -> None:
        """Hands the body on as the worker takes it."""
        received = 0
        try:
            while True:
                message = await self.receive()
                if message["type"] != "http.request":
                    self.abandon("the client went away")
                    return
                chunk: bytes = message.get("body", b"")
                received += len(chunk)
                self.bytes_in = received
                if received > self.max_body_bytes:
                    run.cancel("the request body is too large")
                    if not run.response.done():
                        error = PayloadTooLarge(f"The request body is longer than {self.max_body_bytes} bytes.")
                        run.response.set_exception(error)
                    return
                run.progress = asyncio.get_running_loop().time()
                await outbound.write(chunk)
                if not message.get("more_body", False):
                    outbound.end()
                    break
        except StreamClosed:
            # The worker does not want the rest. It is read and dropped, so that the answer can reach the client.
            await self._drop_body(received)
        await self._disconnected()
        self.abandon("the client went away")

    async def _drop_body(self, received: int) -> None:
        while received <= self.max_body_bytes:
            message = await self.receive()
            received += len(message.get("body", b""))
            self.bytes_in = received
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    # ---- the client's presence

    def _watch_client(self) -> None:
        """The run is slow enough for the client to lose patience: watch for that."""
        if self._watch is None and self._pump is None:
            self._watch = asyncio.get_running_loop().create_task(self._abandon_when_gone(), name="client watch")

    async def _abandon_when_gone(self) -> None:
        await self._disconnected()
        self.abandon("the client went away")

    async def _disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def abandon(self, detail: str) -> None:
        """Nobody waits any more: the run is told, and what waits for it here fails."""
        run = self.run
        if run is None or run.done:
            return
        self._gone = True
        run.cancel(detail)
        run.kill(Death(reason=StopReason.CLIENT_GONE, detail=detail))

    # ---- the response

    async def _respond(self, run: Run, response: Response, invocation: Invocation) -> None:
        headers = outgoing(response.headers)
        if self.passage is not FREE:
            headers = self.passage.finish(headers)
        headers += (SERVER, (b"x-request-id", self.request_id.encode()))
        timing = b"v8box;dur=%.2f" % ((time.perf_counter() - self.began) * 1000)
        if run.cold_seconds:
            timing += b", cold;dur=%.2f" % (run.cold_seconds * 1000)
        headers.append((b"server-timing", timing))
        if self.extra_headers is not None:
            headers += self.extra_headers
        body = response.body
        self.status = response.status
        self.started = True
        if isinstance(body, bytes):
            if invocation.method == "HEAD":
                if (length := declared_length(response.headers)) is not None:
                    headers.append((b"content-length", b"%d" % length))  # of what a GET would give
            elif response.status not in _EMPTY:
                headers.append((b"content-length", b"%d" % len(body)))
            await self.send({"type": "http.response.start", "status": response.status, "headers": headers})
            self.bytes_out = len(body)
            await self.send({"type": "http.response.body", "body": body, "more_body": False})
            return
        length = declared_length(response.headers)
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})
        self.answered = time.perf_counter()
        self._watch_client()
        await self._stream(run, body, length)

    async def _stream(self, run: Run, body: Inbound, length: int | None) -> None:
        """Passes chunks on as they come; the worker sends more only when the client has taken them."""
        limit = self.placement.manifest.limits.response_mb * 1024 * 1024
        loop = asyncio.get_running_loop()
        while True:
            try:
                chunk = await body.read()
            except StreamClosed as error:
                raise BrokenResponse(str(error)) from error
            if not chunk:
                break
            self.bytes_out += len(chunk)
            if length is not None and self.bytes_out > length:
                detail = "the worker sent more than its Content-Length"
                run.cancel(detail)
                body.fail(detail)
                raise BrokenResponse(detail)
            if self.bytes_out > limit:
                detail = f"the response is longer than limits.response_mb ({limit // 1048576})"
                run.cancel(detail)
                run.kill(Death(reason=StopReason.RESPONSE_BYTES, detail=detail, limit=limit // 1048576))
                raise BrokenResponse(detail)
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            run.progress = loop.time()
            if self._gone:
                raise BrokenResponse("the client went away")
        if length is not None and self.bytes_out != length:
            raise BrokenResponse("the worker sent less than its Content-Length")
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


class BrokenResponse(Exception):
    """The response cannot be completed; the connection must not look as if it were."""
