"""Cold starts: the first call of a deployed worker, from a warm blank and without one."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.cases.interface import Case, Scale, median, p99
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, BoxFolder, Server, box, box_folder, get, wait_for

REFILL_SECONDS = 0.25
"""Between two cold starts, for the next blank to be there: what is measured is one start, not a burst."""


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        names = [f"cold-{number:03}" for number in range(scale.cold_starts)]
        for name in names:
            folder.add(name, WORKERS / "hello.js")
        deploy_all(folder, names)
        with box(folder) as server:
            yield from _starts(server, names, "from a blank", target_ms=15)
        with box(folder, V8BOX_BLANKS="0") as server:
            yield from _starts(server, names, "without blanks", target_ms=60)


def deploy_all(folder: BoxFolder, names: list[str]) -> None:
    """Leave the folder's data with every worker deployed, so that the next box finds them."""
    with box(folder) as server:
        for name in names:
            wait_for(server.worker(name))


def _starts(server: Server, names: list[str], title: str, *, target_ms: float) -> Iterator[Row]:
    time.sleep(1)
    client, inside, gateway = [], [], []
    for name in names:
        answer = get(server.worker(name))
        if answer.status != 200:
            raise RuntimeError(f"{name} answered {answer.status}: {answer.body[:200]!r}")
        client.append(answer.seconds * 1000)
        inside.append(answer.server_timing("cold"))
        gateway.append(answer.server_timing("v8box"))
        time.sleep(REFILL_SECONDS)
    note = f"{len(names)} starts as a client sees them; {_of_which(median(gateway), median(inside))}"
    yield Row(
        name=f"cold start {title}: p50", value=median(client), unit="ms", target=Target(bound=target_ms), note=note
    )
    note = _of_which(p99(gateway), p99(inside))
    yield Row(name=f"cold start {title}: p99", value=p99(client), unit="ms", note=note)


def _of_which(gateway_ms: float, start_ms: float) -> str:
    return f"in the gateway {gateway_ms:.1f} ms, of that start and load {start_ms:.1f} ms"


CASE = Case("cold", "Cold start", measure)
