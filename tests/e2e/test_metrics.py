"""A real Prometheus looks at a real box; and the box's own charts show what it did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.box import RunningBox
from tests.metrics.test_deploy import RULES, expressions
from tests.servers import Prometheus
from tests.servers.prometheus import promtool

TOKEN = "prometheus-0123456789-token"
WORKER = """
export default async function ({ db, log, metrics }, params) {
  if (params.fail) throw new Error("as asked");
  await db.execute("SELECT 1");
  log("ran");
  metrics.counter("calls_total", { n: params.n ?? "none" }).add();
  metrics.histogram("n_seconds").record(Number(params.n ?? 0));
  return params.n ?? null;
}
"""


MODULE = """
export default {
  fetch(request, env, ctx) {
    ctx.metrics.gauge("depth").set(NaN);
    ctx.metrics.gauge("depth").set(42);
    if (new URL(request.url).searchParams.has("flood")) {
      for (let n = 0; n < 2000; n++) ctx.metrics.counter("flood", { n }).add();
    }
    try {
      ctx.metrics.counter("no name");
    } catch (error) {
      return new Response(error.message);
    }
    return new Response("?");
  },
};
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("metrics")
    (directory / "functions").mkdir()
    (directory / "functions" / "counted.ts").write_text(WORKER)
    (directory / "functions" / "module.ts").write_text(MODULE)
    running = RunningBox(directory, {"V8BOX_METRICS_TOKEN": TOKEN})
    try:
        yield running.wait_ready()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def prometheus(box: RunningBox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "token").write_text(TOKEN + "\n")
    with Prometheus(folder, f"127.0.0.1:{box.port}", token_file=folder / "token", rules=RULES) as server:
        yield server


def test_a_prometheus_finds_what_was_counted(box: RunningBox, prometheus: Prometheus) -> None:
    for number in range(7):
        assert box.run("counted", params={"n": number}).status_code == 200
    assert box.run("counted", params={"fail": 1}).status_code == 500
    box.until(lambda: prometheus.value("sum(v8box_requests_total{worker='counted'})") == 8)
    assert prometheus.value("up") == 1
    assert prometheus.value("v8box_requests_total{worker='counted',status_class='5xx'}") == 1
    assert prometheus.value("v8box_request_duration_seconds_count{worker='counted'}") == 8
    assert prometheus.value("v8box_binding_calls_total{worker='counted',binding='db'}") == 7
    assert prometheus.value("sum(v8box_log_lines_total{worker='counted',level='info'})") == 7
    assert prometheus.value("v8box_service_up{service='db'}") == 1
    assert (prometheus.value("v8box_cold_start_seconds_count{worker='counted'}") or 0) >= 1
    assert prometheus.value("v8box_metrics_dropped_series") is None
    scraped = prometheus.get("targets")["activeTargets"][0]
    assert (scraped["health"], scraped["lastError"]) == ("up", "")


def test_what_workers_count_themselves_reaches_prometheus_and_the_charts(
    box: RunningBox, prometheus: Prometheus
) -> None:
    for n in (101, 101, 102):
        box.run("counted", params={"n": n})
    response = box.run("module", params={"flood": 1})
    assert response.text.startswith("no name is no name for a metric")
    box.run("module")
    box.until(lambda: prometheus.value("v8box_custom_counted_calls_total{worker='counted',n='102'}") == 1)
    assert prometheus.value("v8box_custom_counted_calls_total{worker='counted',n='101'}") == 2
    assert (prometheus.value("v8box_custom_recorded_n_seconds_count{worker='counted'}") or 0) >= 3
    box.until(lambda: prometheus.value("v8box_custom_set_depth{worker='module'}") == 42)
    assert prometheus.value("count(v8box_custom_counted_flood_total)") == 999, "and the gauge"
    listed = box.admin.get("/api/v1/projects/default/metrics/custom").json()["items"]
    assert [(each["name"], each["kind"], each["workers"]) for each in listed] == [
        ("calls", "counter", ["counted"]),
        ("depth", "gauge", ["module"]),
        ("flood", "counter", ["module"]),
        ("n_seconds", "histogram", ["counted"]),
    ]
    shown = box.admin.get("/api/v1/projects/default/metrics/custom/depth").json()["items"][0]
    known = [value for value in shown["values"] if value is not None]  # the present moment may be too short for one
    assert known[-1] == 42
    logged = box.admin.get("/api/v1/projects/default/workers/module/logs", params={"level": "warn"}).json()["items"]
    texts = [each["text"] for each in logged if "ctx.metrics" in (each["text"] or "")]
    assert len(texts) == 2, texts


