"""What workers count themselves is believed nothing: it is checked, bounded, and what is refused is said once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.metrics.conftest import HOUR_BEGINS, Kept, Time

from v8box.telemetry.metrics import custom as module
from v8box.telemetry.metrics.custom import BOUNDS, Custom
from v8box.telemetry.metrics.figures import DURATION_MS, REQUESTS, TIMED, Key
from v8box.telemetry.metrics.store import HOUR, MINUTE
from v8box.telemetry.records import LineRecord, MeasureRecord


class Measuring:
    def __init__(self) -> None:
        self.lines: list[LineRecord] = []
        self.time = Time()
        self.custom = Custom(self.lines.append, clock=self.time)

    def measure(self, *entries: Any, worker: str = "hello", **more: Any) -> None:
        self.custom.on_measure(MeasureRecord(worker, "v1", list(entries), **more))

    @property
    def values(self) -> dict[tuple[str, str, str], Any]:
        return {
            (key.kind, key.name, key.labels): metric.counts if key.kind == "histogram" else metric.value
            for key, metric in self.custom.all()
        }


@pytest.fixture
def measuring() -> Measuring:
    return Measuring()


def test_counters_add_gauges_keep_the_last_and_histograms_count(measuring: Measuring) -> None:
    measuring.measure((0, "orders", {"b": "2", "a": "1"}, 2), (1, "depth", None, 5), (2, "took", None, [0.3, 0.3, 1e9]))
    measuring.measure((0, "orders", {"a": "1", "b": "2"}, 1.5), (1, "depth", None, -5), (2, "took", None, 0.0001))
    values = measuring.values
    assert values["counter", "orders", '{"a":"1","b":"2"}'] == 3.5
    assert values["gauge", "depth", "{}"] == -5
    counts = values["histogram", "took", "{}"]
    assert (counts[0], counts[BOUNDS.index(0.5)], counts[-1], sum(counts)) == (1, 2, 1, 4)
    assert measuring.lines == []


def test_workers_and_environments_are_kept_apart(measuring: Measuring) -> None:
    for more in ({}, {"environment": "staging"}, {"project": "shop"}, {"worker": "other"}):
        measuring.measure((0, "orders", None, 1), **more)
    assert {(key.project, key.environment, key.worker, metric.value) for key, metric in measuring.custom.all()} == {
        ("default", "production", "hello", 1),
        ("default", "staging", "hello", 1),
        ("shop", "production", "hello", 1),
        ("default", "production", "other", 1),
    }


def test_a_counter_whose_name_ends_in_total_is_the_one_without(measuring: Measuring) -> None:
    measuring.measure((0, "orders_total", None, 1), (0, "orders", None, 1))
    assert measuring.values == {("counter", "orders", "{}"): 2}


@pytest.mark.parametrize(
    "entry",
    [
        (0, "", None, 1),
        (0, "1a", None, 1),
        (0, "A", None, 1),
        (0, "a-b", None, 1),
        (0, "a" * 64, None, 1),
        (0, "a\n", None, 1),
        (0, 'a{b="c"} 1', None, 1),
        (0, "_total", None, 1),
        (3, "a", None, 1),
        (-1, "a", None, 1),
        (0, "a_created", None, 1),
        (2, "a_created", None, 1),
        (2, "a_bucket", None, 1),
        (2, "a_sum", None, 1),
        (2, "a_count", None, 1),
        (0, "a", {"le": "1"}, 1),
        (0, "a", {"worker": "other"}, 1),
        (0, "a", {"project": "other"}, 1),
        (0, "a", {"environment": "other"}, 1),
        (0, "a", {"__name__": "b"}, 1),
        (0, "a", {"a-b": "1"}, 1),
        (0, "a", {"": "1"}, 1),
        (0, "a", {"a\n": "1"}, 1),
        (0, "a", {f"l{n}": "1" for n in range(11)}, 1),
        (0, "a", None, -1),
        (0, "a", None, 1e300),
        (1, "a", None, -1e300),
        (2, "a", None, [1, 1e300]),
        (0, "a", None, [1, 2]),
        (1, "a", None, [1, 2]),
    ],
)
def test_what_makes_no_sense_is_dropped_and_said_once(measuring: Measuring, entry: Any) -> None:
    measuring.measure(entry, entry)
    measuring.measure(entry)
    assert not any(measuring.values.values())
    assert measuring.custom.dropped == 3
    (line,) = measuring.lines
    assert (line.level, line.worker, line.run) == ("warn", "hello", None)
    assert line.text.startswith("ctx.metrics: ")
    assert len(line.text) < 300


def test_a_worker_has_so_many_time_series_and_another_its_own(measuring: Measuring) -> None:
    for number in range(1_100):
        measuring.measure((0, "orders", {"n": str(number)}, 1))
    measuring.measure((0, "orders", {"n": "5"}, 1))
    assert len(measuring.custom) == 1_000
    assert measuring.values["counter", "orders", '{"n":"5"}'] == 2
    assert len(measuring.lines) == 1
    assert "1000" in measuring.lines[0].text
    measuring.measure((0, "orders", None, 1), worker="other")
    assert len(measuring.custom) == 1_001


def test_so_do_all_together(measuring: Measuring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OF_BOX", 5)
    for number in range(9):
        measuring.measure((0, "orders", None, 1), worker=f"w{number}")
    assert len(measuring.custom) == 5
    assert len({line.worker for line in measuring.lines}) == 4


def test_what_is_not_measured_any_more_makes_room(measuring: Measuring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_WORKER", 1)
    measuring.measure((0, "old", None, 1))
    measuring.time.now += 100_000
    measuring.measure((0, "new", None, 1))
    assert list(measuring.values) == [("counter", "new", "{}")]
    assert len(measuring.custom) == 1
    measuring.custom.forget_project("default")
    assert len(measuring.custom) == 0


def test_a_worker_cannot_fill_its_log_with_different_mistakes(measuring: Measuring) -> None:
    for number in range(100):
        measuring.measure((0, f"-{number}", None, 1))
    assert len(measuring.lines) == 20


def test_what_was_lost_is_said(measuring: Measuring) -> None:
    measuring.measure(lost=True)
    assert "faster" in measuring.lines[0].text


_ENTRIES = st.tuples(
    st.integers(-1, 4),
    st.text(max_size=70) | st.sampled_from(["a", "b_total"]),
    st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=12),
    st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.floats(allow_nan=False, allow_infinity=False)),
)


@given(st.lists(_ENTRIES, max_size=20))
def test_whatever_a_process_sends_the_box_goes_on(entries: list[Any]) -> None:
    measuring = Measuring()
    measuring.measure(*entries)
    for key, _ in measuring.custom.all():
        assert module._NAME.fullmatch(key.name)
        assert isinstance(json.loads(key.labels), dict)
    measuring.custom.take()
    assert measuring.custom.take() == {}


async def test_they_are_kept_by_minutes_and_hours(kept: Kept) -> None:
    def orders(key: Key) -> bool:
        return key.name == "orders"

    async def read(wanted: Any, step: int = MINUTE) -> dict[int, Any]:
        found = await kept.rollups.read(wanted, HOUR_BEGINS, HOUR_BEGINS + HOUR, step)
        return {at - HOUR_BEGINS: figures for (_, at), figures in found.items()}

    for value in (3.0, 4.0):
        kept.custom.on_measure(
            MeasureRecord(
                "a", "v1", [(0, "orders", None, value), (1, "depth", None, value), (2, "took", None, [value])]
            )
        )
        await kept.minute()
    assert {at: figures.get(REQUESTS) for at, figures in (await read(orders)).items()} == {0: 3, 60: 4}
    assert (await read(orders, HOUR))[0].get(REQUESTS) == 7
    depth = (await read(lambda key: key.name == "depth", HOUR))[0]
    assert (depth.last, depth.peaks) == ({"value": 4.0}, {"value": 4.0})
    took = (await read(lambda key: key.name == "took", HOUR))[0]
    assert (took.get(TIMED), took.get(DURATION_MS)) == (2, 7.0)
    whole = await kept.rollups.read(lambda key: not key.worker, HOUR_BEGINS, HOUR_BEGINS + HOUR, MINUTE)
    assert not whole, "they are no requests of the project"
    await kept.rollups.forget_project("default")
    assert await read(orders, HOUR) == {}
    assert not kept.rollups.keys()
