"""From figures to what a chart draws: times, and for each line an array as long. Pure; nothing here asks the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from v8box.telemetry.metrics.figures import (
    BINDING_BYTES,
    BINDING_CALLS,
    BINDING_ERRORS,
    BINDING_MS,
    BYTES_IN,
    BYTES_OUT,
    CALL_BYTES,
    CALL_MS,
    CALLS,
    CLASSES,
    COLD,
    COLD_MS,
    CPU_MS,
    DEATHS,
    DURATION_MS,
    FAILED,
    LINES,
    QUEUE_MS,
    QUEUED,
    REQUESTS,
    STATUS_CLASSES,
    TIMED,
    Figures,
)
from v8box.telemetry.records import LEVELS

MAX_POINTS: Final = 1_500
_GOOD_POINTS: Final = 240
_STEPS: Final = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
_NOTHING: Final = Figures()


def good_step(seconds: float) -> int:
    """The step of a chart of so many seconds when nobody says one."""
    return next((step for step in _STEPS if seconds / step <= _GOOD_POINTS), _STEPS[-1])


def summary(figures: Figures) -> dict[str, Any]:
    """One stretch of time in numbers. Where nothing ran there is no latency."""
    timed, cold, queued = figures.get(TIMED), figures.get(COLD), figures.get(QUEUED)
    requests = figures.get(REQUESTS)
    return {
        "requests": _count(requests),
        "errors": _count(figures.get(FAILED)),
        "error_rate": round(figures.get(FAILED) / requests, 6) if requests else None,
        "status": {name: _count(figures.get(CLASSES + index)) for index, name in enumerate(STATUS_CLASSES)},
        "p50_ms": _rounded(figures.quantile(0.5)),
        "p95_ms": _rounded(figures.quantile(0.95)),
        "p99_ms": _rounded(figures.quantile(0.99)),
        "mean_ms": _rounded(figures.get(DURATION_MS) / timed if timed else None),
        "cold_starts": _count(cold),
        "cold_ms": _rounded(figures.get(COLD_MS) / cold if cold else None),
        "cold_ratio": round(cold / requests, 6) if requests else None,
        "queued": _count(queued),
        "queue_ms": _rounded(figures.get(QUEUE_MS) / queued if queued else None),
        "cpu_ms": _rounded(figures.get(CPU_MS)),
        "memory_bytes": figures.peaks.get("memory"),
        "inflight": figures.peaks.get("inflight"),
        "sandboxes": figures.peaks.get("sandboxes"),
        "bytes_in": _count(figures.get(BYTES_IN)),
        "bytes_out": _count(figures.get(BYTES_OUT)),
        "binding_calls": _count(figures.get(CALLS)),
        "binding_bytes": _count(figures.get(CALL_BYTES)),
        "binding_ms": _rounded(figures.get(CALL_MS)),
        "log_lines": {level: _count(figures.get(LINES + index)) for index, level in enumerate(LEVELS)},
        "terminations": _count(figures.get(DEATHS)),
    }


def series(times: Sequence[int], by_time: Mapping[int, Figures]) -> dict[str, Any]:
    """By field an array with a value for each time."""
    stretches = [by_time.get(at, _NOTHING) for at in times]
    summaries = [summary(each) for each in stretches]
    found: dict[str, Any] = {}
    for name, first in (summaries[0] if summaries else summary(_NOTHING)).items():
        if isinstance(first, dict):
            found[name] = {part: [each[name][part] for each in summaries] for part in first}
        else:
            found[name] = [each[name] for each in summaries]
    found["outcomes"] = _counters([each.outcomes for each in stretches])
    found["termination_reasons"] = _counters([each.deaths for each in stretches])
    found["bindings"] = {
        name: {
            "calls": [_binding(each, name, BINDING_CALLS) for each in stretches],
            "errors": [_binding(each, name, BINDING_ERRORS) for each in stretches],
            "ms": [_binding(each, name, BINDING_MS) for each in stretches],
            "bytes": [_binding(each, name, BINDING_BYTES) for each in stretches],
        }
        for name in sorted({name for each in stretches for name in each.bindings})
    }
    return found


def totals(figures: Figures) -> dict[str, Any]:
    """All of it as one stretch of time."""
    return {
        **summary(figures),
        "outcomes": dict(sorted(figures.outcomes.items())),
        "termination_reasons": dict(sorted(figures.deaths.items())),
        "bindings": {
            name: {
                "calls": _binding(figures, name, BINDING_CALLS),
                "errors": _binding(figures, name, BINDING_ERRORS),
                "ms": _binding(figures, name, BINDING_MS),
                "bytes": _binding(figures, name, BINDING_BYTES),
            }
            for name in sorted(figures.bindings)
        },
    }


def _counters(stretches: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
    names = sorted({name for each in stretches for name in each})
    return {name: [each.get(name, 0) for each in stretches] for name in names}


def _binding(figures: Figures, name: str, place: int) -> float:
    row = figures.bindings.get(name)
    if row is None:
        return 0
    return round(row[place], 3) if place == BINDING_MS else round(row[place])


def _count(value: float) -> int:
    return round(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
