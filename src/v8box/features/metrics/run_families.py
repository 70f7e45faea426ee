"""The families that are counted from runs, lines and deaths: summed up by what each has as labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from v8box.features.metrics.families import Families, Labels, Timing
from v8box.telemetry.metrics.counters import Series
from v8box.telemetry.metrics.figures import (
    BINDING_BYTES,
    BINDING_CALLS,
    BINDING_ERRORS,
    BINDING_MS,
    BOUNDS_MS,
    BUCKETS,
    BYTES_IN,
    BYTES_OUT,
    CLASSES,
    COLD_MS,
    CPU_MS,
    DURATION_MS,
    FAILED,
    LINES,
    QUEUE_MS,
    REQUESTS,
    ROW,
    STATUS_CLASSES,
)
from v8box.telemetry.records import LEVELS

_WORKER: Final = ("project", "environment", "worker")
_VERSION: Final = (*_WORKER, "version")


def add_runs(families: Families, all_: Sequence[Series]) -> None:
    """`all_` is `Counters.all()`."""
    _add_requests(families, all_)
    _add_timings(families, all_)
    _add_use(families, all_)
    _add_ends(families, all_)
    _add_bindings(families, all_)


def _add_requests(families: Families, all_: Sequence[Series]) -> None:
    requests: dict[Labels, float] = {}
    failures: dict[Labels, float] = {}
    outcomes: defaultdict[Labels, float] = defaultdict(float)
    for series in all_:
        project, environment, worker, version, trigger = series.key[:5]
        if not series.row[REQUESTS]:
            continue
        well = series.row[REQUESTS]
        for outcome, count in series.outcomes.copy().items():
            outcomes[project, environment, worker, outcome] += count
            well -= count
        outcomes[project, environment, worker, "ok"] += well
        if not version:
            continue  # of versions that are forgotten: by version they are nobody's
        for index, name in enumerate(STATUS_CLASSES):
            if answered := series.row[CLASSES + index]:
                requests[project, environment, worker, version, trigger, name] = answered
        failures[project, environment, worker, version, trigger] = series.row[FAILED]
    families.counter(
        "v8box_requests",
        "Runs that are over, by the class of the status that was answered.",
        (*_VERSION, "trigger", "status_class"),
        requests,
    )
    families.counter(
        "v8box_request_failures",
        "Runs that answered 5xx, or ended in a way that no caller asked for.",
        (*_VERSION, "trigger"),
        failures,
    )
    families.counter("v8box_run_outcomes", "Runs that are over, by how they ended.", (*_WORKER, "outcome"), outcomes)


def _add_timings(families: Families, all_: Sequence[Series]) -> None:
    durations: dict[Labels, Timing] = {}
    cold: dict[Labels, Timing] = {}
    queued: dict[Labels, Timing] = {}
    for series in all_:
        row = series.row.copy()
        labels = series.key[:3]
        if row[REQUESTS]:
            _time(durations, (*labels, series.key.trigger), row[BUCKETS:ROW], row[DURATION_MS], series)
        if series.cold_buckets is not None:
            _time(cold, labels, series.cold_buckets, row[COLD_MS])
        if series.queue_buckets is not None:
            _time(queued, labels, series.queue_buckets, row[QUEUE_MS])
    families.timing(
        "v8box_request_duration_seconds",
        "How long runs took, until the answer was sent; WebSockets are not among them.",
        (*_WORKER, "trigger"),
        durations,
    )
    families.timing("v8box_cold_start_seconds", "How long runs waited for a sandbox to start.", _WORKER, cold)
    families.timing("v8box_queue_wait_seconds", "How long runs waited for a sandbox to have room.", _WORKER, queued)


def _time(
    found: dict[Labels, Timing],
    labels: Labels,
    counts: Sequence[float],
    sum_ms: float,
    series: Series | None = None,
) -> None:
    have = found.get(labels, _NO_TIMING)
    exemplars = dict(have.exemplars)
    if series is not None:
        for place, exemplar in series.exemplars.copy().items():
            index = place - BUCKETS
            if index not in exemplars or exemplars[index][2] < exemplar[2]:
                exemplars[index] = exemplar
    found[labels] = Timing([a + b for a, b in zip(have.counts, counts, strict=True)], have.sum_ms + sum_ms, exemplars)


_NO_TIMING: Final = Timing([0] * (len(BOUNDS_MS) + 1), 0.0, {})


def _add_use(families: Families, all_: Sequence[Series]) -> None:
    for name, about, place, unit in (
        ("v8box_worker_cpu_seconds", "Processor time of runs.", CPU_MS, 1000),
        ("v8box_request_bytes", "Bytes of requests' bodies.", BYTES_IN, 1),
        ("v8box_response_bytes", "Bytes of answers' bodies.", BYTES_OUT, 1),
    ):
        used: defaultdict[Labels, float] = defaultdict(float)
        for series in all_:
            if series.row[REQUESTS]:
                used[series.key[:3]] += series.row[place] / unit
        families.counter(name, about, _WORKER, used)


def _add_ends(families: Families, all_: Sequence[Series]) -> None:
    lines: defaultdict[Labels, float] = defaultdict(float)
    deaths: defaultdict[Labels, float] = defaultdict(float)
    for series in all_:
        for index, level in enumerate(LEVELS):
            if printed := series.row[LINES + index]:
                lines[(*series.key[:3], level)] += printed
        for reason, count in series.deaths.copy().items():
            deaths[(*series.key[:3], reason)] += count
    families.counter("v8box_log_lines", "Lines that workers printed.", (*_WORKER, "level"), lines)
    families.counter(
        "v8box_terminations",
        "Sandboxes that ended other than by going idle or being replaced, by reason.",
        (*_WORKER, "reason"),
        deaths,
    )


def _add_bindings(families: Families, all_: Sequence[Series]) -> None:
    for name, about, place, unit in (
        ("v8box_binding_calls", "Calls of services.", BINDING_CALLS, 1),
        ("v8box_binding_errors", "Calls of services that were refused or failed.", BINDING_ERRORS, 1),
        ("v8box_binding_seconds", "Time that runs spent in calls of services.", BINDING_MS, 1000),
        ("v8box_binding_bytes", "Bytes to and from services.", BINDING_BYTES, 1),
    ):
        counted: defaultdict[Labels, float] = defaultdict(float)
        for series in all_:
            for binding, row in series.bindings.copy().items():
                counted[(*series.key[:3], binding)] += row[place] / unit
        families.counter(name, about, (*_WORKER, "binding"), counted)
