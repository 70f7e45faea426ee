"""What policies cost: the same worker bare and with all of them on, in alternating rounds of one box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.cases.rounds import alternate, latency, rate
from benchmarks.load import saturate
from benchmarks.report import Row, Target
from benchmarks.servers import WORKERS, box, box_folder, wait_for

MANIFEST = """
[workers.guarded]
auth = { api_key = "required", allow_ips = ["127.0.0.0/8", "::1"], deny_ips = ["10.0.0.0/8"] }
cors = { origins = ["https://shop.example.com", "https://*.example.com"] }
requests = { methods = ["GET", "POST"], max_body_mb = 1 }

[[workers.guarded.rate_limit]]
limit = 1_000_000_000
window_seconds = 60

[workers.guarded.schema.params]
type = "object"
properties.page = { type = "integer", minimum = 1 }
properties.q = { type = "string", maxLength = 100 }
"""
ORIGIN = "https://a.example.com"
FEWEST = 0.85


def measure(scale: Scale) -> Iterator[Row]:
    with ExitStack() as stack:
        folder = stack.enter_context(box_folder())
        for name in ("hello", "guarded"):
            folder.add(name, (WORKERS / "hello.js").read_text())
        folder.manifest(MANIFEST)
        server = stack.enter_context(box(folder))
        wait_for(server.worker("hello"))
        credential = (folder.path / "data" / "keys" / "local.token").read_text().strip()
        made = httpx.post(
            f"{server.url}/api/v1/projects/default/api-keys",
            json={"name": "benchmark"},
            headers={"authorization": f"Bearer {credential}"},
            trust_env=False,
        )
        headers = {"origin": ORIGIN, "x-api-key": str(made.json()["key"])}
        answer = httpx.get(server.worker("guarded", "?page=1"), headers=headers, trust_env=False)
        if answer.status_code != 200 or not re.match(r'"ip";r=\d+', answer.headers["ratelimit"]):
            raise RuntimeError(f"the guarded worker does not answer: {answer.status_code} {answer.text[:200]}")
        sides = {"bare": server.worker("hello", "?page=1"), "guarded": server.worker("guarded", "?page=1")}
        rounds = alternate(sides, scale, lambda url: saturate(url, seconds=scale.seconds, headers=headers))
        pairs = zip(rounds["guarded"], rounds["bare"], strict=True)
        ratio = median([guarded.per_second / bare.per_second for guarded, bare in pairs])
        note = f"{rate(rounds['guarded'])} against {rate(rounds['bare'])} requests/s"
        target = Target(bound=FEWEST, at_least=True)
        yield Row(name="hello with every policy: requests/s / bare", value=ratio, unit="x", target=target, note=note)
        note = "p50, p99: " + " against ".join(latency(rounds[side]) for side in ("guarded", "bare"))
        pairs = zip(rounds["guarded"], rounds["bare"], strict=True)
        yield Row(
            name="hello with every policy: p99 / bare",
            value=median([guarded.p99_ms / bare.p99_ms for guarded, bare in pairs]),
            unit="x",
            note=note,
        )
        failed = sum(result.failed for result in rounds["guarded"])
        yield Row(name="hello with every policy: failed requests", value=failed, unit="", target=Target(bound=0))


CASE = Case("policies", "Policies at the gateway", measure)
