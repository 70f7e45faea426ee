"""Rounds that alternate between the sides of a comparison, and how their figures are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from benchmarks.cases.interface import Scale, median
from benchmarks.load import Lateness, Saturation, saturate

Result = TypeVar("Result", Saturation, Lateness)


def alternate(sides: Mapping[str, str], scale: Scale, run: Callable[[str], Result]) -> dict[str, list[Result]]:
    """Rounds of A B C, C B A, …, after one second of warming each."""
    for url in sides.values():
        saturate(url, seconds=1)
    results: dict[str, list[Result]] = {side: [] for side in sides}
    for number in range(scale.rounds):
        for side in list(sides) if number % 2 == 0 else reversed(list(sides)):
            results[side].append(run(sides[side]))
    return results


def rate(results: list[Saturation]) -> str:
    return f"{median([result.per_second for result in results]):,.0f}"


def latency(results: list[Saturation]) -> str:
    p50 = median([result.p50_ms for result in results])
    return f"{p50:.2f}, {median([result.p99_ms for result in results]):.2f} ms"
