"""How far past its limit a run gets before it is dead: wall time, CPU time, memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.processes import anonymous_now, sandboxes
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, Answer, Server, box, box_folder, get, wait_for

WALL_MS = 500
CPU_MS = 300
MEMORY_MB = 64
TARGET = Target(bound=200)
DEAD_SECONDS = 10.0
LIMITS = {
    "never": {"wall_ms": WALL_MS},
    "spin": {"cpu_ms": CPU_MS, "wall_ms": 20_000},
    "allocate": {"memory_mb": MEMORY_MB, "cpu_ms": 20_000, "wall_ms": 20_000},
}


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        for name in LIMITS:
            folder.add(name, WORKERS / f"{name}.ts")
        folder.limit(LIMITS)
        with box(folder) as server:
            for name in LIMITS:
                wait_for(server.worker(name, "?ms=1"))
            yield _late_answer(server, "never", WALL_MS, "wall", scale)
            yield _late_answer(server, "spin", CPU_MS, "cpu", scale)
            yield _memory_breach(server, scale)


def _late_answer(server: Server, name: str, limit_ms: int, reason: str, scale: Scale) -> Row:
    """From the limit to the answer, which the box gives when the run is over."""
    late = []
    for _ in range(scale.repeats):
        wait_for(server.worker(name, "?ms=1"))
        answer = get(server.worker(name))
        _expect(answer, reason)
        late.append(answer.seconds * 1000 - limit_ms)
    return _row(f"{reason} limit of {limit_ms} ms: answered late by", late, "median; slowest")


def _memory_breach(server: Server, scale: Scale) -> Row:
    """From the first sample above the limit to the process's end, sampled every few milliseconds."""
    late, peaks = [], []
    for _ in range(scale.repeats):
        wait_for(server.worker("allocate", "?ms=1"))
        watch = _Watch(server)
        answer = get(server.worker("allocate"))
        breach_seconds, peak = watch.stop()
        _expect(answer, "memory")
        late.append(breach_seconds * 1000)
        peaks.append(peak)
    return _row(
        f"memory limit of {MEMORY_MB} MB: killed late by", late, f"peak {median(peaks):.0f} MB anonymous; slowest"
    )


class _Watch:
    """Follows the sandboxes: when the first held more than the limit, and when it was gone."""

    def __init__(self, server: Server) -> None:
        self._box = server.pid
        self._answered = threading.Event()
        self._breach_seconds = float("nan")
        self._peak = 0.0
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def stop(self) -> tuple[float, float]:
        self._answered.set()
        self._thread.join()
        return self._breach_seconds, self._peak

    def _follow(self) -> None:
        over: list[int] = []
        while not over and not self._answered.is_set():
            over = [pid for pid in sandboxes(self._box) if anonymous_now(pid) > MEMORY_MB]
            time.sleep(0.001)
        since = time.monotonic()
        while over and time.monotonic() - since < DEAD_SECONDS:
            held = anonymous_now(over[0])
            if held == 0:
                self._breach_seconds = time.monotonic() - since
                return
            self._peak = max(self._peak, held)
            time.sleep(0.001)


def _expect(answer: Answer, reason: str) -> None:
    found = answer.headers.get("x-v8box-termination")
    if found != reason:
        raise RuntimeError(f"expected to be stopped for {reason}: {answer.status}, {found}, {answer.body[:200]!r}")


def _row(name: str, late: list[float], note: str) -> Row:
    return Row(name=name, value=median(late), unit="ms", target=TARGET, note=f"{note} {max(late):.0f} ms")


CASE = Case("limits", "From a limit's breach to the end", measure)
