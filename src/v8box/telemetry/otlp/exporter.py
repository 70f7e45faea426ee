"""Listens to the feed and sends what it hears to a collector, in batches, from bounded queues.

What comes faster than the collector takes it is dropped, counted and said; no request ever waits for it.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic

from v8box.kit.tasks import TaskSet
from v8box.settings import Otlp
from v8box.telemetry.feed import Feed
from v8box.telemetry.otlp.logs import encode_lines
from v8box.telemetry.otlp.sender import TOO_LARGE, NotSent, Sender
from v8box.telemetry.otlp.spans import encode_runs
from v8box.telemetry.otlp.values import Record
from v8box.telemetry.records import LineRecord, RunRecord

logger = logging.getLogger(__name__)

MAX_RUNS: Final = 10_000
MAX_LINES: Final = 20_000
BATCH: Final = 512
DELAY_SECONDS: Final = 1.0
"""How long a record waits for others."""
_SAY_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 3.0


@dataclass(slots=True)
class Count:
    """What became of the records of one kind."""

    sent: int = 0
    dropped: int = 0
    fault: str = ""
    """Why the last batch is not there yet, or never will be; empty while all is well."""


@dataclass(frozen=True, slots=True)
class SignalState:
    """How the export of one kind of record is."""

    name: str
    sent: int
    dropped: int
    waiting: int
    most: int
    fault: str


class Exporter:
    """Spans and log lines to one collector. `close` it once the box runs nothing any more."""

    def __init__(self, settings: Otlp, version: str, *, sender: Sender | None = None) -> None:
        self._sender = sender or Sender(settings, version)
        self.runs: _Signal[RunRecord] = _Signal(
            "traces", MAX_RUNS, lambda records: encode_runs(records, version), self._sender
        )
        self.lines: _Signal[LineRecord] | None = None
        if settings.logs:
            self.lines = _Signal("logs", MAX_LINES, lambda records: encode_lines(records, version), self._sender)
        self._tasks = TaskSet()

    @property
    def signals(self) -> Sequence[SignalState]:
        """How each is."""
        return [
            SignalState(each.name, each.count.sent, each.count.dropped, len(each.queue), each.most, each.count.fault)
            for each in self._signals
        ]

    @property
    def most(self) -> int:
        return sum(signal.most for signal in self._signals)

    @property
    def held(self) -> int:
        return sum(len(signal.queue) for signal in self._signals)

    @property
    def dropped(self) -> int:
        return sum(signal.count.dropped for signal in self._signals)

    @property
    def _signals(self) -> Sequence[_Signal[RunRecord] | _Signal[LineRecord]]:
        return (self.runs,) if self.lines is None else (self.runs, self.lines)

    def listen(self, feed: Feed) -> None:
        runs = self.runs

        def take(records: Sequence[RunRecord]) -> None:
            for record in records:
                if record.sampled and record.trace:
                    runs.add(record)

        feed.on_runs(take)
        if self.lines is not None:
            feed.on_line(self.lines.add)

    def start(self) -> None:
        for signal in self._signals:
            self._tasks.forever(signal.run(), f"OTLP {signal.name}")

    async def close(self) -> None:
        """Sends what is left, if that goes quickly."""
        await self._tasks.cancel()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.gather(*(signal.send_rest() for signal in self._signals))
        except TimeoutError:
            logger.warning("the collector took too long; %d runs and lines are not sent", self.held)
        await self._sender.close()


class _Signal(Generic[Record]):
    """The queue of one kind of record, and what empties it."""

    def __init__(self, name: str, most: int, encode: Callable[[Sequence[Record]], bytes], sender: Sender) -> None:
        self.name = name
        self.queue: deque[Record] = deque()
        self.count = Count()
        self.most = most
        self._path = f"v1/{name}"
        self._encode: Callable[[Sequence[Record]], bytes] = encode
        self._sender = sender
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._said_at = 0.0
        self._said_dropped = 0

    def add(self, record: Record) -> None:
        """In the request path: takes the record, or counts that there is no room."""
        queue = self.queue
        if len(queue) >= self.most:
            self.count.dropped += 1
            return
        queue.append(record)
        if len(queue) == 1:
            self._some.set()
        elif len(queue) == BATCH:
            self._full.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            try:
                async with asyncio.timeout(DELAY_SECONDS):
                    await self._full.wait()
            except TimeoutError:
                pass
            batch = self._take()
            try:
                await self._send(batch)
            except asyncio.CancelledError:
                self.queue.extendleft(reversed(batch))  # `send_rest` tries once more
                raise
            self._say()

    def _take(self) -> list[Record]:
        queue = self.queue
        batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        if not queue:
            self._some.clear()
        if len(queue) < BATCH:
            self._full.clear()
        return batch

    async def _send(self, batch: Sequence[Record]) -> None:
        count = self.count
        try:
            data = await asyncio.to_thread(self._encode, batch)
            sent = await self._sender.send(self._path, data, self._troubled)
        except NotSent as error:
            if error.status == TOO_LARGE and len(batch) > 1:
                middle = len(batch) // 2
                await self._send(batch[:middle])
                await self._send(batch[middle:])
                return
            count.dropped += len(batch)
            self._troubled(str(error))
        except Exception:
            count.dropped += len(batch)
            logger.exception("a batch of %s cannot be made", self.name)
        else:
            if count.fault:
                logger.info("%s are sent to the collector again", self.name)
            count.fault = ""
            count.sent += len(batch) - sent.rejected
            if sent.rejected:
                count.dropped += sent.rejected
                self._troubled(f"the collector refused some of a batch: {sent.message[:200]!r}")

    async def send_rest(self) -> None:
        """Once each, without waiting for a collector that has trouble."""
        while self.queue:
            batch = self._take()
            try:
                body = gzip.compress(self._encode(batch), 1)
                await self._sender.once(self._path, body)
                self.count.sent += len(batch)
            except NotSent as error:
                self.count.dropped += len(batch) + len(self.queue)
                self.queue.clear()
                logger.warning("the last %s are not sent: %s", self.name, error)

    def _troubled(self, why: str) -> None:
        if not self.count.fault:
            logger.warning("%s are not sent: %s", self.name, why)
        self.count.fault = why

    def _say(self) -> None:
        """Says what was dropped, once a minute at most."""
        lost = self.count.dropped - self._said_dropped
        now = time.monotonic()
        if lost and now - self._said_at >= _SAY_SECONDS:
            self._said_at, self._said_dropped = now, self.count.dropped
            logger.warning("%d %s were dropped: %s", lost, self.name, self.count.fault or "they came too fast")
