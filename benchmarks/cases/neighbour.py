"""A quiet worker's p99 beside a neighbour that misbehaves, against its p99 alone."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.load import Lateness, at_rate
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, Server, box, box_folder, get, wait_for

RATE = 300
NEIGHBOURS = {"spin": "spins", "allocate": "allocates", "flood": "floods its log"}


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        folder.add("quiet", WORKERS / "hello.js")
        for name in NEIGHBOURS:
            folder.add(name, WORKERS / f"{name}.ts")
        with box(folder) as server:
            wait_for(server.worker("quiet"))
            for name in NEIGHBOURS:
                wait_for(server.worker(name, "?ms=1"))
            at_rate(server.worker("quiet"), rate=RATE, seconds=1)
            failed = 0
            for name, what in NEIGHBOURS.items():
                row, failures = _beside(server, name, what, scale)
                failed += failures
                yield row
    yield Row(name="quiet worker: failed requests", value=failed, unit="", target=Target(bound=0))


def _beside(server: Server, name: str, what: str, scale: Scale) -> tuple[Row, int]:
    alone: list[Lateness] = []
    beside: list[Lateness] = []
    for _ in range(scale.rounds):
        alone.append(at_rate(server.worker("quiet"), rate=RATE, seconds=scale.seconds))
        with _misbehaving(server.worker(name)):
            beside.append(at_rate(server.worker("quiet"), rate=RATE, seconds=scale.seconds))
    ratio = median([busy.p99_ms / quiet.p99_ms for quiet, busy in zip(alone, beside, strict=True)])
    failed = sum(result.failed for result in [*alone, *beside])
    note = (
        f"{median([result.p99_ms for result in beside]):.2f} against {median([r.p99_ms for r in alone]):.2f} ms "
        f"at {RATE} requests/s; {failed} failed; "
        f"client's own lag {median([result.client_lag_p99_ms for result in beside]):.2f} ms"
    )
    name = f"quiet worker's p99 while a neighbour {what}"
    return Row(name=name, value=ratio, unit="x", target=Target(bound=1.5), note=note), failed


@contextlib.contextmanager
def _misbehaving(url: str) -> Iterator[None]:
    """Always one call under way; one that the box kills is called again."""
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                get(f"{url}?ms=2000")

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()


CASE = Case("neighbour", "A quiet worker beside a bad neighbour", measure)
