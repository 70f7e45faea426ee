"""The cases, in the order of the report. A new one is one module here and one line below."""

from __future__ import annotations

from benchmarks.cases import (
    cold,
    dashboard,
    fleet,
    limits,
    memory,
    metrics,
    neighbour,
    pages,
    policies,
    ready,
    redeploy,
    runs,
    services,
    throughput,
    traces,
)
from benchmarks.cases.interface import FULL, QUICK, Case, Scale

CASES: tuple[Case, ...] = (
    throughput.CASE,
    policies.CASE,
    services.CASE,
    traces.CASE,
    pages.CASE,
    cold.CASE,
    memory.CASE,
    fleet.CASE,
    neighbour.CASE,
    redeploy.CASE,
    limits.CASE,
    metrics.CASE,
    ready.CASE,
    dashboard.CASE,
    runs.CASE,
)

__all__ = ["CASES", "FULL", "QUICK", "Case", "Scale"]
