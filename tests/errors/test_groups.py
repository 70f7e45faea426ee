"""From what the feed tells to groups in the API: what is one, what is counted how, and what is kept of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from tests.errors.conftest import NOW, STACK, Box

from v8box.features.errors import intake, model, service
from v8box.storage import DatabaseError
from v8box.telemetry.records import RunRecord


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_what_a_worker_throws_is_a_group(box: Box) -> None:
    first = box.throw(at=NOW - 10)
    last = box.throw(message="no such thing at all")
    found = await box.one()
    assert (found["kind"], found["worker"], found["name"]) == ("exception", "shop", "TypeError")
    assert found["message"] == "no such thing at all"
    assert found["top"] == {"function": "find", "file": "functions/shop.ts", "line": 10, "column": 5, "own": True}
    assert (found["count"], found["state"]) == (2, "open")
    assert (found["first_seen"], found["last_seen"]) == (moment(NOW - 10), moment(NOW))
    assert found["new_in"] == found["last_version"] == {"id": "v1", "number": 1}
    assert found["environments"] == ["production"]
    assert len(found["hours"]) == 24
    assert found["hours"][-1] == {"at": moment(NOW // 3600 * 3600), "count": 2}
    assert sum(each["count"] for each in found["hours"]) == 2
    detail = await box.detail(found["id"])
    assert detail["stack"] == STACK
    assert [each["function"] for each in detail["frames"]] == ["find", "default"]
    assert [each["run"] for each in detail["samples"]] == [last, first]
    assert detail["samples"][0]["version"] == {"id": "v1", "number": 1}
    assert len(detail["hours"]) == 168
    assert detail["excerpt"] is None
    (seen,) = detail["versions"]
    assert (seen["version"]["number"], seen["environment"], seen["count"]) == (1, "production", 2)


async def test_nothing_went_wrong(box: Box) -> None:
    box.feed.run(RunRecord("r", "r", NOW, "shop", "v1", "http", "GET", "/", 200, "ok", 1.0, 0, 0, 0, ""))
    box.throw(status=404)  # the worker's way to refuse
    box.end("refused", 429)
    for outcome in ("client_gone", "evicted", "shutdown", "recycled", "replaced", "broken"):
        box.end(outcome, 503)
    for reason in ("evicted", "recycled", "wall", "startup"):
        box.die(reason)
    box.say("no stack here")
    box.say("Error: x\n    at f (a.ts:1:1)", "info")
    box.say("Error: x\n    at f (a.ts:1:1)", thrown=True)  # the run's own: its record has it
    assert await box.look() == []


async def test_the_code_around_it_is_shown_while_it_is_kept(box: Box) -> None:
    box.versions.sources["v1/functions/shop.ts"] = b"\n".join(b"line %d" % number for number in range(1, 31))
    box.throw()
    found = await box.one()
    assert (await box.detail(found["id"]))["excerpt"] == {
        "file": "functions/shop.ts",
        "line": 10,
        "first": 5,
        "lines": [f"line {number}" for number in range(5, 16)],
    }
    box.versions.sources["v1/functions/shop.ts"] = b"shorter"
    assert (await box.detail(found["id"]))["excerpt"] is None


async def test_a_newer_version_says_how_it_looks_now(box: Box) -> None:
    box.throw(version="v2", stack=STACK.replace("10:5", "20:5"))
    await box.errors.flush()
    box.throw(version="v1", stack=STACK)
    await box.errors.flush()
    found = await box.one()
    assert found["top"]["line"] == 20, "an older version that still runs changes nothing"
    assert (found["new_in"]["number"], found["last_version"]["number"]) == (1, 2)
    box.throw(version="v3", stack=STACK.replace("10:5", "30:5"), environment="staging")
    found = await box.one()
    assert found["top"]["line"] == 30
    detail = await box.detail(found["id"])
    assert detail["stack_version"]["number"] == 3
    assert [(each["version"]["number"], each["environment"]) for each in detail["versions"]] == [
        (3, "staging"),
        (2, "production"),
        (1, "production"),
    ]
    assert found["environments"] == ["production", "staging"]


async def test_kills_are_groups_by_their_reason(box: Box) -> None:
    box.die("memory", "the worker's memory reached 140 MB")
    box.end("memory", 503)
    box.end("memory", 503)  # two runs went with one sandbox
    box.end("wall")
    box.end("wall")
    box.die("wall")  # its run was counted
    found = {each["name"]: each for each in await box.look()}
    assert {name: (each["kind"], each["count"]) for name, each in found.items()} == {
        "memory": ("kill", 1),
        "wall": ("kill", 2),
    }
    assert found["memory"]["message"] == "the worker's memory reached 140 MB"
    assert found["wall"]["message"] == "the run took longer than limits.wall_ms"
    assert found["memory"]["top"] is None
    assert [each["run"] for each in (await box.detail(found["memory"]["id"]))["samples"]] == ["r2", "r1"]


async def test_a_module_that_throws_while_it_loads(box: Box) -> None:
    box.throw(status=502, outcome="startup")
    box.throw("StartupFailed", "it took too long", "", status=502, outcome="startup")
    found = await box.look(sort="count")
    assert {(each["kind"], each["name"]) for each in found} == {("startup", "TypeError"), ("kill", "startup")}


@pytest.mark.parametrize(
    ("head", "kind", "name", "message"),
    [
        ("waitUntil: TypeError: no", "wait_until", "TypeError", "no"),
        ("Uncaught (in promise) RangeError: no", "unhandled", "RangeError", "no"),
        ("Uncaught Error: no", "unhandled", "Error", "no"),
        ("Error: no", "log", "Error", "no"),
        ("it failed: SyntaxError: no: never", "log", "SyntaxError", "no: never"),
        ("it failed TypeError", "log", "TypeError", "it failed"),
        ("Uncaught (in promise) DatabaseException: no", "unhandled", "DatabaseException", "no"),
        ("something odd", "log", "Error", "something odd"),
    ],
)
async def test_what_is_printed_with_its_stack(box: Box, head: str, kind: str, name: str, message: str) -> None:
    box.say(f"{head}\n{STACK}")
    found = await box.one()
    assert (found["kind"], found["name"], found["message"]) == (kind, name, message)
    assert found["top"]["line"] == 10
    assert [each["run"] for each in (await box.detail(found["id"]))["samples"]] == ["r1"]


async def test_what_is_thrown_and_printed_from_one_place_is_one_group(box: Box) -> None:
    box.throw()
    box.say(f"TypeError: no\n{STACK}", run=None)
    assert (await box.one())["count"] == 2


async def test_projects_and_workers_are_told_apart(box: Box) -> None:
    box.throw()
    box.throw(worker="other")
    box.throw(project="acme")
    assert sorted(each["worker"] for each in await box.look()) == ["other", "shop"]
    acme = await box.client.get("http://box/api/v1/projects/acme/errors")
    (item,) = acme.json()["items"]
    assert (await box.client.get(f"errors/{item['id']}")).status_code == 404


async def test_the_last_runs_and_the_first_are_kept(box: Box) -> None:
    runs = []
    for _ in range(30):
        runs.append(box.throw())
        await box.errors.flush()
    detail = await box.detail((await box.one())["id"])
    assert [each["run"] for each in detail["samples"]] == [*runs[:-11:-1], runs[0]]
    assert detail["count"] == 30


async def test_a_flood_of_one_error_is_counted_to_the_last(box: Box) -> None:
    for number in range(20_000):
        box.throw(message=f"no user {number}")
    assert len(box.errors._intake._tallies) == 1
    found = await box.one()
    assert found["count"] == 20_000
    assert len((await box.detail(found["id"]))["samples"]) <= 11


async def test_a_flood_of_ever_new_errors_is_bounded_and_counted(box: Box) -> None:
    for number in range(5_000):
        box.throw(name=f"Error{number}", stack="", message="x" * 5_000)
    assert len(box.errors._intake._tallies) <= intake.MAX_TALLIES + 1
    await box.errors.flush()
    found, total, cursor = [], 0, None
    while True:
        page = (await box.client.get("errors", params={"limit": 200, **({"cursor": cursor} if cursor else {})})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    total = sum(each["count"] for each in found)
    assert total == 5_000
    assert len(found) == model.NEW_PER_MINUTE + 1
    (rest,) = [each for each in found if each["name"] == "TooManyErrors"]
    assert rest["count"] == 5_000 - model.NEW_PER_MINUTE
    assert len(box.new) == model.NEW_PER_MINUTE + 1


async def test_another_minute_has_room_for_others(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "NEW_PER_MINUTE", 1)
    box.throw(name="One")
    box.throw(name="Two")
    await box.errors.flush()
    box.clock[0] += 60
    box.throw(name="Three")
    assert {each["name"] for each in await box.look()} == {"One", "TooManyErrors", "Three"}


async def test_the_oldest_resolved_go_first(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.features.errors.store.MAX_OF_WORKER", 3)
    for number, name in enumerate(("One", "Two", "Three")):
        box.throw(name=name, at=NOW + number)
        await box.errors.flush()
    two = await box.one(q="two")
    assert (await box.set(two["id"], "resolved")).status_code == 200
    box.throw(name="Four", at=NOW + 4)
    assert [each["name"] for each in await box.look()] == ["Four", "Three", "One"]
    box.throw(name="Five", at=NOW + 5)
    assert [each["name"] for each in await box.look()] == ["Five", "Four", "Three"]
    box.throw(worker="other")
    assert len(await box.look()) == 4, "a worker pushes out its own"


async def test_a_project_is_bounded_too(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.features.errors.store.MAX_GROUPS", 2)
    for number in range(4):
        box.throw(worker=f"w{number}", at=NOW + number)
        await box.errors.flush()
    assert [each["worker"] for each in await box.look()] == ["w3", "w2"]


async def test_what_nobody_sees_any_more_is_forgotten(box: Box) -> None:
    box.throw(name="Old")
    await box.errors.flush()
    box.clock[0] += 91 * 86_400
    box.throw(name="New")
    assert [each["name"] for each in await box.look()] == ["New"]
    for table in ("error_seen", "error_hours", "error_samples"):
        (row,) = await box.database.read(lambda sql, table=table: sql.rows(f"select count(*) from {table}"))  # type: ignore[misc]
        assert row == (1,), table


async def test_a_disk_that_is_full_loses_errors_and_nothing_else(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: object) -> None:
        raise DatabaseError("database or disk is full")

    box.throw()
    with monkeypatch.context() as patch:
        patch.setattr(box.database, "write", full)
        await box.errors.flush()
    assert box.errors.dropped == 1
    assert "disk is full" in caplog.text
    box.throw()
    assert (await box.one())["count"] == 1


async def test_a_fault_in_one_batch_ends_nothing(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    box.throw(message="\ud800")  # SQLite takes no such text
    await box.errors.flush()
    assert box.errors.dropped == 1
    assert "could not be written down" in caplog.text
    box.throw()
    assert (await box.one())["count"] == 1


async def test_who_gives_up_waiting_loses_nothing(box: Box) -> None:
    box.throw()
    flushing = asyncio.ensure_future(box.errors.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await box.errors._writing.acquire()  # it goes on behind
    box.errors._writing.release()
    assert (await box.one())["count"] == 1


async def test_listeners_hear_of_new_groups_once(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a listener that fails")

    box.errors.on_new_group(broken)
    later: list[object] = []
    box.errors.on_new_group(later.append)
    box.throw()
    box.throw()
    await box.errors.flush()
    box.throw()
    await box.errors.flush()
    assert [(each.name, each.worker) for each in box.new] == [("TypeError", "shop")]
    assert len(later) == 1
    assert "a listener that fails" in caplog.text
    assert box.regressed == []
