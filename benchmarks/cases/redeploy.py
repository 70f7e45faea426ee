"""A worker saved every second under load: what fails, and how long until the new version answers."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.load import start_at_rate
from benchmarks.report import Row, Target
from benchmarks.servers import box, box_folder, get, wait_for

RATE = 500
EVERY_SECONDS = 1.0


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        folder.add("changing", _source(0))
        with box(folder) as server:
            url = server.worker("changing")
            wait_for(url)
            delays: list[float] = []
            with start_at_rate(url, rate=RATE, seconds=scale.redeploy_seconds) as load:
                while load.running:
                    saved = time.monotonic()
                    folder.add("changing", _source(len(delays) + 1))
                    delays.append(_until_live(url, len(delays) + 1, saved))
                    time.sleep(max(0.0, saved + EVERY_SECONDS - time.monotonic()))
                result = load.finish()
    note = f"{len(delays)} versions, {result.sent:,} requests at {RATE} requests/s; p99 {result.p99_ms:.1f} ms"
    yield Row(
        name="redeploy every second: failed requests", value=result.failed, unit="", target=Target(bound=0), note=note
    )
    note = f"under that load; slowest {max(delays) * 1000:.0f} ms"
    live = median(delays) * 1000
    yield Row(
        name="from a saved file to the new version's answer", value=live, unit="ms", target=Target(bound=300), note=note
    )


def _source(generation: int) -> str:
    return f'export default {{ fetch: () => new Response("{generation}") }};\n'


def _until_live(url: str, generation: int, since: float) -> float:
    """Seconds from `since` until the worker answers with `generation`; nan after ten."""
    while time.monotonic() - since < 10:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if get(url).body == str(generation).encode():
                return time.monotonic() - since
        time.sleep(0.01)
    return float("nan")


CASE = Case("redeploy", "Redeploy under load", measure)
