"""The store of runs: what a box that is very busy for a minute loses, and how long searches over millions take."""

from __future__ import annotations

import asyncio
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.report import Row, Target
from v8box.telemetry.feed import GATHER_SECONDS, Feed
from v8box.telemetry.intake import Intake
from v8box.telemetry.meter import Span
from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.figures import REQUESTS
from v8box.telemetry.records import RunError, RunRecord
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import Found, RunQuery, RunStore

WORKERS = 50
RATE = 10_000
DAY = 86_400.0
TARGET_MS = Target(bound=300)


def measure(scale: Scale) -> Iterator[Row]:
    folder = Path(tempfile.mkdtemp(prefix="v8box-runs-"))
    try:
        yield from asyncio.run(_measure(folder, scale))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(folder: Path, scale: Scale) -> list[Row]:
    rows = await _busy_minute(folder / "busy", scale)
    rows += await _searches(folder / "many", scale)
    return rows


async def _busy_minute(folder: Path, scale: Scale) -> list[Row]:
    """So many runs a second, told on the loop as the gateway does it, with the loop's delay looked at."""
    store = await RunStore.open(folder, budget_bytes=1 << 30, days=14)
    feed, counters = Feed(partial(asyncio.get_running_loop().call_later, GATHER_SECONDS)), Counters()
    feed.on_runs(Intake(store, Rings()).runs)
    feed.on_runs(counters.on_runs)
    writing = asyncio.create_task(store.write_forever())
    seconds = scale.busy_seconds
    made = _runs(time.time(), 1 / RATE)
    began, cpu = time.perf_counter(), time.process_time()
    told, late, telling = 0, 0.0, 0.0
    before = peak = 0.0
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * RATE) - told
        batch = list(itertools.islice(made, due))
        start = time.thread_time()
        for record in batch:
            feed.run(record)
        telling += time.thread_time() - start
        told += due
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        late = max(late, time.perf_counter() - start - 0.005)
        if passed >= seconds / 4:
            before = before or _resident_mb()
            peak = max(peak, _resident_mb())
    feed.deliver()
    await store.flush()
    spent = time.process_time() - cpu
    lost = told - store.counts.runs
    counted = sum(series.row[REQUESTS] for series in counters)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()
    note = f"{told:,} runs in {seconds:.0f} s; {spent / told * 1e6:.1f} µs of processor time each, with making them"
    return [
        Row(
            name=f"{RATE:,} runs/s: runs that are not in the store",
            value=lost,
            unit="",
            target=Target(bound=0),
            note=note,
        ),
        Row(name="runs that no counter has", value=told - counted, unit="", target=Target(bound=0)),
        Row(
            name="telling store, ring and counters of a run", value=telling / told * 1e6, unit="µs", note="on the loop"
        ),
        Row(name="memory that it grows by, after its first quarter", value=max(0.0, peak - before), unit="MB"),
        Row(name="longest delay of the loop meanwhile", value=late * 1000, unit="ms", note="5 ms timers"),
    ]


