"""Rows of the table, and the two forms it takes: aligned text for the terminal, Markdown for docs/benchmarks.md."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

INTRODUCTION = """# Benchmarks

Written by `make bench ARGS=--write`, in one run on one machine, with logging, request ids and limits on. A ratio is the
median of rounds that alternate between the two sides, so that what else the machine does meets both alike. Throughput
is wrk with 32 connections (closed model); latency at a fixed rate is `benchmarks/open_model.py`, which counts from when
a request was due, not from when it could be sent. A line without a target is there to be watched.
"""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure has to reach."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `value` is nan when it could not be measured; `note` then says why."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    note: str = ""

    @property
    def measured(self) -> str:
        if math.isnan(self.value):
            return "not measured"
        digits = 0 if abs(self.value) >= 100 or self.value == int(self.value) else 1 if abs(self.value) >= 10 else 2
        return f"{self.value:,.{digits}f} {self.unit}".rstrip()

    @property
    def verdict(self) -> str:
        if math.isnan(self.value):
            return "✗"
        if self.target is None:
            return ""
        return "✓" if self.target.met(self.value) else "✗"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        target = f"{self.target} {self.unit}".rstrip() if self.target else ""
        return (self.name, self.measured, target, self.verdict, self.note)


HEADINGS = ("measurement", "measured", "target", "", "note")


def text(rows: Sequence[Row]) -> str:
    table = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) for cells in table]
    return "\n".join(line.rstrip() for line in lines)


def markdown(sections: Sequence[tuple[str, Sequence[Row]]], versions: dict[str, str]) -> str:
    parts = [INTRODUCTION]
    parts.append(f"Machine: {machine()}. Versions: {', '.join(f'{name} {text}' for name, text in versions.items())}.\n")
    for title, rows in sections:
        lines = [f"## {title}\n", f"| {' | '.join(HEADINGS)} |", "|---|--:|--:|:-:|---|"]
        lines += [f"| {' | '.join(row.cells)} |" for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.machine()}, Linux, Python {platform.python_version()}"
    )
