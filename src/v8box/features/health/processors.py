"""How busy the machine's processors are; in a container with a limit of its own, how much of that limit is used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.features.health.model import Finding, Status
from v8box.kit.phrases import phrase

_FULL: Final = 0.95
_LONG_SECONDS: Final = 300.0
_AT_LEAST_SECONDS: Final = 0.5
_ADVICE: Final = phrase(
    "find_busy",
    "look which workers take the time (Metrics, or v8box metrics --box --by cpu_ms), give them smaller limits, "
    "or add processors",
)


@dataclass(frozen=True, slots=True)
class Processors:
    """How many there are, and the seconds that they have worked since the machine, or the container, was started."""

    count: float
    busy_seconds: float


def read_processors(root: Path = Path("/")) -> Processors:
    """From /proc/stat, and from the cgroup where it has fewer than the machine."""
    lines = (root / "proc/stat").read_text().splitlines()
    count = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines) or 1
    user, nice, system, _idle, _waiting, *interrupts = (int(each) for each in lines[0].split()[1:9])
    busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    limit = _limit_of_cgroup(root / "sys/fs/cgroup")
    return limit if limit is not None and limit.count < count else Processors(count, busy)


class ProcessorWatch:
    """What was busy between two looks. It warns when that has been next to everything for five minutes."""

    def __init__(
        self,
        *,
        read: Callable[[], Processors] = read_processors,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._clock = read, clock
        self._before: Processors | None = None
        self._looked_at = clock()
        with suppress(OSError, ValueError):  # what cannot be read is told by the looks, and keeps no box from starting
            self._before = read()
        self._share: float | None = None
        self._full_since: float | None = None

    def look(self) -> Finding:
        now, found = self._clock(), self._read()
        elapsed = now - self._looked_at
        if self._before is None:
            self._before, self._looked_at = found, now
        elif elapsed >= _AT_LEAST_SECONDS:
            worked = found.busy_seconds - self._before.busy_seconds
            self._share = max(0.0, min(1.0, worked / elapsed / found.count))
            if self._share < _FULL:
                self._full_since = None
            elif self._full_since is None:
                self._full_since = self._looked_at
            self._before, self._looked_at = found, now
        there = f"{found.count:g} processor{'' if found.count == 1 else 's'}"
        if self._share is None:
            return Finding(Status.OK, phrase("processors", there, count=found.count))
        share = round(self._share, 4)
        value = f"{self._share:.0%} of {there}"
        if self._full_since is not None and now - self._full_since >= _LONG_SECONDS:
            minutes = round((now - self._full_since) / 60)
            told = phrase(
                "processors_full", f"{value} for {minutes} minutes", share=share, count=found.count, minutes=minutes
            )
            return Finding(Status.WARN, told, _ADVICE, share=self._share)
        return Finding(Status.OK, phrase("processors_busy", value, share=share, count=found.count), share=self._share)


def _limit_of_cgroup(folder: Path) -> Processors | None:
    """None where there is no limit, or this kernel tells of none."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        if quota == "max":
            return None
        stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        return Processors(int(quota) / int(period), int(stat["usage_usec"]) / 1e6)
    except (OSError, ValueError, KeyError):
        return None
