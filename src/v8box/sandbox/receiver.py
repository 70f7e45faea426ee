"""What a sandbox's process says of its runs: every frame that it sends arrives here.

A worker's code has taken over its shim, for all that is known here: what the protocol forbids raises `ProtocolError`,
which costs the worker its process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from v8box.errors import StopReason
from v8box.sandbox.calls import Calls, meter_of
from v8box.sandbox.channel import Channel, Inbound
from v8box.sandbox.heads import (
    close_head,
    failure_head,
    fetch_head,
    fetched_head,
    log_head,
    metric_head,
    reason_head,
    response_head,
)
from v8box.sandbox.interface import CallServer, Death, LogLine, RunFailed, SandboxObserver
from v8box.sandbox.limits import flood_death
from v8box.sandbox.protocol import (
    LOG_FLOOD_FACTOR,
    WINDOW_BYTES,
    Flag,
    Kind,
    Level,
    ProtocolError,
    unpack_credit,
)
from v8box.sandbox.run import MAX_MESSAGE_BYTES, Messages, Response, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from v8box.sandbox.deno import DenoSandbox

_END, _TEXT, _DONE, _UPGRADE = int(Flag.END), int(Flag.TEXT), int(Flag.DONE), int(Flag.UPGRADE)
_MAX_METRIC_BYTES_PER_TICK: Final = 64 * 1024
_MAX_LOG_BYTES_PER_TICK: Final = 8 * 1024 * 1024
_MAX_STACK_CHARS: Final = 20_000
_MAX_MESSAGE_CHARS: Final = 2_000
_MAX_NAME_CHARS: Final = 200
_MAX_WORD_CHARS: Final = 64
_MAX_HOST_CHARS: Final = 255
_SPAN: Final = re.compile("[0-9a-f]{16}")


class Receiver:
    """The handler of one sandbox's channel. `runs`: those that go on, by their stream."""

    def __init__(
        self, sandbox: DenoSandbox, calls: CallServer, observer: SandboxObserver, time: Callable[[], float]
    ) -> None:
        self.channel = Channel(self)
        self.calls = Calls(self.channel, calls)
        self.runs: dict[int, Run] = {}
        self._sandbox = sandbox
        self._observer = observer
        self._time = time
        self._log_bytes = 0
        self._metric_bytes = 0

    def lost(self, fault: str | None) -> None:
        self._sandbox.lost(fault)

    def next_tick(self) -> None:
        """What was said until now no longer counts against what may be said at once."""
        self._log_bytes = self._metric_bytes = 0

    def on_frame(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        self._sandbox.heard = True
        try:
            if kind == 6:  # Kind.RESPONSE: the only one that comes with every run
                self._on_response(flags, stream, head, body)
            elif kind == 10:  # Kind.DONE; a run that is over here may end there a moment later
                if (run := self.runs.get(stream)) is not None:
                    self._on_done(run)
            else:
                self._on_other(kind, flags, stream, head, body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ProtocolError(f"a head of kind {kind} that cannot be read: {error}") from error

    def _on_response(self, flags: int, stream: int, head: bytes, body: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            raise ProtocolError("a RESPONSE to no run")
        status, headers = response_head(head)
        if run.response.done():
            if run.cancelled is None:
                raise ProtocolError("a second RESPONSE to one run")
        elif flags & _UPGRADE:
            if not run.may_upgrade:
                raise ProtocolError("an upgrade that nobody asked for")
            run.upgraded = True
            run.messages = Messages(self.channel, run)
            run.response.set_result(Response(101, headers, b"", True))
        else:
            if not 200 <= status <= 599:
                raise ProtocolError(f"status {status}")
            if flags & _END:
                if len(body) > WINDOW_BYTES:
                    raise ProtocolError("a whole body longer than a window")
                run.response.set_result(Response(status, headers, body))
            else:
                run.body = Inbound(self.channel, stream)
                if body:
                    run.body.feed(body, False)
                run.response.set_result(Response(status, headers, run.body))
        run.progress = self._time()
        if flags & _DONE:
            self._on_done(run)

    def _on_done(self, run: Run) -> None:
        if not run.response.done():
            if run.cancelled is None:
                raise ProtocolError("a run that ended without a response")
            run.kill(Death(reason=StopReason.CLIENT_GONE, detail=run.cancelled))
        elif run.body is not None:
            run.body.fail("the run ended before its body was complete")
        if run.messages is not None:
            run.messages.lost()
        self._sandbox.end_run(run)

    def _on_other(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        match kind:
            case Kind.CALL:
                placement = self._sandbox.placement
                if placement is None:
                    raise ProtocolError("a CALL from a blank")
                self.calls.open(placement, self.runs, flags, stream, head, body)
            case Kind.BODY:
                self._on_body(flags, stream, body)
            case Kind.CREDIT:
                self._on_credit(stream, body)
            case Kind.LOG:
                self._on_log(head)
            case Kind.FETCH:
                self._on_fetch(flags, stream, head)
            case Kind.METRIC:
                self._on_metric(head)
            case Kind.FAILED:
                self._on_failed(stream, head)
            case Kind.CANCEL:
                reason = reason_head(head).reason
                if stream & 1:
                    self.calls.cancel(stream, reason)
                elif (run := self.runs.get(stream)) is not None and run.request is not None:
                    run.request.fail(reason)
            case Kind.MESSAGE:
                run = self.runs.get(stream)
                if run is not None and run.cancelled is not None:
                    return  # sent before the worker knew
                if run is None or run.messages is None or len(body) > MAX_MESSAGE_BYTES:
                    raise ProtocolError("a WebSocket message that cannot be delivered")
                run.progress = self._time()
                run.messages.feed(bool(flags & _TEXT), body)
            case Kind.CLOSE:
                run = self.runs.get(stream)
                if run is not None and run.messages is not None and run.cancelled is None:
                    closing = close_head(head)
                    if not 1000 <= closing.code <= 4999:
                        raise ProtocolError("a close code that is none")
                    run.messages.close(closing.code, closing.reason)
            case _:
                self._sandbox.on_life(kind, flags, head, body)

    def _on_body(self, flags: int, stream: int, body: bytes) -> None:
        if stream & 1:
            self.calls.body(stream, body, bool(flags & _END))
            return
        run = self.runs.get(stream)
        if run is not None and run.cancelled is not None:
            return  # sent before the worker knew
        if run is None or run.body is None:
            raise ProtocolError("a BODY on no stream")
        run.progress = self._time()
        run.body.feed(body, bool(flags & _END))

    def _on_credit(self, stream: int, body: bytes) -> None:
        if len(body) != 4:
            raise ProtocolError("a CREDIT without its count")
        (count,) = unpack_credit(body)
        if stream & 1:
            self.calls.credit(stream, count)
            return
        run = self.runs.get(stream)
        if run is None:
            return
        run.progress = self._time()
        if run.messages is not None:
            run.messages.grant(count)
        elif run.request is not None:
            run.request.grant(count)

    def _on_failed(self, stream: int, head: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            raise ProtocolError("a FAILED of no run")
        if run.failure is not None:
            raise ProtocolError("a second FAILED of one run")
        failure = failure_head(head)
        status = failure.status if failure.status is not None and 400 <= failure.status <= 599 else None
        stack = failure.stack[:_MAX_STACK_CHARS] if failure.stack else None
        message = failure.message[:_MAX_MESSAGE_CHARS]
        error = run.failure = RunFailed(failure.name[:_MAX_NAME_CHARS], message, stack, status, caller=failure.caller)
        if not run.response.done():
            run.response.set_exception(error)
        elif run.body is not None:
            run.body.fail(f"the worker threw while it was sending: {error}")
        if not failure.caller:
            self._sandbox.say(Level.ERROR, stack or f"{failure.name[:_MAX_NAME_CHARS]}: {message}", run, thrown=True)

    def _on_fetch(self, flags: int, stream: int, head: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            return  # it has just ended here
        meter = meter_of(run)
        if flags & _END:
            number, status, error = fetched_head(head)
            meter.fetched(number, status if 100 <= status <= 599 else 0, error[:_MAX_WORD_CHARS])
        else:
            number, method, host, span = fetch_head(head)
            span = span if _SPAN.fullmatch(span) else ""
            meter.fetch(number, method[:_MAX_WORD_CHARS], host[:_MAX_HOST_CHARS], span)

    def _on_log(self, head: bytes) -> None:
        self._log_bytes += len(head)
        account, placement = self._sandbox.account, self._sandbox.placement
        kilobytes = account.limits.log_kb if account else 0
        if self._log_bytes > max(_MAX_LOG_BYTES_PER_TICK, kilobytes * 1024 * LOG_FLOOD_FACTOR):
            self._sandbox.kill(flood_death(kilobytes))
            return
        if placement is not None:
            origins = {run.id: run.origin for run in self.runs.values()}
            lines = [LogLine(*line, origin=origins.get(line[0]) if line[0] else None) for line in log_head(head)]
            self._observer.logged(placement, lines)

    def _on_metric(self, head: bytes) -> None:
        """What comes faster than is allowed between two looks is not even read: its time would be others'."""
        placement = self._sandbox.placement
        if placement is None:
            raise ProtocolError("a METRIC from a blank")
        before = self._metric_bytes
        self._metric_bytes += len(head)
        if self._metric_bytes <= _MAX_METRIC_BYTES_PER_TICK:
            self._observer.measured(placement, metric_head(head), lost=False)
        elif before <= _MAX_METRIC_BYTES_PER_TICK:
            self._observer.measured(placement, [], lost=True)
