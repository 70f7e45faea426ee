"""The pages and the route: who is told what, one question at a time, and a box that starts or stops is not ready."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from tests.fakes.principals import any_project, signed_in, somebody

from v8box.api.app import build_api
from v8box.api.asgi import ASGIApp, Receive, Scope, Send
from v8box.api.auth.identities import Identities, TokenRefused
from v8box.api.auth.sessions import Client
from v8box.api.principals import Principal, Role
from v8box.api.principals import Scope as TokenScope
from v8box.errors import V8BoxError
from v8box.features.health.model import Finding, Status
from v8box.features.health.pages import build_pages
from v8box.features.health.probe import Probe, in_thread
from v8box.features.health.routes import build_router
from v8box.features.health.service import Health, Phase
from v8box.settings import Box, Otlp, ServerUrl
from v8box.telemetry.otlp import Exporter

SECRET = "the server at 10.1.2.3 says no"


class TokenIdentities(Identities):
    """Knows the token `v8b_good`, which is `who`'s."""

    def __init__(self, who: Principal) -> None:
        self.who = who

    async def of_bearer(self, token: str, client: Client, request_id: str | None) -> Principal:
        if token != "v8b_good":
            raise TokenRefused
        return self.who


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.fault: Exception | None = None
        self.cannot_run = False
        self.disk = Finding(Status.WARN, "1.0 of 9.0 GB free", "make room")
        self.who = somebody(Role.VIEWER)
        self.probe = Probe("disk", self._look, keep_seconds=5, clock=lambda: self.now)
        self.health = Health({"db": self._check}, [self.probe], self._workers)
        self.health.phase = Phase.SERVING

    async def _check(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault

    async def _look(self) -> Finding:
        return self.disk

    async def _workers(self) -> Finding:
        return Finding(Status.FAIL, "gone") if self.cannot_run else Finding(Status.OK)

    async def get(self, path: str, host: str = "localhost", **headers: str) -> httpx.Response:
        pages = build_pages(self.health, TokenIdentities(self.who), Box())

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            page: ASGIApp = pages[scope["path"]]
            await page(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
            return await client.get(path, headers=headers)


@pytest.fixture
def world() -> World:
    return World()


GOOD = {"authorization": "Bearer v8b_good"}


async def test_anybody_gets_words_and_times(world: World) -> None:
    answer = await world.get("/health", host="192.0.2.9")
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"status", "timestamp", "services"}
    assert body["status"] == "ok"
    assert body["timestamp"].endswith("Z")
    assert set(body["services"]["db"]) == {"status", "latency_ms"}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_service_that_is_down_is_503_and_says_nothing_to_strangers(world: World) -> None:
    world.fault = V8BoxError(SECRET)
    for path in ("/health", "/health?verbose"):
        answer = await world.get(path)
        assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
        assert answer.json()["services"]["db"]["status"] == "down"
        assert "10.1.2.3" not in answer.text


async def test_who_is_signed_in_reads_what_is_wrong_and_what_to_do(world: World) -> None:
    world.fault = V8BoxError(SECRET)
    answer = await world.get("/health?verbose", **GOOD)
    body = answer.json()
    assert answer.status_code == 503
    checks = {each["name"]: each for each in body["checks"]}
    assert (checks["db"]["status"], checks["db"]["value"]) == ("fail", SECRET)
    assert checks["db"]["advice"]
    assert (checks["disk"]["status"], checks["disk"]["advice"]) == ("warn", "make room")
    assert (body["overall"], body["version"] != "") == ("fail", True)


async def test_a_warning_does_not_take_the_box_out_of_service(world: World) -> None:
    body = (await world.get("/health?verbose", **GOOD)).json()
    assert (body["status"], body["overall"]) == ("ok", "warn")


@pytest.mark.parametrize(
    "who",
    [
        somebody(Role.OWNER, "acme"),
        somebody(Role.OWNER, scopes=frozenset({TokenScope.DEPLOY})),
        somebody(Role.OWNER, confined_to="acme"),
        somebody(None),
    ],
)
async def test_a_role_in_a_project_is_none_for_the_box(world: World, who: Principal) -> None:
    world.who = who
    assert "checks" not in (await world.get("/health?verbose", **GOOD)).json()


async def test_bad_credentials_are_refused_and_a_page_elsewhere_cannot_use_good_ones(world: World) -> None:
    assert (await world.get("/health?verbose", authorization="Bearer v8b_bad")).status_code == 401
    assert (await world.get("/health?verbose", host="evil.example", **GOOD)).status_code == 403
    crossing = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    assert (await world.get("/health?verbose", **GOOD, **crossing)).status_code == 403


async def test_services_are_asked_once_however_many_want_to_know(world: World) -> None:
    await asyncio.gather(*(world.get("/health") for _ in range(20)))
    await world.get("/readyz")
    assert world.asked == 1


async def test_who_leaves_does_not_stop_what_others_wait_for(world: World) -> None:
    first = asyncio.create_task(world.health.services())
    await asyncio.sleep(0)
    second = asyncio.create_task(world.health.services())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).available
    assert world.asked == 1


async def test_an_answer_is_kept_and_then_asked_again(world: World) -> None:
    assert (await world.probe.result()).finding.value == "1.0 of 9.0 GB free"
    world.disk = Finding(Status.OK, "8.0 of 9.0 GB free")
    world.now = 4.9
    assert (await world.probe.result()).status is Status.WARN
    world.now = 5.1
    assert (await world.probe.result()).status is Status.OK


