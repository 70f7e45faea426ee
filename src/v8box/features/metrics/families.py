"""What Prometheus reads, as families of samples. Runs in a thread, at each look, of what only grows.

Every family has so many time series at most; what comes beyond is left out, counted in `v8box_metrics_dropped_series`,
and said once. Labels are names that the box has checked, or values that the exposition escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar

from v8box.telemetry.metrics.figures import BOUNDS_MS

_SHOWN_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
"""Bounds that Prometheus sees: each costs a time series for every worker."""
_ENDS: Final = tuple(BOUNDS_MS.index(bound) for bound in _SHOWN_MS)
_NAMES: Final = tuple(repr(bound / 1000) for bound in _SHOWN_MS)

Labels = tuple[str, ...]
V = TypeVar("V")


class Timing(NamedTuple):
    """A histogram of durations: how many are in each bucket of `BOUNDS_MS`, their sum, and traces by bucket."""

    counts: list[float]
    sum_ms: float
    exemplars: dict[int, tuple[str, float, float]]


class Families:
    """Collects families within their bounds; `dropped` by family."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.all: list[Metric] = []
        self.dropped: dict[str, int] = {}
        self.shown = 0

    def counter(self, name: str, about: str, names: Sequence[str], values: Mapping[Labels, float]) -> None:
        family = CounterMetricFamily(name, about, labels=names)
        for labels, value in self._bounded(name, values, 1):
            family.add_metric(labels, value)
        self.all.append(family)

    def gauge(self, name: str, about: str, names: Sequence[str], values: Mapping[Labels, float]) -> None:
        family = GaugeMetricFamily(name, about, labels=names)
        for labels, value in self._bounded(name, values, 1):
            family.add_metric(labels, value)
        self.all.append(family)

    def timing(self, name: str, about: str, names: Sequence[str], values: Mapping[Labels, Timing]) -> None:
        family = HistogramMetricFamily(name, about, labels=names)
        for labels, timing in self._bounded(name, values, len(_NAMES) + 3):
            family.add_metric(labels, _buckets(timing), timing.sum_ms / 1000)
        self.all.append(family)

    def room(self, name: str, series: int, used: int) -> bool:
        """Whether so many time series more may be shown of families that have one bound together, with those used."""
        if used + series > self._most:
            self.dropped[name] = self.dropped.get(name, 0) + series
            return False
        self.shown += series
        return True

    def _bounded(self, name: str, values: Mapping[Labels, V], each: int) -> Iterable[tuple[Labels, V]]:
        room = self._most // each
        items = list(values.items())
        if len(items) > room:
            self.dropped[name] = (len(items) - room) * each
        kept = items[:room]
        self.shown += len(kept) * each
        return kept


def _buckets(timing: Timing) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """Cumulative, as Prometheus has it."""
    below = list(accumulate(timing.counts))
    found: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    start = 0
    for name, end in (*zip(_NAMES, _ENDS, strict=True), ("+Inf", len(BOUNDS_MS))):
        newest = max(
            (timing.exemplars[index] for index in range(start, end + 1) if index in timing.exemplars),
            key=lambda each: each[2],
            default=None,
        )
        start = end + 1
        if newest is None:
            found.append((name, below[end]))
        else:
            trace, milliseconds, at = newest
            found.append((name, below[end], Exemplar({"trace_id": trace}, milliseconds / 1000, at)))
    return found
