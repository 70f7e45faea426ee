"""/metrics: who may read it, in which form, and that promtool takes every word of it."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.api.auth.conftest import LOCAL, World, world
from tests.metrics.conftest import Kept
from tests.servers.prometheus import promtool
from tests.telemetry.metrics.conftest import run

from v8box.api.asgi import Receive, Scope, Send
from v8box.api.principals import Role
from v8box.api.principals import Scope as TokenScope
from v8box.catalog.model import Manifest, Placement
from v8box.catalog.sites import SiteRoute
from v8box.features.metrics.page import MetricsPage
from v8box.features.metrics.scrape import Scraper
from v8box.features.metrics.sources import Check, Sources
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.cache.entries import Owner
from v8box.gateway.pages.counts import SiteCounts
from v8box.gateway.policies.counts import Counts
from v8box.pool.group import GroupState
from v8box.settings import Box, Metrics, Secret, load
from v8box.settings import ResponseCache as CacheSettings
from v8box.telemetry.meter import Span
from v8box.telemetry.records import DeathRecord, LineRecord, MeasureRecord

__all__ = ["world"]  # a fixture

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
TOKEN = "a-token-that-nobody-guesses"
HOSTILE = 'x"} 1\nevil{a="\\'


def placement(version: str = "v1") -> Placement:
    return Placement(
        id=version,
        worker="hello",
        project="default",
        manifest=Manifest(entry="a.ts"),
        bundle_hash="",
        source_map_hash=None,
        created_at=datetime.now(UTC),
    )


async def _checks() -> Sequence[Check]:
    return [Check("db", "ok", 0.002, True), Check("s3", "fail", 2.0, True), Check("disk", "warn", 0.0, False)]


async def _audited() -> int:
    return 7


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(
        look=lambda memory: [GroupState(placement(), 2, 3, 1, 4_096 if memory else 0, 2_048 if memory else 0)],
        states=lambda: Counter({"ready": 2, "blank": 1}),
        max_sandboxes=8,
        checks=_checks,
        audited=_audited,
        dropped=lambda: {"record": 5},
        live=lambda: (3, 1),
        cache=ResponseCache(CacheSettings(), tmp_path / "responses"),
        refusals=Counts(),
        sites=SiteCounts(),
        data=tmp_path,
    )


@pytest.fixture
def scraper(kept: Kept, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> Scraper:
    monkeypatch.setattr("v8box.features.metrics.scrape._FRESH_SECONDS", -1.0)
    return Scraper(kept.counters, kept.custom, sources, 10_000)


def busy(kept: Kept, sources: Sources) -> None:
    """One of everything."""
    spans = [Span("db", "execute", 0.0, 2.0, 10, 20, error="SQLITE_BUSY")]
    kept.counters.on_runs([run(calls=1, spans=spans, trace="a" * 32, bytes_in=3, cpu=250.0)])
    kept.counters.on_runs([run(status=500, outcome="exception", cold=40.0, queue=3.0, duration=90_000.0)])
    kept.counters.on_runs([run(status=101)])
    kept.counters.on_line(LineRecord(1.0, None, "hello", "v1", "error", "oh"))
    kept.counters.on_death(DeathRecord(1.0, "hello", "v1", "memory", "too much"))
    kept.custom.on_measure(
        MeasureRecord(
            "hello", "v1", [(0, "orders", {"shop": "a"}, 3.0), (1, "depth", None, -2.5), (2, "took", None, [0.3, 9e9])]
        )
    )
    sources.cache.counts.add(Owner("default", "worker", "hello"), "hit")
    sources.refusals.refused(placement(), "rate_limited", dry_run=True)


async def scrape(scraper: Scraper, openmetrics: bool = False) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By name and labels."""
    kind, body = await scraper.scrape(openmetrics=openmetrics)
    assert kind.startswith(
        "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
    )
    families = (parse_openmetrics if openmetrics else parse_text)(body.decode())
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "a time series stands there twice"
    return found


