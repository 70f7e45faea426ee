"""The last minute of each placement: what is counted, what is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from v8box.telemetry.rates import BOUNDS_MS, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_is_kept_second_by_second() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.follow(["a", "b"])
    for second in range(90):
        clock.now = 1_000.0 + second
        rates.record("a", 4, failed=second % 10 == 0)
        rates.record("a", 900, failed=False)
    window = rates.window("a", 3_600)
    assert (window.requests, window.errors) == (120, 6)
    assert rates.window("a", 10).requests == 20
    assert rates.window("b", 10).requests == 0
    assert rates.total("a") == 180
    clock.now += 55
    assert rates.window("a", 60).requests == 10
    clock.now += 100_000
    assert rates.window("a", 60).requests == 0
    rates.record("a", 1, failed=True)
    assert rates.window("a", 60).error_rate == 1.0


def test_what_is_no_longer_live_is_forgotten_and_counts_no_more() -> None:
    rates = Rates(Clock())
    rates.follow(["a"])
    rates.record("a", 1, failed=True)
    rates.record("stranger", 1, failed=True)
    rates.follow(["b"])
    rates.record("a", 1, failed=True)
    rates.follow(["a", "b"])
    assert rates.window("a", 60).requests == rates.window("stranger", 60).requests == rates.total("a") == 0


@given(st.lists(st.floats(0, 29_000), min_size=1, max_size=200))
def test_a_quantile_is_true_to_its_bucket(latencies: list[float]) -> None:
    rates = Rates(Clock())
    rates.follow(["a"])
    for latency in latencies:
        rates.record("a", latency, failed=False)
    found = rates.window("a", 60).quantile_ms(0.95)
    wanted = sorted(latencies)[max(0, -(-len(latencies) * 95 // 100) - 1)]
    high = next(bound for bound in BOUNDS_MS if wanted <= bound)
    low = max((bound for bound in BOUNDS_MS if bound < high), default=0)
    assert low <= found <= high


def test_of_nothing_there_is_no_latency_and_no_error() -> None:
    window = Rates().window("a", 60)
    assert (window.error_rate, window.quantile_ms(0.95)) == (0.0, 0.0)
