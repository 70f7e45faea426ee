"""What the feed tells is counted where it belongs, within a bound."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.metrics.conftest import Time, run

from v8box.telemetry.meter import Span
from v8box.telemetry.metrics.counters import OTHER, Counters
from v8box.telemetry.metrics.figures import (
    BOUNDS_MS,
    BUCKETS,
    CALLS,
    CLASSES,
    COLD,
    DEATHS,
    DURATION_MS,
    FAILED,
    LINES,
    LONGEST,
    QUEUE_MS,
    REQUESTS,
    TIMED,
    Figures,
    Key,
    quantile,
)
from v8box.telemetry.records import DeathRecord, LineRecord


def taken(counters: Counters) -> dict[Key, Figures]:
    return {series.key: found for series in counters if (found := series.take(1.0)) is not None}


def test_runs_are_counted_by_where_they_ran_and_taken_once() -> None:
    counters = Counters(clock=Time())
    counters.on_runs([run()])
    counters.on_runs([run(status=404, duration=80.0)])
    counters.on_runs([run(status=500, outcome="exception")])
    counters.on_runs([run(environment="staging", project="shop", status=0, outcome="client_gone")])
    found = taken(counters)
    here = found[Key("default", "production", "hello", "v1", "http")]
    assert [here.get(place) for place in (REQUESTS, FAILED, TIMED, DURATION_MS)] == [3, 1, 3, 104.0]
    assert [here.get(CLASSES + index) for index in range(6)] == [0, 0, 1, 0, 1, 1]
    assert here.outcomes == {"exception": 1}
    there = found[Key("shop", "staging", "hello", "v1", "http")]
    assert (there.get(CLASSES), there.get(FAILED), there.outcomes) == (1, 0, {"client_gone": 1})
    assert taken(counters) == {}
    counters.on_runs([run(status=500, outcome="exception")])
    (again,) = taken(counters).values()
    assert (again.get(REQUESTS), again.outcomes) == (1, {"exception": 1})


def test_a_talk_over_a_websocket_is_no_latency() -> None:
    counters = Counters(clock=Time())
    counters.on_runs([run(status=101, duration=3_600_000.0)])
    (found,) = taken(counters).values()
    assert (found.get(REQUESTS), found.get(TIMED), found.quantile(0.5)) == (1, 0, None)


def test_waits_memory_lines_and_deaths() -> None:
    counters = Counters(clock=Time())
    counters.on_runs([run(cold=40.0, memory=7, bytes_in=5)])
    counters.on_runs([run(queue=3.0, memory=5)])
    counters.on_line(LineRecord(1.0, None, "hello", "v1", "warn", "careful"))
    counters.on_line(LineRecord(1.0, None, "hello", "v1", "shout", "of no level"))
    counters.on_death(DeathRecord(1.0, "hello", "v1", "memory", "too much", peak_memory=9))
    found = taken(counters)
    of_runs = found[Key("default", "production", "hello", "v1", "http")]
    assert (of_runs.get(COLD), of_runs.get(QUEUE_MS), of_runs.peaks) == (1, 3.0, {"memory": 7, LONGEST: 12.0})
    rest = found[Key("default", "production", "hello", "v1")]
    assert [rest.get(LINES + index) for index in range(4)] == [0, 1, 1, 0]
    assert (rest.get(DEATHS), rest.deaths, rest.peaks) == (1, {"memory": 1}, {"memory": 9})


def test_calls_are_counted_by_binding_those_without_a_span_too() -> None:
    counters = Counters(clock=Time())
    spans = [Span("db", "execute", 0.0, 2.0, 10, 20), Span("cache", "get", 2.0, 1.0, 1, 1, error="ERR")]
    counters.on_runs([run(calls=2, call_time=3.0, spans=spans)])
    (found,) = taken(counters).values()
    assert found.bindings == {"db": [1, 0, 2.0, 30], "cache": [1, 1, 1.0, 2]}
    counters.on_runs([run(calls=200, call_time=100.0, spans=[Span("db", "execute", 0.0, 1.0)] * 100)])
    (found,) = taken(counters).values()
    assert found.get(CALLS) == 200
    assert found.bindings["db"][0] == 200
    assert "cache" not in found.bindings


def test_beyond_the_bound_a_project_counts_as_one_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    counters = Counters(most=2, clock=time)
    with caplog.at_level(logging.WARNING):
        for name in ("a", "b", "c", "d", "c"):
            counters.on_runs([run(name)])
        counters.on_runs([run("x", project="shop")])
    assert counters.lumped == 4
    assert len([each for each in caplog.records if "series" in each.message]) == 1
    found = taken(counters)
    assert found[Key("default", "", OTHER)].get(REQUESTS) == 3
    assert found[Key("shop", "", OTHER)].get(REQUESTS) == 1
    assert sum(each.get(REQUESTS) for each in found.values()) == 6


def test_what_is_idle_is_forgotten_but_not_before_it_was_taken() -> None:
    time = Time()
    counters = Counters(clock=time)
    counters.on_runs([run()])
    time.now += 100_000
    counters.forget()
    assert len(counters) == 1, "nobody has taken it yet"
    assert [series.take(time.now) is not None for series in counters] == [True]
    time.now += 100_000
    counters.forget()
    assert len(counters) == 0


def test_the_trace_of_the_last_run_of_a_bucket_is_kept() -> None:
    counters = Counters(clock=Time())
    for trace in ("", "a" * 32, "b" * 32):
        counters.on_runs([run(trace=trace)])
    (series,) = counters
    assert [each[0] for each in series.exemplars.values()] == ["b" * 32]


@given(st.lists(st.floats(0, 120_000), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_value(values: list[float], share: float) -> None:
    counters = Counters(clock=Time())
    for value in values:
        counters.on_runs([run(duration=value)])
    (found,) = taken(counters).values()
    wanted = sorted(values)[max(0, -(-len(values) * share // 1).__int__() - 1)]
    index = next((i for i, bound in enumerate(BOUNDS_MS) if wanted <= bound), len(BOUNDS_MS))
    estimated = found.quantile(share)
    assert estimated is not None
    low = BOUNDS_MS[index - 1] if index else 0
    high = BOUNDS_MS[index] if index < len(BOUNDS_MS) else BOUNDS_MS[-1]
    if abs(len(values) * share - round(len(values) * share)) > 1e-6:  # else either of two values is right
        assert low <= estimated <= high
    assert sum(found.get(BUCKETS + i) for i in range(len(BOUNDS_MS) + 1)) == len(values)


def test_nothing_took_longer_than_the_longest() -> None:
    counters = Counters(clock=Time())
    counters.on_runs([run(duration=each) for each in (30_060.0, 30_081.0, 30_458.0)])
    (first,) = taken(counters).values()
    assert (first.quantile(0.5), first.quantile(0.99)) == (30_458.0, 30_458.0)
    counters.on_runs([run(duration=31_000.0)])
    (second,) = taken(counters).values()
    first.add(second)
    assert first.quantile(0.99) == 31_000.0
    of_before = Figures(dict(second.sums))  # by a box that did not look at it yet
    for merged, other in ((of_before, second), (second, of_before)):
        merged.add(other)
        estimated = merged.quantile(0.5)
        assert estimated is not None
        assert 30_000 < estimated <= 60_000
        assert LONGEST not in merged.peaks


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile([0] * 3, 0.5, (1, 2)) is None
    assert quantile([0, 0, 5], 0.5, (1, 2)) == 2


_COUNTS = st.dictionaries(st.sampled_from(["cpu", "memory", "wall"]), st.integers(1, 99))
_FIGURES = st.builds(
    Figures,
    sums=st.dictionaries(st.integers(0, 30), st.integers(1, 1000)),
    outcomes=_COUNTS,
    deaths=_COUNTS,
    bindings=st.dictionaries(st.sampled_from(["db", "s3"]), st.lists(st.integers(0, 9), min_size=4, max_size=4)),
    peaks=st.dictionaries(st.sampled_from(["memory"]), st.integers(0, 99)),
)


def _copy(figures: Figures) -> Figures:
    made = Figures()
    made.add(figures)
    return made


@given(_FIGURES, _FIGURES, _FIGURES)
def test_in_whichever_order_stretches_are_added_the_sum_is_the_same(a: Figures, b: Figures, c: Figures) -> None:
    left, right = _copy(a), _copy(b)
    left.add(b)
    left.add(c)
    right.add(c)
    whole = _copy(a)
    whole.add(right)
    assert whole == left
