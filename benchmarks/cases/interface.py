"""What a case is: a name for `--only`, a title for the report, and a function that measures and gives rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.open_model import percentile
from benchmarks.report import Row


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of everything; `quick` is for trying the benchmarks, not for believing them."""

    rounds: int = 5
    seconds: float = 4.0
    cold_starts: int = 60
    idle_workers: int = 20
    deployed_workers: int = 200
    hot_workers: int = 20
    redeploy_seconds: float = 15.0
    repeats: int = 7
    databases: int = 1000
    busy_seconds: float = 60.0
    stored_runs: int = 5_000_000


FULL = Scale()
QUICK = Scale(
    rounds=1,
    seconds=2.0,
    cold_starts=8,
    idle_workers=4,
    deployed_workers=20,
    hot_workers=4,
    redeploy_seconds=4.0,
    repeats=2,
    databases=50,
    busy_seconds=4.0,
    stored_runs=200_000,
)


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    measure: Callable[[Scale], Iterable[Row]]


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def p99(values: Sequence[float]) -> float:
    return percentile(list(values), 99)
