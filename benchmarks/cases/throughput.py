"""Requests that do little: the box against bare workerd and bare Deno, on the same file, in alternating rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.cases.rounds import Result, alternate, latency, rate
from benchmarks.load import at_rate, saturate
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, bare_deno, bare_workerd, box, box_folder, wait_for

RATE = 2000
BODY = json.dumps({"items": [{"name": f"thing number {n:03}", "price": n} for n in range(24)]})


def measure(scale: Scale) -> Iterator[Row]:
    with ExitStack() as stack:
        folder = stack.enter_context(box_folder())
        for name in ("hello", "json"):
            folder.add(name, WORKERS / f"{name}.js")
        folder.add("envelope", WORKERS / "envelope.ts")
        server = stack.enter_context(box(folder))
        for name in ("hello", "json", "envelope"):
            wait_for(server.worker(name))

        hello = {
            "box": server.worker("hello"),
            "workerd": stack.enter_context(bare_workerd(WORKERS / "hello.js")).url,
            "deno": stack.enter_context(bare_deno(WORKERS / "hello.js")).url,
        }
        yield from _compare("hello", hello, scale)
        yield from _at_fixed_rate(hello, scale)

        json_post = {
            "box": server.worker("json"),
            "workerd": stack.enter_context(bare_workerd(WORKERS / "json.js")).url,
            "deno": stack.enter_context(bare_deno(WORKERS / "json.js")).url,
        }
        yield from _compare("1 kB JSON POST", json_post, scale, post=BODY)

        yield from _shapes({"hello": hello["box"], "envelope": server.worker("envelope")}, scale)


def _compare(title: str, sides: Mapping[str, str], scale: Scale, post: str | None = None) -> Iterator[Row]:
    rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds, post=post))
    for baseline in ("workerd", "deno"):
        ratio = median([ours.per_second / theirs.per_second for ours, theirs in _pairs(rounds, baseline)])
        target = Target(bound=1.0, at_least=True) if title == "hello" and baseline == "workerd" else None
        note = f"{rate(rounds['box'])} against {rate(rounds[baseline])} requests/s"
        yield Row(name=f"{title}: requests/s, box / {baseline}", value=ratio, unit="x", target=target, note=note)
        ratio = median([ours.p99_ms / theirs.p99_ms for ours, theirs in _pairs(rounds, baseline)])
        note = "p50, p99: " + " against ".join(latency(rounds[side]) for side in ("box", baseline))
        target = Target(bound=1.0) if target else None
        yield Row(name=f"{title}: p99, box / {baseline}", value=ratio, unit="x", target=target, note=note)
    failed = sum(result.failed for result in rounds["box"])
    yield Row(name=f"{title}: failed requests", value=failed, unit="", target=Target(bound=0))


def _at_fixed_rate(sides: Mapping[str, str], scale: Scale) -> Iterator[Row]:
    rounds = alternate(sides, scale, lambda url: at_rate(url, rate=RATE, seconds=scale.seconds))
    ratio = median([ours.p99_ms / theirs.p99_ms for ours, theirs in _pairs(rounds, "workerd")])
    p99 = {side: median([result.p99_ms for result in results]) for side, results in rounds.items()}
    lag = median([result.client_lag_p99_ms for result in rounds["box"]])
    note = ", ".join(f"{side} {figure:.2f} ms" for side, figure in p99.items()) + f"; client's own lag {lag:.2f} ms"
    yield Row(name=f"hello: p99 at {RATE} requests/s, box / workerd", value=ratio, unit="x", note=note)


def _shapes(sides: Mapping[str, str], scale: Scale) -> Iterator[Row]:
    rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds))
    pairs = zip(rounds["envelope"], rounds["hello"], strict=True)
    ratio = median([envelope.per_second / hello.per_second for envelope, hello in pairs])
    note = f"{rate(rounds['envelope'])} requests/s; p50, p99 {latency(rounds['envelope'])}"
    yield Row(name="hello in an envelope: requests/s / hello", value=ratio, unit="x", note=note)


def _pairs(rounds: Mapping[str, list[Result]], baseline: str) -> Iterator[tuple[Result, Result]]:
    return zip(rounds["box"], rounds[baseline], strict=True)


CASE = Case("throughput", "Throughput and latency", measure)
