"""How long `v8box up` takes until it answers, with workers already deployed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cases.cold import deploy_all
from benchmarks.cases.interface import Case, Scale, median
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, box, box_folder

WORKERS_DEPLOYED = 10


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        names = [f"ready-{number}" for number in range(WORKERS_DEPLOYED)]
        for name in names:
            folder.add(name, WORKERS / "hello.js")
        deploy_all(folder, names)
        seconds = []
        for _ in range(scale.repeats):
            with box(folder) as server:
                seconds.append(server.ready_seconds)
    yield Row(
        name="`v8box up` until /health answers 200",
        value=median(seconds),
        unit="s",
        target=Target(bound=1.5),
        note=f"{WORKERS_DEPLOYED} workers deployed; slowest {max(seconds):.2f} s",
    )


CASE = Case("ready", "Start of the box", measure)