def key(name: str, /, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


HELLO = {"project": "default", "environment": "production", "worker": "hello"}


async def test_everything_is_there_in_both_forms(kept: Kept, sources: Sources, scraper: Scraper) -> None:
    busy(kept, sources)
    expected = {
        key("v8box_requests_total", **HELLO, version="v1", trigger="http", status_class="2xx"): 1,
        key("v8box_requests_total", **HELLO, version="v1", trigger="http", status_class="5xx"): 1,
        key("v8box_request_failures_total", **HELLO, version="v1", trigger="http"): 1,
        key("v8box_run_outcomes_total", **HELLO, outcome="ok"): 2,
        key("v8box_run_outcomes_total", **HELLO, outcome="exception"): 1,
        key("v8box_request_duration_seconds_bucket", **HELLO, trigger="http", le="0.01"): 0,
        key("v8box_request_duration_seconds_bucket", **HELLO, trigger="http", le="0.02"): 1,
        key("v8box_request_duration_seconds_bucket", **HELLO, trigger="http", le="+Inf"): 2,
        key("v8box_request_duration_seconds_sum", **HELLO, trigger="http"): 90.012,
        key("v8box_cold_start_seconds_count", **HELLO): 1,
        key("v8box_queue_wait_seconds_sum", **HELLO): 0.003,
        key("v8box_worker_cpu_seconds_total", **HELLO): 0.252,
        key("v8box_request_bytes_total", **HELLO): 3,
        key("v8box_response_bytes_total", **HELLO): 300,
        key("v8box_terminations_total", **HELLO, reason="memory"): 1,
        key("v8box_log_lines_total", **HELLO, level="error"): 1,
        key("v8box_binding_calls_total", **HELLO, binding="db"): 1,
        key("v8box_binding_errors_total", **HELLO, binding="db"): 1,
        key("v8box_binding_seconds_total", **HELLO, binding="db"): 0.002,
        key("v8box_worker_inflight", **HELLO): 3,
        key("v8box_worker_waiting", **HELLO): 1,
        key("v8box_worker_memory_bytes", **HELLO): 4_096,
        key("v8box_sandboxes", state="blank"): 1,
        key("v8box_service_up", service="db"): 1,
        key("v8box_service_up", service="s3"): 0,
        key("v8box_health_check_status", check="disk"): 1,
        key("v8box_cache_requests_total", project="default", kind="worker", name="hello", result="hit"): 1,
        key("v8box_policy_refusals_total", **HELLO, code="rate_limited", dry_run="true"): 1,
        key("v8box_telemetry_dropped_total", kind="record"): 5,
        key("v8box_custom_counted_orders_total", **HELLO, shop="a"): 3,
        key("v8box_custom_set_depth", **HELLO): -2.5,
        key("v8box_custom_recorded_took_bucket", **HELLO, le="0.5"): 1,
        key("v8box_custom_recorded_took_count", **HELLO): 2,
        key("v8box_audit_entries_total"): 7,
    }
    for openmetrics in (False, True):
        found = await scrape(scraper, openmetrics)
        assert {each: found.get(each) for each in expected} == pytest.approx(expected)
        assert found[key("v8box_disk_free_bytes")] > 0
        assert found[key("v8box_process_memory_bytes")] > 1_000_000


async def test_promtool_accepts_it(kept: Kept, sources: Sources, scraper: Scraper) -> None:
    busy(kept, sources)
    _, body = await scraper.scrape(openmetrics=False)
    done = promtool("check", "metrics", stdin=body)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


async def test_a_trace_is_an_exemplar_of_its_bucket(kept: Kept, sources: Sources, scraper: Scraper) -> None:
    busy(kept, sources)
    _, body = await scraper.scrape(openmetrics=True)
    (line,) = [line for line in body.decode().splitlines() if " # " in line]
    assert 'le="0.02"' in line
    assert re.search(r' # \{trace_id="a{32}"\} 0\.012 18', line)
    assert b"trace_id" not in (await scraper.scrape(openmetrics=False))[1]


async def test_hostile_values_stay_values(kept: Kept, sources: Sources, scraper: Scraper) -> None:
    kept.counters.on_runs([run(project=HOSTILE, worker=HOSTILE, version=HOSTILE, outcome=HOSTILE, trace="b" * 32)])
    kept.custom.on_measure(MeasureRecord(HOSTILE, "v1", [(0, "orders", {"shop": HOSTILE}, 1.0)], HOSTILE))
    kept.counters.on_runs([run(spans=[Span(HOSTILE, "x", 0.0, 1.0)], calls=1, trigger="é\u0000\udc80"[:2])])
    for openmetrics in (False, True):
        names = {name for name, _ in await scrape(scraper, openmetrics)}
        assert all(name.startswith("v8box_") for name in names)
    _, body = await scraper.scrape(openmetrics=False)
    assert promtool("check", "metrics", stdin=body).returncode == 0


async def test_a_version_that_is_forgotten_takes_nothing_from_its_worker(kept: Kept, scraper: Scraper) -> None:
    kept.counters.on_runs([run(version="old", cold=5.0, cpu=1000.0)])
    await kept.second()
    before = await scrape(scraper)
    kept.time.now += 100_000
    kept.counters.on_runs([run(version="new")])
    await kept.second()
    kept.counters.forget()
    after = await scrape(scraper)
    gone = key("v8box_requests_total", **HELLO, version="old", trigger="http", status_class="2xx")
    assert gone in before
    assert gone not in after
    for name, labels in (
        ("v8box_worker_cpu_seconds_total", HELLO),
        ("v8box_cold_start_seconds_count", HELLO),
        ("v8box_request_duration_seconds_count", {**HELLO, "trigger": "http"}),
    ):
        assert after[key(name, **labels)] >= before[key(name, **labels)] > 0, name
    assert after[key("v8box_request_duration_seconds_count", **HELLO, trigger="http")] == 2
    await kept.second()
    assert [found for _, found in kept.rollups.seconds(0)][-1] == {}, "nothing is counted a second time"


async def test_beyond_the_bound_series_are_left_out_and_it_is_said_once(
    kept: Kept, sources: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    scraper = Scraper(kept.counters, kept.custom, sources, 100)
    for number in range(120):
        kept.counters.on_runs([run(f"w{number}")])
    with caplog.at_level(logging.WARNING):
        found = await scrape(scraper)
        await scraper.scrape(openmetrics=True)
    assert len([each for each in found if each[0] == "v8box_requests_total"]) == 100
    assert len([each for each in found if each[0].startswith("v8box_request_duration_seconds")]) <= 100
    assert found[key("v8box_metrics_dropped_series", family="v8box_requests")] == 20
    assert len([each for each in caplog.records if "V8BOX_METRICS_SERIES" in each.message]) == 1


async def test_names_of_workers_make_no_family_twice(kept: Kept, scraper: Scraper) -> None:
    """Whatever kinds workers choose for one name, and whatever names for one kind."""
    for worker in ("a", "b", "c"):
        entries = [
            (kind, name, {"le_": "1"} if worker == "a" else None, 1.0 if kind < 2 else [1.0])
            for kind in (0, 1, 2)
            for name in ("x", "x_total", "x_count", "x_sum", "x_bucket", "requests", "x_created", "x_info")
        ]
        kept.custom.on_measure(MeasureRecord(worker, "v1", entries))
    for openmetrics in (False, True):
        found = await scrape(scraper, openmetrics)
        assert found[key("v8box_custom_counted_x_total", project="default", environment="production", worker="b")] == 2
    _, body = await scraper.scrape(openmetrics=False)
    done = promtool("check", "metrics", stdin=body)
    assert b"error" not in done.stderr.lower(), done.stderr.decode()
    assert done.returncode in (0, 3), "3: it does not like how people name their metrics"


async def test_what_workers_count_has_one_bound_together(kept: Kept, sources: Sources) -> None:
    scraper = Scraper(kept.counters, kept.custom, sources, 100)
    for number in range(150):
        kept.custom.on_measure(MeasureRecord("a", "v1", [(1, f"g{number}", None, 1.0)]))
    found = await scrape(scraper)
    assert len([each for each in found if each[0].startswith("v8box_custom_")]) == 100
    assert found[key("v8box_metrics_dropped_series", family="v8box_custom")] == 50


async def test_what_sites_send_is_counted() -> None:
    counts = SiteCounts()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def answered(method: str, status: int, *messages: Any) -> None:
        sending = counts.counting(SiteRoute(site="blog", project="default", key="k"), method, send)
        head = [(b"content-type", b"text/plain"), (b"content-length", b"10")]
        await sending({"type": "http.response.start", "status": status, "headers": head})
        for message in messages:
            await sending(message)

    body = {"type": "http.response.body", "body": b"0123456789", "more_body": False}
    await answered("GET", 200, body)
    await answered("GET", 200, {"type": "http.response.pathsend", "path": "/x"})
    await answered("HEAD", 200, {"type": "http.response.pathsend", "path": "/x"})
    await answered("GET", 304, {**body, "body": b""})
    ((site, count),) = counts
    assert (site, count.bytes, count.statuses) == (("default", "blog"), 20, [0, 0, 3, 1, 0, 0])
    assert len(sent) == 8


# ---- who may read it


class Door:
    """Asks the page, from some address."""

    def __init__(self, scraper: Scraper, world: World, box: Box | None = None, settings: Metrics | None = None) -> None:
        self.page = MetricsPage(scraper, world.auth.identities, box or Box(), settings or Metrics())

    async def ask(
        self,
        peer: str = "192.0.2.9",
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        http: str = "1.1",
        method: str = "GET",
    ) -> httpx.Response:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            await self.page({**scope, "client": (peer, 1), "http_version": http}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(called), base_url="http://localhost:8000") as client:
            return await client.request(method, "/metrics", headers=dict(headers))


@pytest.fixture
def door(scraper: Scraper, world: World) -> Door:
    return Door(scraper, world)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
async def test_a_program_on_this_machine_may(door: Door, peer: str, host: str) -> None:
    response = await door.ask(peer, {"host": host})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "v8box_build_info" in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.7"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-host": "localhost"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 Caddy"},
        {"x-real-ip": "127.0.0.1"},
        {"cf-connecting-ip": "127.0.0.1"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "same-site"},
        {"host": "admin.localhost"},
        {"host": "evil.example"},
        {"host": "localhost.evil.example"},
    ],
)
async def test_who_only_looks_local_may_not(door: Door, headers: dict[str, str]) -> None:
    for sent in (headers, {name.title(): value for name, value in headers.items()}):
        response = await door.ask("127.0.0.1", sent)
        assert response.status_code in (401, 403), headers
        assert "v8box_" not in response.text


