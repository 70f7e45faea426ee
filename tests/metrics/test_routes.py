"""…/metrics over HTTP: charts, the busiest, each second; who may see them, and what is refused."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.api.conftest import problem, user
from tests.metrics.conftest import As, Deployed, Kept
from tests.telemetry.metrics.conftest import HOUR_BEGINS, run

from v8box.api.access import EVERY_PROJECT, Role, Scope
from v8box.features.metrics.service import MAX_READERS, Metrics, Selection, TooManyReaders
from v8box.telemetry.meter import Span
from v8box.telemetry.metrics.figures import Key
from v8box.telemetry.records import MeasureRecord

HERE = "/projects/default/metrics"


def at(seconds: float) -> str:
    return datetime.fromtimestamp(HOUR_BEGINS + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def chart(client: httpx.AsyncClient, where: str = HERE, **query: Any) -> Any:
    """`since` is `from`, which Python keeps for itself."""
    query = {"from" if name == "since" else name: value for name, value in query.items()}
    response = await client.get(where, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_chart_has_a_value_for_each_time(client: httpx.AsyncClient, kept: Kept) -> None:
    spans = [Span("db", "execute", 0.0, 2.0, 10, 20)]
    kept.counters.on_runs([run("a", duration=10.0, calls=1, call_time=2.0, call_bytes=30, spans=spans, memory=5_000)])
    kept.counters.on_runs([run("b", status=500, outcome="exception", cold=40.0)])
    await kept.minute()
    found = await chart(client, since=HOUR_BEGINS - 60, step=60)
    assert found["times"] == [at(-60), at(0), at(60)]
    assert (found["from"], found["to"], found["step_seconds"]) == (at(-60), at(120), 60)
    series = found["series"]
    assert series["requests"] == [0, 2, 0]
    assert series["errors"] == [0, 1, 0]
    assert series["error_rate"] == [None, 0.5, None]
    assert series["status"]["2xx"] == [0, 1, 0]
    assert series["status"]["5xx"] == [0, 1, 0]
    assert series["cold_starts"] == [0, 1, 0]
    assert series["cold_ms"] == [None, 40.0, None]
    assert series["outcomes"] == {"exception": [0, 1, 0]}
    assert series["bindings"] == {
        "db": {"calls": [0, 1, 0], "errors": [0, 0, 0], "ms": [0, 2.0, 0], "bytes": [0, 30, 0]}
    }
    assert series["p95_ms"][0] is None
    assert 10 < series["p95_ms"][1] <= 15
    assert all(len(each) == 3 for each in series.values() if isinstance(each, list))
    assert found["totals"]["requests"] == 2
    assert found["totals"]["bindings"]["db"]["calls"] == 1
    assert found["box"] is None
    only = await chart(client, worker="a", since=HOUR_BEGINS)
    assert only["totals"]["requests"] == 1
    assert only["totals"]["memory_bytes"] == 5_000
    assert (await chart(client, worker="a", environment="staging"))["totals"]["requests"] == 0
    assert (await chart(client, environment="production"))["totals"]["requests"] == 2
    assert (await chart(client, trigger="http"))["totals"]["requests"] == 2
    assert (await chart(client, trigger="cron"))["totals"]["requests"] == 0


async def test_seconds_are_there_for_the_last_minutes(client: httpx.AsyncClient, kept: Kept) -> None:
    for count in (1, 3, 2):
        for _ in range(count):
            kept.counters.on_runs([run()])
        await kept.second()
    found = await chart(client, since=HOUR_BEGINS, step=1)
    assert found["series"]["requests"] == [1, 3, 2]
    problem(await client.get(HERE, params={"from": "now-10m", "step": 1}), 400, "bad_request")


async def test_what_was_deployed_is_marked(client: httpx.AsyncClient, kept: Kept, deployed: Deployed) -> None:
    kept.time.now = datetime.now(UTC).timestamp()
    first, second = await deployed.deploy("one", "two")
    await deployed.deploy("other", worker="b", environment="staging")
    kept.time.now = datetime.now(UTC).timestamp() + 1
    found = await chart(client)
    assert [(each["worker"], each["environment"], each["change"]) for each in found["markers"]] == [
        ("a", "production", "deployed"),
        ("a", "production", "deployed"),
        ("b", "staging", "deployed"),
    ]
    assert [(each["version"], each["version_number"]) for each in found["markers"][:2]] == [(first, 1), (second, 2)]
    only = await chart(client, worker="a", environment="staging")
    assert only["markers"] == []
    assert (await chart(client, to="now-30m"))["markers"] == []


async def test_of_one_version_by_its_number(client: httpx.AsyncClient, kept: Kept, deployed: Deployed) -> None:
    first, second = await deployed.deploy("one", "two")
    kept.counters.on_runs([run("a", version=first)])
    for _ in range(2):
        kept.counters.on_runs([run("a", version=second)])
    await kept.minute()
    assert (await chart(client, worker="a", version="v1"))["totals"]["requests"] == 1
    assert (await chart(client, worker="a", version="2"))["totals"]["requests"] == 2
    problem(await client.get(HERE, params={"worker": "a", "version": "v9"}), 404, "not_found")
    problem(await client.get(HERE, params={"version": "v1"}), 400, "bad_request")


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"to": "now-"},
        {"from": "now+1h"},
        {"from": "now", "to": "now-1h"},
        {"step": 0},
        {"step": 2},
        {"step": 90},
        {"step": 5_400},
        {"from": "now-89d", "step": 60},
        {"worker": "../x"},
        {"worker": "A"},
        {"environment": "a--b"},
        {"trigger": "%"},
    ],
)
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    problem(await client.get(HERE, params=query), 400, "bad_request")


async def test_a_step_is_chosen_so_that_the_points_are_few(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.counters.on_runs([run()])
    await kept.minute()
    for since, step in (("now-1h", 60), ("now-24h", 600), ("now-7d", 3_600), ("now-90d", 43_200)):
        found = await chart(client, since=since)
        assert found["step_seconds"] == step, since
        assert len(found["times"]) <= 242
        assert found["totals"]["requests"] == 1


async def test_the_busiest_come_first(client: httpx.AsyncClient, kept: Kept) -> None:
    for worker, count in (("a", 1), ("b", 3), ("c", 2)):
        for number in range(count):
            kept.counters.on_runs([run(worker, version=f"v{number}", cpu=10.0 if worker == "c" else 1.0)])
    kept.counters.on_runs([run("elsewhere", project="shop")])
    await kept.second()
    for since in ("now-1h", "now-30d"):
        found = await chart(client, f"{HERE}/top", since=since)
        assert [(each["worker"], each["requests"]) for each in found["items"]] == [("b", 3), ("c", 2), ("a", 1)]
    by_cpu = await chart(client, f"{HERE}/top", by="cpu_ms", limit=1)
    assert [each["worker"] for each in by_cpu["items"]] == ["c"]
    whole = await chart(client, "/box/metrics/top")
    assert {each["project"] for each in whole["items"]} == {"default", "shop"}
    problem(await client.get(f"{HERE}/top", params={"by": "status"}), 400, "bad_request")


async def test_the_box_shows_itself_too(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.rollups.gauges = lambda: {Key(""): {"process_memory_bytes": 7.0}}
    kept.counters.on_runs([run(project="shop")])
    await kept.second()
    found = await chart(client, "/box/metrics", since=HOUR_BEGINS)
    assert found["totals"]["requests"] == 1
    assert found["box"]["process_memory_bytes"] == [7.0]
    assert found["box"]["disk_total_bytes"] == [None]


async def test_who_may_look(app: As, client: httpx.AsyncClient) -> None:
    app.principal = user("bob", {"default": Role.VIEWER}, scopes=[Scope.READ])
    assert (await client.get(HERE)).status_code == 200
    for address in ("", "/top", "/live"):
        problem(await client.get(f"/projects/shop/metrics{address}"), 403, "forbidden")
        problem(await client.get(f"/box/metrics{address}"), 403, "forbidden")
    app.principal = user("carl", {EVERY_PROJECT: Role.OWNER}, scopes=[Scope.DEPLOY])
    problem(await client.get(HERE), 403, "forbidden")


async def test_each_second_comes_as_it_ends(metrics: Metrics, kept: Kept) -> None:
    kept.counters.on_runs([run("a")])
    await kept.second()
    seconds = metrics.live(Selection(project="default", worker="a"), 60)
    assert await anext(seconds) is None
    first = await anext(seconds)
    assert first is not None
    assert (first["time"], first["requests"]) == (at(0), 1)
    coming = asyncio.ensure_future(anext(seconds))
    kept.counters.on_runs([run("a")])
    kept.counters.on_runs([run("b")])
    await kept.second()
    second = await coming
    assert second is not None
    assert (second["time"], second["requests"]) == (at(1), 1)
    await seconds.aclose()  # type: ignore[attr-defined]


async def test_so_many_may_watch_and_a_place_is_given_back(metrics: Metrics) -> None:
    readers = [metrics.live(Selection(project=None), 0) for _ in range(MAX_READERS)]
    for reader in readers:
        await anext(reader)
    with pytest.raises(TooManyReaders):
        await anext(metrics.live(Selection(project=None), 0))
    await readers[0].aclose()  # type: ignore[attr-defined]
    late = metrics.live(Selection(project=None), 0)
    assert await anext(late) is None
    for reader in (*readers, late):
        await reader.aclose()  # type: ignore[attr-defined]


async def test_events_go_on_until_the_client_leaves(app: As, kept: Kept) -> None:
    kept.counters.on_runs([run()])
    await kept.second()
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in asked:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.put_nowait(dict(message))

    path = "/api/v1/projects/default/metrics/live"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    serving = asyncio.create_task(app(scope, receive, send))
    assert (b"content-type", b"text/event-stream") in (await sent.get())["headers"]
    assert (await sent.get())["body"] == b": nothing new\n\n"
    kind, data = (await sent.get())["body"].decode().splitlines()[:2]
    assert kind == "event: second"
    assert json.loads(data.removeprefix("data: "))["requests"] == 1
    gone.set()
    await serving
    assert not list(kept.rollups._watchers)


async def test_what_workers_count_themselves(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.custom.on_measure(MeasureRecord("a", "v1", [(0, "orders", {"shop": "x"}, 3.0), (1, "depth", None, 7.0)]))
    kept.custom.on_measure(MeasureRecord("b", "v1", [(0, "orders", None, 1.0), (2, "took_seconds", None, [0.3, 0.5])]))
    kept.custom.on_measure(MeasureRecord("b", "v1", [(0, "orders", None, 1.0)], "shop"))
    listed = await chart(client, f"{HERE}/custom")
    assert listed["items"] == [
        {"name": "depth", "kind": "gauge", "workers": ["a"], "series": 1},
        {"name": "orders", "kind": "counter", "workers": ["a", "b"], "series": 2},
        {"name": "took_seconds", "kind": "histogram", "workers": ["b"], "series": 1},
    ]
    await kept.minute()
    kept.custom.on_measure(MeasureRecord("a", "v1", [(0, "orders", {"shop": "x"}, 2.0)]))
    found = await chart(client, f"{HERE}/custom/orders", since=HOUR_BEGINS, step=60)
    assert found["times"] == [at(0), at(60)]
    assert [(each["worker"], each["labels"], each["values"]) for each in found["items"]] == [
        ("a", {"shop": "x"}, [3.0, 2.0]),
        ("b", {}, [1.0, 0]),
    ]
    depth = await chart(client, f"{HERE}/custom/depth", since=HOUR_BEGINS, step=60)
    assert depth["items"][0]["values"] == [7.0, 7.0], "it holds until it is set again"
    took = await chart(client, f"{HERE}/custom/took_seconds", since=HOUR_BEGINS, step=60)
    assert took["items"][0]["values"] == [0.4, None]
    assert took["items"][0]["counts"] == [2, 0]
    assert 0.2 < took["items"][0]["p95"][0] <= 0.5
    only = await chart(client, f"{HERE}/custom/orders", worker="b", since=HOUR_BEGINS)
    assert [each["worker"] for each in only["items"]] == ["b"]
    problem(await client.get(f"{HERE}/custom/nothing"), 404, "metric_not_found")
    problem(await client.get(f"{HERE}/custom/orders", params={"worker": "c"}), 404, "metric_not_found")
    problem(await client.get(f"{HERE}/custom/orders", params={"step": 1}), 400, "bad_request")
    problem(await client.get(f"{HERE}/custom/A-B"), 400, "bad_request")


async def test_only_so_many_time_series_of_one_metric_are_shown(client: httpx.AsyncClient, kept: Kept) -> None:
    for number in range(1, 61):
        kept.custom.on_measure(MeasureRecord("a", "v1", [(0, "orders", {"n": str(number)}, float(number))]))
    kept.time.now += 1
    found = await chart(client, f"{HERE}/custom/orders")
    assert len(found["items"]) == 50
    assert found["left_out"] == 10
    assert found["items"][0]["labels"] == {"n": "60"}