async def _searches(folder: Path, scale: Scale) -> list[Row]:
    store = await RunStore.open(folder, budget_bytes=4 << 30, days=3_650)
    count = scale.stored_runs
    now = time.time()
    began = time.perf_counter()
    made = _runs(now - 10 * DAY, 10 * DAY / count)
    last = None
    rare = ""
    for number in range(0, count, 10_000):
        for record in itertools.islice(made, min(10_000, count - number)):
            store.run(record)
            last = record
        if number == count // 2 // 10_000 * 10_000 and last is not None:
            rare = last.id
        await store.flush()
    written = time.perf_counter() - began
    sizes = _sizes(folder)
    rows = [
        Row(
            name=f"writing {count:,} runs: each",
            value=written / count * 1e6,
            unit="µs",
            note=f"{sum(sizes) / count:.0f} bytes each on disk, {len(sizes)} files; {store.dropped} dropped",
        )
    ]
    asked = {
        "the newest": RunQuery(project="default"),
        "of a worker": RunQuery(project="default", worker="worker7"),
        "of a worker that ran once in a thousand": RunQuery(project="default", worker="rare"),
        "that failed": RunQuery(project="default", failed=True),
        "that failed, of a worker": RunQuery(project="default", worker="worker7", failed=True),
        "with the status 404": RunQuery(project="default", status=(404, 404)),
        "slower than a second": RunQuery(project="default", min_duration=1_000),
        "of an hour five days ago": RunQuery(
            project="default", since=now - 5 * DAY, until=now - 5 * DAY + 3_600, worker="worker7"
        ),
        "with a request id": RunQuery(project="default", request="client-4711"),
        "with an id": RunQuery(project="default", run=rare),
        "of a version of a worker": RunQuery(project="default", worker="worker7", version="version-3"),
        "between 90 and 91 ms": RunQuery(project="default", min_duration=90, max_duration=91),
        "with a text that many have": RunQuery(project="default", text="items/77"),
        "with a text that none has": RunQuery(project="default", text="nowhere to be found"),
        "with a text that none has, of a worker": RunQuery(project="default", worker="worker7", text="nowhere to be"),
    }
    for name, query in asked.items():
        rows.append(await _search(store, name, query))
    rows.append(await _through(store, RunQuery(project="default", text="nowhere to be found")))
    await store.close()
    return rows


async def _search(store: RunStore, name: str, query: RunQuery) -> Row:
    took: list[float] = []
    found: Found[RunRecord] = Found([])
    for _ in range(5):
        start = time.perf_counter()
        found = await store.runs(query, 50)
        took.append((time.perf_counter() - start) * 1000)
    note = f"{len(found.items)} found; slowest {max(took):.0f} ms"
    if found.unfinished:
        note += "; to be gone on with"
    return Row(name=f"runs {name}", value=median(took), unit="ms", target=TARGET_MS, note=note)


async def _through(store: RunStore, query: RunQuery) -> Row:
    start = time.perf_counter()
    pages, before = 0, None
    while True:
        found = await store.runs(query, 50, before)
        pages += 1
        before = found.resume
        if before is None:
            break
    return Row(
        name="a text that none has, looked for to the end",
        value=time.perf_counter() - start,
        unit="s",
        note=f"{pages} pages",
    )


def _runs(began: float, every: float) -> Iterator[RunRecord]:
    """Runs as a box of fifty workers has them: a few fail, are slow, call a database, bring a request id."""
    for number in itertools.count():
        at = began + number * every
        id_ = f"{int(at * 1000):012x}abcdef{number & 0xFFFFFF:06x}"
        record = RunRecord(
            id_,
            id_ if number % 50 else f"client-{number}" if number != 235_550 else "client-4711",
            at,
            f"worker{number % WORKERS}" if number % 1_000 else "rare",
            f"version-{number * 10 // 5_000_000}",
            "http",
            "GET",
            f"/run/worker{number % WORKERS}/items/{number * 7919 % 1_000_003}",
            200,
            "ok",
            1.0 + number % 83 / 10,
            0.0,
            0.5,
            345,
            f"203.0.113.{number % 250}",
        )
        if number % 20 == 3:
            record.calls, record.call_time = 2, 0.8
            record.spans = (Span("db", "execute", 0.1, 0.4, 80, 200, 3), Span("db", "execute", 0.6, 0.4, 80, 200, 3))
        if number % 100 == 7:
            record.status = 404
        if number % 1_000 == 11:
            record.status, record.outcome = 500, "exception"
            record.error = RunError("TypeError", "x is undefined", "at handler (functions/a.ts:3:9)\nat main.ts:1:1")
        if number % 5_000 == 17:
            record.duration = 1_500.0
        if number % 100_000 == 19:
            record.duration = 90.5
        yield record


def _sizes(folder: Path) -> list[int]:
    return [file.stat().st_size for file in folder.iterdir()]


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CASE = Case("runs", "The store of runs", measure)
