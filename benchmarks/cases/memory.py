"""What an idle worker costs: the memory that only its process has."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.processes import Memory, memory, sandboxes
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, box, box_folder, wait_for

SETTLE_SECONDS = 3.0


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        names = [f"idle-{number:02}" for number in range(scale.idle_workers)]
        for name in names:
            folder.add(name, WORKERS / "hello.js")
        with box(folder) as server:
            for name in names:
                for _ in range(20):
                    wait_for(server.worker(name))
            time.sleep(SETTLE_SECONDS)
            found = [figures for pid in sandboxes(server.pid) if (figures := memory(pid)) is not None]
    workers, blanks = _split(found, len(names))
    note = f"{len(workers)} workers, 20 calls each; Private_Clean + Private_Dirty; largest {workers[0].private:.1f} MB"
    target = Target(bound=15)
    yield Row(name="idle worker: private", value=_private(workers), unit="MB", target=target, note=note)
    anonymous = median([worker.anonymous for worker in workers])
    yield Row(name="idle worker: anonymous", value=anonymous, unit="MB", note="the part that no file backs")
    if blanks:
        yield Row(name="warm blank: private", value=_private(blanks), unit="MB", note=f"{len(blanks)} of them")


def _split(found: list[Memory], workers: int) -> tuple[list[Memory], list[Memory]]:
    """The processes with the most are taken for the workers: a blank has loaded nothing."""
    if len(found) < workers:
        raise RuntimeError(f"{workers} workers were called, {len(found)} processes run")
    ordered = sorted(found, key=lambda figures: figures.private, reverse=True)
    return ordered[:workers], ordered[workers:]


def _private(figures: list[Memory]) -> float:
    return median([one.private for one in figures])


CASE = Case("memory", "Memory of an idle worker", measure)
