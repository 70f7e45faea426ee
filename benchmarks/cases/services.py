"""What the services cost: a read per request against hello and against miniflare, large objects against a copied file,
a thousand databases against one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.cases.rounds import alternate, latency, rate
from benchmarks.load import at_rate, saturate
from benchmarks.processes import anonymous_now, descendants, memory
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, BoxFolder, Server, box, box_folder, get, miniflare, wait_for

RATE = 500
OBJECT_MB = 100
READS = {"db_read": ("one db read", 0.35), "cache_get": ("one cache get", 0.5)}
TWINS = {"d1_first": "one D1 read", "kv_get": "one KV get"}
MANIFEST = """
[workers.d1_first.bindings]
DB = { database = "default" }
[workers.kv_get.bindings]
KV = { kv = "bench" }
"""


def measure(scale: Scale) -> Iterator[Row]:
    with ExitStack() as stack:
        folder = stack.enter_context(box_folder())
        folder.manifest(MANIFEST)
        for name in ("hello.js", "db_read.ts", "cache_get.ts", "d1_first.js", "kv_get.js", "objects.ts"):
            folder.add(Path(name).stem, WORKERS / name)
        with box(folder) as server:
            yield from _reads(server, scale)
            yield from _objects(server, folder, scale)
            yield from _many_databases(server, folder.path, scale)
            for name in TWINS:
                yield from _against_miniflare(name, server, scale)


def _reads(server: Server, scale: Scale) -> Iterator[Row]:
    sides = {"hello": server.worker("hello"), **{name: server.worker(name) for name in READS}}
    for name in READS:
        wait_for(server.worker(name, "?setup=1"))
    rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds))
    steady = alternate(sides, scale, lambda url: at_rate(url, rate=RATE, seconds=scale.seconds))
    for name, (title, bound) in READS.items():
        pairs = zip(rounds[name], rounds["hello"], strict=True)
        ratio = median([ours.per_second / hello.per_second for ours, hello in pairs])
        failed = sum(result.failed for result in rounds[name])
        note = f"{rate(rounds[name])} requests/s; p50, p99 {latency(rounds[name])}; {failed} failed"
        target = Target(bound=bound, at_least=True)
        yield Row(name=f"{title}: requests/s / hello", value=ratio, unit="x", target=target, note=note)
        paired = list(zip(steady[name], steady["hello"], strict=True))
        above = median([ours.p50_ms - hello.p50_ms for ours, hello in paired])
        note = f"p50 {median([ours.p50_ms for ours, _ in paired]):.2f} against "
        note += f"{median([hello.p50_ms for _, hello in paired]):.2f} ms"
        most = Target(bound=0.5) if name == "db_read" else None
        yield Row(name=f"{title}: p50 above hello's at {RATE}/s", value=above, unit="ms", target=most, note=note)


def _against_miniflare(name: str, server: Server, scale: Scale) -> Iterator[Row]:
    with miniflare(WORKERS / f"{name}.js") as simulator:
        sides = {"box": server.worker(name, "?read"), "miniflare": f"{simulator.url}/?read"}
        for url in sides.values():
            wait_for(url.replace("?read", "?setup"))
        rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds))
    pairs = zip(rounds["box"], rounds["miniflare"], strict=True)
    ratio = median([ours.per_second / theirs.per_second for ours, theirs in pairs])
    note = f"{rate(rounds['box'])} against {rate(rounds['miniflare'])} requests/s; p50, p99: "
    note += f"{latency(rounds['box'])} against {latency(rounds['miniflare'])}"
    target = Target(bound=1.0, at_least=True)
    yield Row(name=f"{TWINS[name]}: requests/s, box / miniflare", value=ratio, unit="x", target=target, note=note)


def _objects(server: Server, folder: BoxFolder, scale: Scale) -> Iterator[Row]:
    wait_for(server.worker("objects", "?put=1"))
    copies: list[float] = []
    spent: dict[str, list[float]] = {"put": [], "get": []}
    before, peak = anonymous_now(server.pid), 0.0
    for _ in range(scale.rounds):
        copies.append(_copy(folder.path))
        for way in spent:
            answer = json.loads(get(server.worker("objects", f"?{way}={OBJECT_MB}"), timeout=120).body)["data"]
            if answer["bytes"] != OBJECT_MB * 1_000_000:
                raise RuntimeError(f"{answer['bytes']} bytes came of {OBJECT_MB} MB")
            spent[way].append(answer["seconds"])
            peak = max(peak, anonymous_now(server.pid))
    for way, seconds in spent.items():
        ratio = median([copy / taken for copy, taken in zip(copies, seconds, strict=True)])
        copied = f"{OBJECT_MB / median(copies):,.0f} MB/s copied and synced"
        note = f"{OBJECT_MB / median(seconds):,.0f} MB/s against {copied}"
        target = Target(bound=0.3, at_least=True)
        yield Row(name=f"{OBJECT_MB} MB s3 {way}: speed / cp", value=ratio, unit="x", target=target, note=note)
    yield Row(
        name=f"{OBJECT_MB} MB put and got: the gateway grew by",
        value=peak - before,
        unit="MB",
        target=Target(bound=32),
        note=f"anonymous memory, from {before:.0f} MB",
    )


def _copy(folder: Path) -> float:
    """Seconds to copy a file of that size on the box's disk, and sync it."""
    source, target = folder / "copied", folder / "copy"
    if not source.exists():
        source.write_bytes(os.urandom(1_000_000) * OBJECT_MB)
    began = time.perf_counter()
    with source.open("rb") as read, target.open("wb") as write:
        while os.sendfile(write.fileno(), read.fileno(), None, 1 << 24):
            continue
        os.fsync(write.fileno())
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def _many_databases(server: Server, folder: Path, scale: Scale) -> Iterator[Row]:
    token = (folder / "data" / "keys" / "local.token").read_text().strip()
    before = _memory_of_all(server)
    began = time.perf_counter()
    for number in range(scale.databases):
        _admin(server, token, "databases", {"name": f"bench-{number}"})
        _admin(server, token, f"query/bench-{number}", {"query": "CREATE TABLE t (a); "})
    seconds = time.perf_counter() - began
    after = _memory_of_all(server)
    note = f"private memory of all processes, {before:.0f} MB before; made and written in {seconds:.1f} s"
    yield Row(name=f"{scale.databases} databases: the box grew by", value=after - before, unit="MB", note=note)


def _memory_of_all(server: Server) -> float:
    found = [memory(pid) for pid in descendants(server.pid)]
    return sum(figures.private for figures in found if figures is not None)


def _admin(server: Server, token: str, path: str, body: dict[str, str]) -> None:
    request = Request(f"{server.url}/admin/database/{path}", json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    request.add_header("authorization", f"Bearer {token}")
    with urlopen(request, timeout=30) as answer:
        answer.read()


CASE = Case("services", "Databases, cache and objects", measure)
