"""What is now: the requests in flight, memory and sandboxes of each worker; memory, processors and disk of the box."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from v8box.kit import procfs
from v8box.pool.group import GroupState
from v8box.telemetry.metrics.figures import Key

BOX_GAUGES: Final = (
    "process_cpu",
    "process_memory_bytes",
    "sandbox_memory_bytes",
    "machine_cpu",
    "machine_memory_used_bytes",
    "machine_memory_total_bytes",
    "disk_used_bytes",
    "disk_total_bytes",
    "inflight",
    "sandboxes",
    "waiting",
)
"""`process_cpu`: processors' worth that the box itself uses, without the sandboxes; `machine_cpu`: the share of all
processors that is busy, with whatever else runs there."""

SLOW_SECONDS: Final = 5.0
"""Memory is looked at so often: it takes a few microseconds for each sandbox."""


class Gauges:
    """Asks the pool and the kernel. Called every second."""

    def __init__(self, look: Callable[[bool], Sequence[GroupState]], data: Path) -> None:
        self._look = look
        """`Pool.look`."""
        self._data = data
        self._looked_at = 0.0
        self._own_cpu = _own_cpu_seconds()
        self._own_at = time.monotonic()
        self._machine = procfs.machine_cpu()

    def __call__(self) -> Mapping[Key, Mapping[str, float]]:
        now = time.monotonic()
        thorough = now - self._looked_at >= SLOW_SECONDS
        states = self._look(thorough)
        found: dict[Key, dict[str, float]] = {}
        for state in states:
            placement = state.placement
            values: dict[str, float] = {"inflight": state.inflight, "waiting": state.waiting}
            if thorough:
                values |= {"sandboxes": state.sandboxes, "memory": state.most_memory_bytes}
            have = found.setdefault(Key(placement.project, placement.environment, placement.worker, placement.id), {})
            for name, value in values.items():
                if value:
                    have[name] = max(have.get(name, 0), value)  # there may be two, with other variables
            _add(found.setdefault(Key(placement.project), {}), values)
            _add(found.setdefault(Key(""), {}), values)
        if thorough:
            self._looked_at = now
            box = found.setdefault(Key(""), {})
            box["sandbox_memory_bytes"] = sum(state.memory_bytes for state in states)
            box |= self._machine_now(now)
        return {key: values for key, values in found.items() if values}

    def _machine_now(self, now: float) -> dict[str, float]:
        own, machine = _own_cpu_seconds(), procfs.machine_cpu()
        busy, all_ = machine[0] - self._machine[0], machine[1] - self._machine[1]
        used = (own - self._own_cpu) / max(now - self._own_at, 0.001)
        self._own_cpu, self._own_at, self._machine = own, now, machine
        total, available = procfs.machine_memory()
        found = {
            "process_cpu": round(used, 4),
            "process_memory_bytes": float(procfs.resident_bytes(os.getpid())),
            "machine_memory_used_bytes": float(total - available),
            "machine_memory_total_bytes": float(total),
        }
        if all_ > 0:
            found["machine_cpu"] = round(busy / all_, 4)
        try:
            disk = shutil.disk_usage(self._data)
        except OSError:
            return found
        return {**found, "disk_used_bytes": float(disk.used), "disk_total_bytes": float(disk.total)}


def _add(sums: dict[str, float], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if value and name != "memory":  # of one sandbox
            sums[name] = sums.get(name, 0) + value


def _own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
