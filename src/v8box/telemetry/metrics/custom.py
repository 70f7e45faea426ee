"""What workers count themselves, with `ctx.metrics`: checked, bounded, and summed up by worker and environment.

The shim checks the same, but it runs in the worker's process: what comes from there is believed nothing. What is
refused is dropped, and the worker's log says so once.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

import msgspec

from v8box.telemetry.metrics.figures import BUCKETS, DURATION_MS, REQUESTS, TIMED, Figures, Key
from v8box.telemetry.records import LineRecord, MeasureRecord

MAX_PER_WORKER: Final = 1_000
MAX_OF_BOX: Final = 20_000
MAX_LABELS: Final = 10
MAX_VALUE_CHARS: Final = 100
IDLE_SECONDS: Final = 86_400.0
BOUNDS: Final = tuple(float(f"{digit}e{power}") for power in range(-3, 7) for digit in (1, 2, 5))
"""Of histograms, whose unit only their worker knows: a thousandth to five millions."""

_NAME: Final = re.compile("[a-z_][a-z0-9_]{0,62}")
_LABEL: Final = re.compile("(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,62}")
_TAKEN_LABELS: Final = frozenset({"project", "environment", "worker", "le", "quantile"})
_TAKEN_ENDS: Final[tuple[tuple[str, ...], ...]] = (("_created",), (), ("_bucket", "_sum", "_count", "_created"))
"""By kind: what names cannot end in, since Prometheus ends them so."""
_LARGEST: Final = 1e24
_MAX_SAID: Final = 20


class MetricKind(IntEnum):
    """What a metric is; the number is the one on the wire."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2

    @property
    def word(self) -> str:
        return self.name.lower()


Labels = tuple[tuple[str, str], ...]
_encode: Final = msgspec.json.encode


class CustomMetric:
    """One time series of a worker."""

    __slots__ = (
        "_counts_taken",
        "_sum_taken",
        "_value_taken",
        "counts",
        "kind",
        "labels",
        "name",
        "sum",
        "touched",
        "value",
    )

    def __init__(self, kind: MetricKind, name: str, labels: Labels) -> None:
        self.kind = kind
        self.name = name
        self.labels = labels
        self.value = 0.0
        """Of a counter, or of a gauge."""
        self.sum = 0.0
        self.counts: list[int] = [0] * (len(BOUNDS) + 1) if kind is MetricKind.HISTOGRAM else []
        self.touched = 0.0
        self._value_taken: float | None = 0.0
        self._sum_taken = 0.0
        self._counts_taken = self.counts.copy()

    def record(self, value: float | Sequence[float], now: float) -> None:
        self.touched = now
        if self.kind is MetricKind.COUNTER:
            self.value += value  # type: ignore[operator] # `_plausible` has looked
        elif self.kind is MetricKind.GAUGE:
            self.value = value  # type: ignore[assignment]
            self._value_taken = None
        else:
            for each in value if isinstance(value, list) else (value,):
                self.sum += each  # type: ignore[operator]
                self.counts[bisect_left(BOUNDS, each)] += 1  # type: ignore[type-var]

    def take(self) -> Figures | None:
        """What happened since it was last taken; None: nothing."""
        if self.kind is MetricKind.HISTOGRAM:
            grown = [now - then for now, then in zip(self.counts, self._counts_taken, strict=True)]
            if not any(grown):
                return None
            sums: dict[int, float] = {BUCKETS + index: count for index, count in enumerate(grown) if count}
            sums |= {TIMED: sum(grown), DURATION_MS: self.sum - self._sum_taken}
            self._counts_taken, self._sum_taken = self.counts.copy(), self.sum
            return Figures(sums)
        if self._value_taken == self.value:
            return None
        before, self._value_taken = self._value_taken, self.value
        if self.kind is MetricKind.GAUGE:
            return Figures(peaks={"value": self.value}, last={"value": self.value})
        return Figures({REQUESTS: self.value - (before or 0.0)})


class _Worker:
    __slots__ = ("metrics", "said")

    def __init__(self) -> None:
        self.metrics: dict[tuple[int, str, Labels], CustomMetric] = {}
        self.said: set[str] = set()


