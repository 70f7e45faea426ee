"""Many deployed workers, some of them hot: the memory of the whole box."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from benchmarks.cases.cold import deploy_all
from benchmarks.cases.interface import Case, Scale
from benchmarks.load import saturate
from benchmarks.processes import descendants, memory, program
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, box, box_folder

SETTLE_SECONDS = 5.0


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        names = [f"fleet-{number:03}" for number in range(scale.deployed_workers)]
        for name in names:
            folder.add(name, WORKERS / "hello.js")
        deploy_all(folder, names)
        with box(folder) as server:
            for name in names[: scale.hot_workers]:
                saturate(server.worker(name), seconds=1, connections=4)
            time.sleep(SETTLE_SECONDS)
            count: Counter[str] = Counter()
            megabytes: Counter[str] = Counter()
            for pid in descendants(server.pid):
                figures = memory(pid)
                if figures is not None:
                    count[program(pid)] += 1
                    megabytes[program(pid)] += round(figures.pss)
    parts = ", ".join(f"{count[name]} {name} {figure} MB" for name, figure in megabytes.most_common())
    yield Row(
        name=f"{scale.deployed_workers} deployed, {scale.hot_workers} hot: the whole box",
        value=megabytes.total(),
        unit="MB",
        target=Target(bound=600),
        note=f"Pss of all its processes: {parts}",
    )


CASE = Case("fleet", "Memory of a full box", measure)
