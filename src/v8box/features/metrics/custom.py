"""What workers count themselves, for charts: which metrics there are, and a stretch of time of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from v8box.errors import BadRequest, NotFound
from v8box.features.metrics.service import Metrics, Selection
from v8box.kit.times import rfc3339
from v8box.telemetry.metrics.custom import BOUNDS
from v8box.telemetry.metrics.figures import DURATION_MS, REQUESTS, TIMED, Figures, Key
from v8box.telemetry.metrics.store import MINUTE

MAX_SHOWN: Final = 50
"""Time series of one answer: those with most."""
_NOTHING: Final = Figures()


class MetricNotFound(NotFound):
    """Nothing of this name was measured. GET …/metrics/custom lists what was."""

    code = "metric_not_found"


class CustomMetrics:
    """Reads the rollups."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def list(self, wanted: Selection) -> list[dict[str, Any]]:
        """Every name and kind, with the workers that have it and how many time series these are."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for key in sorted(key for key in self._metrics.rollups.keys() if key.name and _matches(wanted, key)):
            made: dict[str, Any] = {"name": key.name, "kind": key.kind, "workers": [], "series": 0}
            entry = found.setdefault((key.name, key.kind), made)
            if key.worker not in entry["workers"]:
                entry["workers"].append(key.worker)
            entry["series"] += 1
        return [found[each] for each in sorted(found)]

    async def chart(self, wanted: Selection, name: str, since: float, until: float, step: int | None) -> dict[str, Any]:
        """A stretch of time of every time series of that name. Raises `MetricNotFound`."""
        if not any(key.name == name and _matches(wanted, key) for key in self._metrics.rollups.keys()):
            raise MetricNotFound(f"Nothing called {name} was measured here. GET …/metrics/custom lists what was.")
        if step is not None and step < MINUTE:
            raise BadRequest("What workers count themselves is kept by minutes: take a step of 60 or more.")
        begin, end, step = self._metrics.stretch(since, until, step)
        read = await self._metrics.rollups.read(
            lambda key: key.name == name and _matches(wanted, key), begin, end, step
        )
        by_key: dict[Key, dict[int, Figures]] = {}
        for (key, at), figures in read.items():
            by_key.setdefault(key, {})[at] = figures
        times = range(begin, end, step)
        most = sorted(by_key, key=lambda key: (-_size(by_key[key].values()), key))
        return {
            "name": name,
            "from": rfc3339(begin),
            "to": rfc3339(end),
            "step_seconds": step,
            "times": [rfc3339(at) for at in times],
            "items": [_series(key, [by_key[key].get(at, _NOTHING) for at in times]) for key in most[:MAX_SHOWN]],
            "left_out": max(0, len(most) - MAX_SHOWN),
        }


def _matches(wanted: Selection, key: Key) -> bool:
    return (
        key.project == wanted.project
        and wanted.worker in (None, key.worker)
        and wanted.environment in (None, key.environment)
    )


def _size(found: Any) -> float:
    return max(
        (max(abs(each.last.get("value", 0.0)), each.get(REQUESTS), each.get(TIMED)) for each in found), default=0
    )


def _series(key: Key, stretches: Sequence[Figures]) -> dict[str, Any]:
    def each(value: Callable[[Figures], float | None]) -> list[float | None]:
        return [value(figures) for figures in stretches]

    found: dict[str, Any] = {
        "worker": key.worker,
        "environment": key.environment,
        "kind": key.kind,
        "labels": msgspec.json.decode(key.labels),
        "values": [],
        "counts": None,
        "p50": None,
        "p95": None,
        "p99": None,
    }
    if key.kind == "counter":
        found["values"] = each(lambda figures: figures.get(REQUESTS))
    elif key.kind == "gauge":
        found["values"] = _held(each(lambda figures: figures.last.get("value")))
    else:
        found["values"] = each(lambda figures: figures.get(DURATION_MS) / figures.get(TIMED) if figures.sums else None)
        found["counts"] = each(lambda figures: figures.get(TIMED))
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            found[name] = [figures.quantile(share, BOUNDS) for figures in stretches]
    return found


def _held(values: Sequence[float | None]) -> list[float | None]:
    """A gauge is written down when it was set, and holds until it is set again."""
    found: list[float | None] = []
    for value in values:
        found.append(found[-1] if value is None and found else value)
    return found
