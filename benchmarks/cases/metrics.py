"""What metrics cost: counting a run, the tick of a second, a look of Prometheus while many workers are busy. In one
process, by processor time, since this is what the loop has less for requests."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.report import Row, Target
from v8box.features.metrics.scrape import Scraper
from v8box.features.metrics.sources import Check, Sources
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.counts import SiteCounts
from v8box.gateway.policies.counts import Counts
from v8box.settings import ResponseCache as CacheSettings
from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.custom import Custom
from v8box.telemetry.metrics.rollups import Rollups
from v8box.telemetry.metrics.store import MetricsStore
from v8box.telemetry.records import RunRecord

RUNS = 100_000
WORKERS = 100


def run(worker: str) -> RunRecord:
    return RunRecord(
        "r", "r", 1.8e9, worker, "v1", "http", "GET", "/", 200, "ok", 12.0, 0.0, 1.0, 100, "192.0.2.1", trace="a" * 32
    )


def measure(scale: Scale) -> Iterator[Row]:
    records = [run(f"w{number}") for number in range(WORKERS)]
    counters = Counters()

    def count() -> None:
        for _ in range(RUNS // WORKERS):
            for record in records:
                counters.on_runs([record])

    each = median([_seconds(count) / RUNS * 1e6 for _ in range(scale.repeats)])
    yield Row(name="metrics: counting a run", value=each, unit="µs", target=Target(bound=2), note=f"{WORKERS} workers")
    tick, looks = asyncio.run(_box(scale, counters, records))
    yield Row(
        name="metrics: a second's tick", value=tick, unit="ms", target=Target(bound=10), note=f"{WORKERS} busy workers"
    )
    yield Row(name="metrics: a look of Prometheus", value=looks, unit="ms", note=f"{WORKERS} workers, in a thread")


async def _box(scale: Scale, counters: Counters, records: Sequence[RunRecord]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        now = 1.8e9
        store = await MetricsStore.open(Path(folder) / "metrics.db", 1 << 30)
        rollups = Rollups(counters, store, clock=lambda: now)
        sources = Sources(
            look=lambda _: [],
            states=Counter,
            max_sandboxes=1,
            checks=_no_checks,
            audited=_nothing,
            dropped=dict,
            live=lambda: (WORKERS, 0),
            cache=ResponseCache(CacheSettings(), Path(folder)),
            refusals=Counts(),
            sites=SiteCounts(),
            data=Path(folder),
        )
        ticks, looks = [], []
        for _ in range(scale.repeats):
            for record in records:
                counters.on_runs([record])
            now += 1
            began = time.process_time()
            await rollups.tick()
            ticks.append((time.process_time() - began) * 1000)
            scraper = Scraper(counters, Custom(lambda _: None), sources, 1_000_000)  # one that keeps no answer yet
            began = time.process_time()
            await scraper.scrape(openmetrics=True)
            looks.append((time.process_time() - began) * 1000)
        await rollups.close()
        return median(ticks), median(looks)


def _seconds(call: Callable[[], None]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


async def _no_checks() -> Sequence[Check]:
    return []


async def _nothing() -> int:
    return 0


CASE = Case("metrics", "What is counted", measure)