async def test_through_a_trusted_proxy_nobody_is_local(scraper: Scraper, world: World) -> None:
    box = load(world.directory, {"V8BOX_TRUSTED_PROXIES": "127.0.0.0/8, 203.0.113.0/24"}).box
    door = Door(scraper, world, box)
    assert (await door.ask("127.0.0.1", {"x-forwarded-for": "127.0.0.1"})).status_code == 401
    assert (await door.ask("203.0.113.1", {"x-forwarded-for": "127.0.0.1"})).status_code == 401


async def test_from_elsewhere_or_by_http_1_0_or_where_it_is_switched_off_nobody_may(
    door: Door, scraper: Scraper, world: World
) -> None:
    for peer in ("192.0.2.9", "10.0.0.1", "::", "nonsense", ""):
        response = await door.ask(peer)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["success"] is False
    assert (await door.ask("127.0.0.1", http="1.0")).status_code == 401
    assert (await Door(scraper, world, settings=Metrics(local=False)).ask("127.0.0.1")).status_code == 401


async def test_the_metrics_token_opens_it_from_anywhere(scraper: Scraper, world: World) -> None:
    door = Door(scraper, world, Box(domain="example.com"), Metrics(token=Secret(TOKEN)))
    good = await door.ask(headers={"authorization": f"Bearer {TOKEN}", "host": "admin.example.com"})
    assert good.status_code == 200
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", TOKEN):
        assert (await door.ask(headers={"authorization": wrong, "host": "admin.example.com"})).status_code == 401, wrong


async def test_a_personal_token_needs_the_whole_box_and_the_scope_read(door: Door, world: World) -> None:
    await world.user("ada", all=Role.VIEWER)
    await world.user("bob", default=Role.OWNER)
    for name, scopes, project, status in (
        ("ada", [TokenScope.READ], None, 200),
        ("ada", [TokenScope.DEPLOY], None, 403),
        ("ada", [TokenScope.READ], "default", 403),
        ("bob", [TokenScope.READ], None, 403),
    ):
        user = await world.auth.accounts.get(name)
        _, text = await world.auth.tokens.create(LOCAL, user, label="p", scopes=frozenset(scopes), project=project)
        response = await door.ask(headers={"authorization": f"Bearer {text}"})
        assert response.status_code == status, (name, scopes, project)
    assert (await door.ask(headers={"authorization": "Bearer v8b_pat_nonsense"})).status_code == 401


async def test_the_form_is_what_is_accepted(door: Door) -> None:
    response = await door.ask("127.0.0.1", {"accept": OPENMETRICS})
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("# EOF\n")
    assert response.headers["vary"] == "accept"
    head = await door.ask("127.0.0.1", method="HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 1_000
