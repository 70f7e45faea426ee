"""The families of what workers count themselves: `v8box_custom_counted_<name>_total`, `…_set_<name>`,
`…_recorded_<name>`.

What was done is in the name, so that a gauge of one worker and a histogram of another do not make one family of two
types, and no name is one of the box's own. All of them together have the bound of one family.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from v8box.features.metrics.families import Families
from v8box.telemetry.metrics.custom import BOUNDS, CustomMetric, MetricKind
from v8box.telemetry.metrics.figures import Key

PREFIX: Final = "v8box_custom_"
_FAMILIES: Final = {
    MetricKind.COUNTER: ("counted", CounterMetricFamily),
    MetricKind.GAUGE: ("set", GaugeMetricFamily),
    MetricKind.HISTOGRAM: ("recorded", HistogramMetricFamily),
}
_ABOUT: Final = "Counted by workers themselves, with ctx.metrics."


def add_custom(families: Families, all_: Iterable[tuple[Key, CustomMetric]]) -> None:
    """Every time series of every worker, within the bound."""
    found: dict[str, Metric] = {}
    used = 0
    for key, metric in all_:
        series = len(BOUNDS) + 3 if metric.kind is MetricKind.HISTOGRAM else 1
        if not families.room(PREFIX.removesuffix("_"), series, used):
            continue
        used += series
        done, make = _FAMILIES[metric.kind]
        name = f"{PREFIX}{done}_{key.name}"
        family = found.get(name)
        if family is None:
            family = found[name] = make(name, _ABOUT)
        labels = {
            "project": key.project,
            "environment": key.environment,
            "worker": key.worker,
            **dict(metric.labels),
        }
        if metric.kind is MetricKind.COUNTER:
            family.add_sample(f"{name}_total", labels, metric.value)
        elif metric.kind is MetricKind.GAUGE:
            family.add_sample(name, labels, metric.value)
        else:
            _add_histogram(family, name, labels, metric)
    families.all += found.values()


def _add_histogram(family: Metric, name: str, labels: dict[str, str], metric: CustomMetric) -> None:
    below = list(accumulate(metric.counts))
    for bound, count in zip((*map(repr, BOUNDS), "+Inf"), below, strict=True):
        family.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{name}_count", labels, below[-1])
    family.add_sample(f"{name}_sum", labels, metric.sum)