class Custom:
    """Listens to the feed (`on_measure`). `say` writes a line into a worker's log."""

    def __init__(self, say: Callable[[LineRecord], None], clock: Callable[[], float] = time.time) -> None:
        self._say = say
        self._clock = clock
        self._workers: dict[tuple[str, str, str], _Worker] = {}
        self._count = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    def on_measure(self, record: MeasureRecord) -> None:
        key = (record.project, record.environment, record.worker)
        worker = self._workers.get(key)
        if worker is None:
            worker = self._workers[key] = _Worker()
        now = self._clock()
        if record.lost:
            self._refuse(worker, record, "they came faster than the box takes them; some are lost")
        for kind, name, given, value in record.entries:
            try:
                plausible = _plausible(kind, value)
                self._metric(worker, kind, name, given or {}).record(plausible, now)
            except _Refused as refused:
                self._refuse(worker, record, str(refused))

    def _metric(self, worker: _Worker, kind: int, name: str, given: Mapping[str, str]) -> CustomMetric:
        """Raises `_Refused`."""
        if kind == MetricKind.COUNTER:
            name = name.removesuffix("_total")  # Prometheus adds it
        labels: Labels = tuple(sorted((label, value[:MAX_VALUE_CHARS]) for label, value in given.items()))
        known = worker.metrics.get((kind, name, labels))
        if known is not None:
            return known
        _check(kind, name, given)
        if len(worker.metrics) >= MAX_PER_WORKER or self._count >= MAX_OF_BOX:
            self._forget_idle(self._clock() - IDLE_SECONDS)
            if len(worker.metrics) >= MAX_PER_WORKER:
                raise _Refused(f"there are {MAX_PER_WORKER} time series of this worker, as many as may be")
            if self._count >= MAX_OF_BOX:
                raise _Refused(f"there are {MAX_OF_BOX} time series of all workers, as many as may be")
        self._count += 1
        made = worker.metrics[kind, name, labels] = CustomMetric(MetricKind(kind), name, labels)
        return made

    def _refuse(self, worker: _Worker, record: MeasureRecord, why: str) -> None:
        self.dropped += 1
        if why in worker.said or len(worker.said) >= _MAX_SAID:
            return
        worker.said.add(why)
        line = LineRecord(self._clock(), None, record.worker, record.version, "warn", f"ctx.metrics: {why}")
        line.project, line.environment = record.project, record.environment
        self._say(line)

    def forget(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """What was not measured for long goes."""
        self._forget_idle(self._clock() - idle_seconds)
        for key in [key for key, worker in self._workers.items() if not worker.metrics]:
            del self._workers[key]

    def _forget_idle(self, before: float) -> None:
        for worker in self._workers.values():
            for name in [name for name, metric in worker.metrics.items() if metric.touched < before]:
                del worker.metrics[name]
                self._count -= 1

    def forget_project(self, project: str) -> None:
        for key in [key for key in self._workers if key[0] == project]:
            self._count -= len(self._workers.pop(key).metrics)

    def take(self) -> dict[Key, Figures]:
        """What was measured since this was last asked."""
        return {key: figures for key, metric in self.all() if (figures := metric.take()) is not None}

    def all(self) -> Iterator[tuple[Key, CustomMetric]]:
        """Every time series, and where it belongs. From any thread."""
        for (project, environment, worker), each in self._workers.copy().items():
            for metric in each.metrics.copy().values():
                labels = _encode(dict(metric.labels)).decode()
                yield (
                    Key(project, environment, worker, name=metric.name, labels=labels, kind=metric.kind.word),
                    metric,
                )


class _Refused(Exception):
    """`str` says why."""


def _check(kind: int, name: str, labels: Mapping[str, str]) -> None:
    """Raises `_Refused`."""
    if _NAME.fullmatch(name) is None:
        raise _Refused(f"{_shown(name)} is no name: 1 to 63 of a-z, 0-9 and _, without a digit in front")
    if name.endswith(_TAKEN_ENDS[kind]):
        raise _Refused(f"{name}: Prometheus keeps names that end so for itself")
    if len(labels) > MAX_LABELS:
        raise _Refused(f"{name} has {len(labels)} labels, {MAX_LABELS} may be")
    for label in labels:
        if _LABEL.fullmatch(label) is None or label in _TAKEN_LABELS:
            raise _Refused(f"{name}: {_shown(label)} cannot be the name of a label")


def _plausible(kind: int, value: Any) -> float | list[float]:
    """Raises `_Refused`."""
    if kind not in (0, 1, 2):
        raise _Refused("a metric is a counter, a gauge or a histogram")
    many = kind == MetricKind.HISTOGRAM and isinstance(value, list)
    values = value if many else [value]
    if not all(isinstance(each, int | float) and abs(each) <= _LARGEST for each in values):
        raise _Refused("a value is a number")
    if kind == MetricKind.COUNTER and value < 0:
        raise _Refused("a counter only grows")
    return value  # type: ignore[no-any-return]


def _shown(text: str) -> str:
    return repr(text[:70])