def test_a_prometheus_understands_every_query_of_the_dashboard(box: RunningBox, prometheus: Prometheus) -> None:
    box.run("counted")
    box.until(lambda: prometheus.value("v8box_workers") is not None)
    for expression in expressions():
        prometheus.get("query", query=expression)  # an error would be one of the answer
    alerts = {rule["name"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
    assert {"V8BoxDown", "V8BoxErrorRate"} <= alerts


def test_a_trace_leads_from_a_bucket_to_a_run(box: RunningBox, prometheus: Prometheus) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    box.run("counted", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    now = time.time()

    def traces() -> set[str]:
        query = "v8box_request_duration_seconds_bucket{worker='counted'}"
        found = prometheus.get("query_exemplars", query=query, start=str(now - 600), end=str(now + 600))
        return {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}

    box.until(lambda: trace in traces())


def test_promtool_takes_what_a_real_box_shows(box: RunningBox) -> None:
    response = box.client.get("/metrics")
    assert response.status_code == 200
    done = promtool("check", "metrics", stdin=response.content)
    assert (done.returncode, done.stdout.decode()) == (0, ""), done.stderr.decode()


def test_it_is_for_this_machine_or_a_token(box: RunningBox) -> None:
    assert box.client.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}).status_code == 401
    by_name = httpx.get(
        f"http://127.0.0.1:{box.port}/metrics", headers={"host": "admin.localhost"}, trust_env=False, timeout=60
    )
    assert by_name.status_code == 401
    good = {"authorization": f"Bearer {TOKEN}", "x-forwarded-for": "203.0.113.7"}
    assert box.client.get("/metrics", headers=good).status_code == 200
    assert box.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}0"}).status_code == 401
    assert box.client.post("/metrics").status_code == 405
    site = httpx.get(
        f"http://127.0.0.1:{box.port}/metrics", headers={"host": "blog.localhost"}, trust_env=False, timeout=60
    )
    assert site.status_code == 404


def test_the_charts_of_the_box_show_the_same(box: RunningBox) -> None:
    for _ in range(3):
        box.run("counted")

    def found() -> Any:
        response = box.admin.get(
            "/api/v1/projects/default/metrics", params={"worker": "counted", "from": "now-5m", "step": 1}
        )
        assert response.status_code == 200, response.text
        return response.json()

    box.until(lambda: found()["totals"]["requests"] >= 3)
    chart = found()
    assert sum(chart["series"]["requests"]) == chart["totals"]["requests"]
    hour = box.admin.get("/api/v1/projects/default/metrics", params={"worker": "counted", "from": "now-1h"}).json()
    assert [marker["change"] for marker in hour["markers"]] == ["deployed"]
    whole = box.admin.get("/api/v1/box/metrics", params={"from": "now-5m"}).json()
    assert max(value or 0 for value in whole["box"]["machine_memory_total_bytes"]) > 0


def test_a_box_that_is_started_anew_goes_on_counting(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    (directory / "functions").mkdir(parents=True)
    (directory / "functions" / "counted.ts").write_text(WORKER)
    first = RunningBox(directory)
    try:
        first.wait_ready()
        assert first.run("counted").status_code == 200
    finally:
        first.stop()  # what is going on is written down
    second = RunningBox(directory)
    try:
        second.wait_ready()
        second.run("counted")

        def total() -> int:
            response = second.admin.get("/api/v1/projects/default/metrics", params={"from": "now-1h"})
            return int(response.json()["totals"]["requests"])

        second.until(lambda: total() == 2)
    finally:
        second.stop()
