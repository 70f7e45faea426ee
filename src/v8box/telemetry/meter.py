"""What one run did with its bindings: how many calls, bytes, rows and how much time, and a span for each call.

The broker fills a meter while the run goes on; the run's record takes it at the end. Spans are bounded: a run with
more calls than `MAX_SPANS` has all of them counted and the first ones shown.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from v8box.telemetry.origin import Origin

MAX_SPANS: Final = 100
MAX_GROUPS: Final = 100


class Span(msgspec.Struct, omit_defaults=True):
    """One binding call, or one outgoing `fetch` (binding `fetch`, its method as operation). Times in milliseconds;
    bytes both ways, streams included."""

    binding: str
    operation: str
    start: float
    """Since the run's beginning; while the run goes on, since its first span."""
    duration: float = -1.0
    """Until the answer; a stream that goes on after it is in the bytes only. Below zero: not answered."""
    bytes_in: int = 0
    bytes_out: int = 0
    rows: int = 0
    written: int = 0
    error: str = ""
    """The code it was refused with; of a `fetch` that failed the error's name."""
    what: str = ""
    """Upon what, without values: the statement with `?` for its literals, a bucket, the beginning of a key; the host
    that was fetched from, the worker that was called."""
    status: int = 0
    """What that host or worker answered."""
    id: str = ""
    """The span's id in the trace, where somebody was told it."""


class Unkept(Span):
    """One beyond those that are kept."""


class Meter:
    """The account of one run. `bytes` are those since the last `renew`; the totals go into the record."""

    __slots__ = (
        "_fetches",
        "began",
        "bytes",
        "calls",
        "kept",
        "more",
        "origin",
        "seconds",
        "spans",
        "total_bytes",
        "total_calls",
        "used",
    )

    def __init__(self, origin: Origin | None = None) -> None:
        self.origin = origin
        self.began = time.perf_counter()
        self.calls = 0
        self.bytes = 0
        self.total_calls = 0
        self.total_bytes = 0
        self.seconds = 0.0
        self.spans: list[Span] = []
        self.more: dict[tuple[str, str, str], list[float]] = {}
        """How many calls there were beyond the spans, and their milliseconds: by binding, operation and what."""
        self.used: set[str] | None = None
        """The bindings that hear of the run's end."""
        self._fetches: dict[int, Span] | None = None
        """Those that are under way, by the worker's number for them."""
        self.kept: Any = None
        """The broker's own: what it needs again at the run's next call."""

    def begin(self, binding: str, operation: str, size: int, what: str = "") -> Span:
        """A call of so many bytes starts."""
        self.calls += 1
        self.total_calls += 1
        start = (time.perf_counter() - self.began) * 1000
        if len(self.spans) < MAX_SPANS:
            span = Span(binding, operation, start, what=what)
            self.spans.append(span)
        else:
            span = Unkept(binding, operation, start, what=what)
        self.take(span, size)
        return span

    def end(self, span: Span, error: str = "") -> None:
        """The call is answered, with a refusal's code or without."""
        span.duration = (time.perf_counter() - self.began) * 1000 - span.start
        span.error = error
        self.seconds += span.duration / 1000
        if type(span) is Unkept:
            self._count(span)

    def _count(self, span: Span) -> None:
        """Beyond the spans that are kept, calls are counted by what they are upon."""
        key = (span.binding, span.operation, span.what)
        group = self.more.get(key)
        if group is not None:
            group[0] += 1
            group[1] += span.duration
        elif len(self.more) < MAX_GROUPS:
            self.more[key] = [1, span.duration]

    def fetch(self, number: int, method: str, host: str, span_id: str) -> None:
        """The worker fetches from elsewhere. Such spans stand among the others and count as none of the calls."""
        if len(self.spans) < MAX_SPANS:
            start = (time.perf_counter() - self.began) * 1000
            span = Span("fetch", method, start, what=host, id=span_id)
            self.spans.append(span)
            self._fetches = self._fetches or {}
            self._fetches[number] = span

    def fetched(self, number: int, status: int, error: str) -> None:
        """The head of its answer came, or none will."""
        span = self._fetches.pop(number, None) if self._fetches else None
        if span is not None:
            span.duration = (time.perf_counter() - self.began) * 1000 - span.start
            span.status, span.error = status, error

    def since(self, began: float) -> list[Span]:
        """The spans, their starts counted from the run's beginning (`time.perf_counter`), once it is over."""
        offset = (self.began - began) * 1000
        self.began = began
        for span in self.spans:
            span.start += offset
        return self.spans

    def take(self, span: Span, size: int) -> None:
        """Bytes from the worker."""
        span.bytes_in += size
        self.bytes += size
        self.total_bytes += size

    def give(self, span: Span, size: int) -> None:
        """Bytes to the worker."""
        span.bytes_out += size
        self.bytes += size
        self.total_bytes += size

    def renew(self) -> None:
        """The limits count anew: a WebSocket's are per message, else a long talk would die of old age."""
        self.calls = 0
        self.bytes = 0
