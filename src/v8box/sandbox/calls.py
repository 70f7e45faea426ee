"""The binding calls of one sandbox: from the CALL frame to the server of calls and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from v8box.catalog.model import Placement
from v8box.sandbox.channel import Channel, Inbound, Outbound, StreamClosed
from v8box.sandbox.interface import CallAnswer, CallRefused, CallServer
from v8box.sandbox.protocol import CHUNK_BYTES, MAX_OPEN_CALLS, Flag, Kind, ProtocolError
from v8box.sandbox.run import Run
from v8box.telemetry.meter import Meter

logger = logging.getLogger(__name__)

_encode = msgspec.json.encode
_decode_call = msgspec.json.Decoder(tuple[int, str, str, Any]).decode
_END = int(Flag.END)
_BODY = int(Flag.BODY)
_MAX_HELD_BYTES = 64 * 1024 * 1024


class _Call:
    __slots__ = ("held", "receiving", "run", "sending", "task")

    def __init__(self, run: Run, held: int) -> None:
        self.run = run
        self.held = held
        self.task: asyncio.Task[None] | None = None
        self.receiving: Inbound | None = None
        self.sending: Outbound | None = None


def meter_of(run: Run) -> Meter:
    """The run's meter, from the first thing on that it has to count."""
    if run.meter is None:
        run.meter = Meter(run.origin)
    return run.meter


class Calls:
    """Runs each call as its own task, cancelled when its run ends."""

    def __init__(self, channel: Channel, server: CallServer) -> None:
        self._channel = channel
        self._server = server
        self._open: dict[int, _Call] = {}
        self._held = 0

    def open(
        self, placement: Placement, runs: dict[int, Run], flags: int, stream: int, head: bytes, body: bytes
    ) -> None:
        """A CALL frame came. Raises `ProtocolError` for what no shim sends."""
        try:
            run_stream, binding, operation, args = _decode_call(head)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ProtocolError(f"a CALL head that cannot be read: {error}") from error
        if not stream & 1 or stream in self._open or len(self._open) >= MAX_OPEN_CALLS:
            raise ProtocolError("a CALL on a stream that cannot be opened")
        run = runs.get(run_stream)
        if run is None:
            # The run has just ended here (its client left) while the worker was sending this.
            self._refuse(stream, "RUN_ENDED", "the run this call belongs to is over")
            return
        call = self._open[stream] = _Call(run, len(head) + len(body))
        self._held += call.held
        if self._held > _MAX_HELD_BYTES:
            raise ProtocolError("more bytes in open calls than a worker may hold in the box")
        source: bytes | AsyncIterator[bytes] | None = None
        if flags & _BODY:
            if flags & _END:
                source = body
            else:
                call.receiving = Inbound(self._channel, stream)
                if body:
                    call.receiving.feed(body, False)
                source = call.receiving.__aiter__()
        if run.calls is None:
            run.calls = set()
            meter_of(run)
        run.calls.add(stream)
        call.task = asyncio.get_running_loop().create_task(
            self._serve(placement, stream, call, binding, operation, args, source), name=f"call {binding}.{operation}"
        )
        # Not in the task itself: one that is cancelled before its first step never gets to its `finally`.
        call.task.add_done_callback(lambda _: self._close(stream))

    async def _serve(
        self,
        placement: Placement,
        stream: int,
        call: _Call,
        binding: str,
        operation: str,
        args: Any,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> None:
        try:
            run = call.run
            if run.meter is None:
                raise AssertionError("a run that makes calls has a meter")
            answer = await self._server.serve(placement, run.id, run.meter, call.held, binding, operation, args, body)
            await self._answer(stream, call, answer)
        except CallRefused as error:
            self._refuse(stream, error.code, error.message, error.details)
        except StreamClosed as error:
            self._refuse(stream, "STREAM_ENDED", str(error))
        except Exception:
            logger.exception("the answer to %s.%s cannot be sent", binding, operation)
            self._refuse(stream, "INTERNAL", "the answer cannot be sent; the log of the box says why")

    async def _answer(self, stream: int, call: _Call, answer: CallAnswer) -> None:
        head = _encode({"result": answer.result})
        body = answer.body
        if body is None:
            self._channel.send(Kind.ANSWER, _END, stream, head)
        elif isinstance(body, bytes) and len(body) <= CHUNK_BYTES:
            self._channel.send(Kind.ANSWER, _END | _BODY, stream, head, body)
        else:
            call.sending = Outbound(self._channel, stream)
            self._channel.send(Kind.ANSWER, _BODY, stream, head)
            try:
                await _send_body(call.sending, body)
            except (CallRefused, StreamClosed, OSError) as error:
                # The head is out, so the fault goes after it: the reader's stream errors instead of ending short.
                self._channel.send(Kind.CANCEL, 0, stream, _encode({"reason": str(error)}))

    def _refuse(self, stream: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        head: dict[str, Any] = {"code": code, "message": message}
        if details:
            head["details"] = details
        self._channel.send(Kind.ANSWER, _END, stream, _encode(head))

    def _close(self, stream: int) -> None:
        call = self._open.pop(stream, None)
        if call is None:
            return
        self._held -= call.held
        if call.run.calls is not None:
            call.run.calls.discard(stream)

    # what else comes on a call's stream

    def body(self, stream: int, chunk: bytes, end: bool) -> None:
        call = self._open.get(stream)
        if call is not None and call.receiving is not None:
            call.receiving.feed(chunk, end)

    def credit(self, stream: int, count: int) -> None:
        call = self._open.get(stream)
        if call is not None and call.sending is not None:
            call.sending.grant(count)

    def cancel(self, stream: int, reason: str) -> None:
        """The worker gave the call up."""
        call = self._open.get(stream)
        if call is None:
            return
        if call.sending is not None:
            call.sending.fail(reason)
            # The worker forgets a call when the box has ended it too.
            self._channel.send(Kind.CANCEL, 0, stream, _encode({"reason": reason}))
        if call.task is not None:
            call.task.cancel()  # its source may have nothing to send for long, and must not stay open meanwhile

    def end_run(self, placement: Placement, run: Run) -> None:
        """Cancels what the run left open; the server hears of the run's end after its last call."""
        meter = run.meter
        if run.calls is None or meter is None:
            return
        tasks = [call.task for stream in tuple(run.calls) if (call := self._open.get(stream)) and call.task]
        for task in tasks:
            task.cancel()
        if tasks:
            asyncio.gather(*tasks, return_exceptions=True).add_done_callback(
                lambda _: self._server.run_ended(placement, run.id, meter)
            )
        else:
            self._server.run_ended(placement, run.id, meter)

    @property
    def open_count(self) -> int:
        return len(self._open)


async def _send_body(sending: Outbound, body: bytes | AsyncIterator[bytes]) -> None:
    if isinstance(body, bytes):
        await sending.write(body)
    else:
        try:
            async for chunk in body:
                await sending.write(chunk)
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()
    sending.end()
