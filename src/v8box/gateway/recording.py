"""What is written down of a run once it is over: the last step of the request path, read by nothing in it."""

from __future__ import annotations

import time
from typing import Final

from v8box.catalog.model import DEFAULT_PROJECT, PRODUCTION
from v8box.errors import StopReason
from v8box.gateway.failures import Failures
from v8box.gateway.invoke import Exchange
from v8box.gateway.policies.order import Usage
from v8box.sandbox.interface import Invocation, RunFailed
from v8box.telemetry import findings
from v8box.telemetry.feed import Feed
from v8box.telemetry.rates import Rates
from v8box.telemetry.records import RunRecord

_NOT_THE_VERSIONS_FAULT: Final = frozenset({"ok", "refused", "exception", StopReason.CLIENT_GONE})
"""Outcomes of runs that are no failure when the status is none. (An exception with a status below 500 is the worker's
way to refuse a caller.)"""


class Recorder:
    """Tells the feed of each run, and counts it for the canaries and the project's quota."""

    def __init__(self, feed: Feed, rates: Rates, usage: Usage, failures: Failures) -> None:
        self._feed = feed
        self._failures = failures
        self._rates = rates
        self._usage = usage

    def over(self, exchange: Exchange, invocation: Invocation, path: str, outcome: str, client: str) -> None:
        """The answer is sent, or never will be. What the run still does in `waitUntil` belongs to it: it is told once
        that is over, too."""
        exchange.ended = time.perf_counter()
        run = exchange.run
        if run is None or run.done or run.death is not None:
            self._tell(exchange, invocation, path, outcome, client)
        else:
            run.on_done = lambda _: self._tell(exchange, invocation, path, outcome, client)

    def _tell(self, exchange: Exchange, invocation: Invocation, path: str, outcome: str, client: str) -> None:
        run = exchange.run
        cold = cpu = 0.0
        if run is not None:
            cold, cpu = run.cold_seconds * 1000, run.cpu_seconds * 1000
            if run.death is not None and outcome == "ok":
                outcome = run.death.reason
        placement = exchange.placement
        duration = (exchange.ended - exchange.began) * 1000
        record = RunRecord(
            invocation.run_id,
            exchange.request_id,
            time.time() - (time.perf_counter() - exchange.began),
            placement.worker,
            placement.id,
            invocation.trigger,
            invocation.method,
            path,
            exchange.status,
            outcome,
            duration,
            cold,
            cpu,
            exchange.bytes_out,
            client,
        )
        if placement.environment != PRODUCTION:
            record.environment = placement.environment
        if placement.project != DEFAULT_PROJECT:
            record.project = placement.project
        if (origin := invocation.origin) is not None:
            header = origin.header
            record.trace, record.span, record.parent = header[3:35], header[36:52], origin.parent
            if header[-1] == "0":
                record.sampled = False
        if exchange.bytes_in:
            record.bytes_in = exchange.bytes_in
        if run is not None and (run.queued_seconds or run.memory_bytes):
            record.queue = run.queued_seconds * 1000
            record.memory = run.memory_bytes
        if run is not None and (meter := run.meter) is not None:
            record.calls = meter.total_calls
            record.call_bytes = meter.total_bytes
            record.call_time = meter.seconds * 1000
            record.spans = tuple(meter.since(exchange.began))
            if len(record.spans) >= findings.REPEATS:
                record.findings = tuple(findings.repeated(record.spans, meter.more))
        limit = placement.manifest.observability.slow_ms
        if duration >= limit > 0 and not invocation.upgrade:
            self._note_slow(record, exchange, limit)
        failure = exchange.failure or (run.failure if run is not None else None)
        if failure is None or (isinstance(failure, RunFailed) and failure.caller):
            self._feed.run(record)
        else:
            self._failures.tell(record, placement, failure)
        # How long people talk over a WebSocket is no latency, and what never got to the version says nothing of it.
        if not invocation.upgrade and (run is not None or exchange.status >= 500):
            failed = exchange.status >= 500 or outcome not in _NOT_THE_VERSIONS_FAULT
            self._rates.record(placement.key, duration, failed)
        self._usage.add(placement.project, cpu / 1000)

    @staticmethod
    def _note_slow(record: RunRecord, exchange: Exchange, limit: float) -> None:
        """A body that is sent as it is made may take its time: then it counts how long its beginning took."""
        duration = ((exchange.answered or exchange.ended) - exchange.began) * 1000
        if duration >= limit:
            split = findings.split_of(duration, record.queue, record.cold, record.spans)
            record.findings = (findings.slow(duration, limit, split), *record.findings)