async def test_a_failure_may_be_looked_at_again_sooner() -> None:
    now, found = [0.0], [Finding(Status.FAIL)]

    async def look() -> Finding:
        return found[0]

    probe = Probe("certificates", look, keep_seconds=900, keep_failure_seconds=60, clock=lambda: now[0])
    await probe.result()
    found[0], now[0] = Finding(Status.OK), 61.0
    assert (await probe.result()).status is Status.OK
    found[0], now[0] = Finding(Status.FAIL), 200.0
    assert (await probe.result()).status is Status.OK


async def test_a_check_that_does_not_answer_fails_and_another_is_told_meanwhile() -> None:
    async def never() -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    probe = Probe("slow", never, keep_seconds=5, timeout_seconds=0.01)
    first, second = await asyncio.gather(probe.result(), probe.result())
    assert first is second
    assert (first.status, first.finding.value) == (Status.FAIL, "no answer within 0.01 s")


async def test_a_check_that_hangs_in_a_thread_holds_one() -> None:
    started, begun, release = [0], threading.Event(), threading.Event()

    def hang() -> Finding:
        started[0] += 1
        begun.set()
        release.wait()
        return Finding(Status.OK)

    probe = Probe("disk", in_thread(hang), keep_seconds=0, timeout_seconds=0.01)
    try:
        for _ in range(5):
            assert (await probe.result()).status is Status.FAIL
            assert await asyncio.to_thread(begun.wait, 60)
        assert started[0] == 1
    finally:
        release.set()


async def test_a_box_that_stops_waits_for_no_check() -> None:
    entered = asyncio.Event()

    async def never() -> None:
        entered.set()
        await asyncio.Event().wait()

    health = Health({"db": never})
    asking = asyncio.create_task(health.services())
    await entered.wait()
    await health.stop()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize(
    ("phase", "status", "word"),
    [(Phase.STARTING, 503, "starting"), (Phase.SERVING, 200, "ready"), (Phase.DRAINING, 503, "draining")],
)
async def test_readiness_follows_the_life_of_the_box(world: World, phase: Phase, status: int, word: str) -> None:
    world.health.phase = phase
    answer = await world.get("/readyz")
    assert (answer.status_code, answer.json()) == (status, {"status": word})
    assert (await world.get("/livez")).status_code == 200


async def test_readiness_needs_stores_and_workers_and_says_which(world: World) -> None:
    world.fault = V8BoxError(SECRET)
    answer = await world.get("/readyz?verbose")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["checks"] == {"phase": "serving", "db": "fail", "workers": "ok"}
    assert "10.1.2.3" not in answer.text


async def test_readiness_needs_workers(world: World) -> None:
    world.cannot_run = True
    answer = await world.get("/readyz?verbose")
    assert (answer.status_code, answer.json()["checks"]["workers"]) == (503, "fail")
    assert (await world.get("/livez")).json() == {"status": "ok"}


async def api(world: World, who: Principal, path: str) -> Any:
    return await answer_of(build_router(world.health, domain="localhost", urls={}), who, path)


async def answer_of(router: APIRouter, who: Principal, path: str) -> Any:
    app = build_api([router], project_exists=any_project)
    transport = httpx.ASGITransport(signed_in(app, who))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v1/") as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()


async def test_the_exporter_tells_what_became_of_each_signal(world: World) -> None:
    settings = Otlp(endpoint=ServerUrl("http://user:hunter2@127.0.0.1:9"))
    exporter = Exporter(settings, "1")
    exporter.runs.count.sent, exporter.runs.count.dropped, exporter.runs.count.fault = 7, 2, "it answered 503"
    off, on = (
        build_router(world.health, domain="localhost", urls={}, signals=signals, trace_ratio=0.25)
        for signals in (lambda: None, lambda: exporter.signals)
    )
    assert await answer_of(off, somebody(Role.VIEWER), "box/exporter") == (
        200,
        {"active": False, "trace_ratio": 0.25, "signals": []},
    )
    status, body = await answer_of(on, somebody(Role.VIEWER), "box/exporter")
    assert (status, body["active"]) == (200, True)
    traces, logs = body["signals"]
    assert (traces["signal"], traces["sent"], traces["dropped"], traces["fault"]) == ("traces", 7, 2, "it answered 503")
    assert (logs["signal"], logs["waiting"], logs["fault"]) == ("logs", 0, "")
    assert "hunter2" not in str(body)
    assert (await answer_of(on, somebody(Role.OWNER, "default"), "box/exporter"))[0] == 403
    await exporter.close()


async def test_the_route_tells_all_to_those_with_a_role_for_the_box(world: World) -> None:
    status, body = await api(world, somebody(Role.VIEWER), "box/health")
    assert status == 200
    assert [each["name"] for each in body["checks"]] == ["db", "workers", "disk"]
    assert set(body["checks"][0]) == {
        *("name", "status", "latency_ms", "value", "value_parts", "advice", "advice_parts", "share")
    }
    assert body["checks"][0]["value_parts"] == [{"code": "answers", "values": {}}]
    assert (body["phase"], body["overall"]) == ("serving", "warn")
    assert (await api(world, somebody(Role.OWNER, "acme"), "box/health"))[0] == 403


async def test_the_box_itself_tells_how_its_services_are_to_whoever_is_signed_in(world: World) -> None:
    status, body = await api(world, somebody(None), "box")
    assert (status, body["health"]["status"]) == (200, "ok")
    assert set(body["health"]["services"]["db"]) == {"status", "latency_ms"}
