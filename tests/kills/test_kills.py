"""Kill reports over the API: what they tell, how they are found, and that nothing makes them grow without bound."""

from __future__ import annotations

import pytest
from tests.kills.conftest import Box, a_run, grows

from v8box.errors import V8BoxError
from v8box.features.kills import service
from v8box.storage import DatabaseError


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("default/kills/nothing", 404, "kill_not_found"),
        ("default/kills?reason=boredom", 422, None),
        ("default/kills?cursor=rubbish", 400, "bad_request"),
        ("default/kills?since=yesterday", 422, None),
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_refused(
    box: Box, address: str, status: int, code: str | None
) -> None:
    answer = await box.client.get(address)
    assert answer.status_code in (status, 400)
    if code is not None:
        assert answer.json()["code"] == code


async def test_a_report_tells_what_was_seen_before_and_what_to_do(box: Box) -> None:
    for number in range(40):
        box.prints(f"line {number}")
    box.prints("x" * 2_000)
    box.prints("of another environment", environment="staging")
    box.dies(
        runs=[a_run(waiting_for=["db.execute"])],
        run_count=3,
        curve=grows(1, 2, 130),
        exit_code=None,
        signal=9,
        cpu_seconds=1.5,
        peak_memory=130 * 1024 * 1024,
        last_output="Fatal",
    )
    [listed] = await box.list()
    report = await box.show(listed["id"])
    assert {name: report[name] for name in listed} == listed
    assert (report["reason"], report["limit"], report["used"], report["count"]) == ("memory", 128, 130, 1)
    assert (report["limit_name"], report["unit"]) == ("memory_mb", "MiB")
    assert report["whole"]
    assert report["first_at"] == report["at"] == "1970-01-12T13:46:40.000Z"
    [run] = report["runs"]
    assert (run["id"], run["path"], run["waiting_for"]) == ("r1", "/a", ["db.execute"])
    assert report["run_count"] == 3
    assert [point["memory_bytes"] // 1024 // 1024 for point in report["curve"]] == [1, 2, 130]
    assert [point["at_ms"] for point in report["curve"]] == [-2000, -1000, 0]
    assert len(report["lines"]) == 30
    assert report["lines"][0]["text"] == "line 11"
    assert len(report["lines"][-1]["text"]) == 500
    assert (report["last_output"], report["signal"], report["stack"]) == ("Fatal", 9, None)
    assert report["advice"]
    assert report["suggestion"] == {
        "limit": "memory_mb",
        "value": 260,
        "manifest": "[workers.hello.limits]\nmemory_mb = 260",
    }


async def test_a_crash_loop_is_one_report_with_a_count(box: Box) -> None:
    for number in range(1_000):
        box.dies("crash", limit=None, used=None, runs=[a_run(f"r{number}")], run_count=1)
        if number % 100 == 0:
            await box.kills.flush()
        box.now += 0.06
    [kill] = await box.list()
    assert kill["count"] == 1_000
    assert kill["id"] == "kill1"
    assert kill["first_at"] < kill["at"]
    assert len(await box.list(run="r7")) == 1
    rows = await box.database.read(lambda sql: sql.row("select count(*) from kill_runs"))
    assert rows == (200,)


async def test_a_report_tells_of_the_first_end_that_could_be_looked_into(box: Box) -> None:
    box.dies("cpu", run_count=1)
    await box.kills.flush()
    box.dies("cpu", stack="    at f (a.ts:1:1)", run_count=2)
    await box.kills.flush()
    box.dies("cpu", stack="    at g (a.ts:2:1)", run_count=3)
    [kill] = await box.list()
    report = await box.show(kill["id"])
    assert (report["id"], report["count"], report["run_count"]) == ("kill1", 3, 2)
    assert report["stack"] == "    at f (a.ts:1:1)"


async def test_ends_far_apart_or_of_another_kind_have_reports_of_their_own(box: Box) -> None:
    box.dies("crash")
    box.dies("memory")
    box.dies("crash", worker="other")
    box.dies("crash", version="hello-2")
    box.dies("crash", environment="staging")
    box.dies("crash", whole=False)
    box.now += 61
    box.dies("crash")
    assert [kill["count"] for kill in await box.list()] == [1] * 7


async def test_a_loop_that_never_ends_gets_a_new_report_every_ten_minutes(box: Box) -> None:
    for _ in range(3 * 60):
        box.dies("crash")
        box.now += 10
    counts = [kill["count"] for kill in await box.list()]
    assert sum(counts) == 180
    assert len(counts) == 3


async def test_reports_are_found_by_worker_environment_reason_time_and_run(box: Box) -> None:
    box.dies("cpu", runs=[a_run("of-hello")])
    box.now += 100
    box.dies("wall", worker="other", environment="staging", runs=[a_run("of-other")])
    box.dies("cpu", project="acme")
    for wanted in (
        {"worker": "other"},
        {"environment": "staging"},
        {"reason": "wall"},
        {"since": "1970-01-12T13:47:00Z"},
        {"run": "of-other"},
    ):
        assert [kill["worker"] for kill in await box.list(**wanted)] == ["other"], wanted
    assert await box.list(run="of-nobody") == []
    assert len(await box.list()) == 2
    assert (await box.client.get("acme/kills/kill1")).status_code == 404


async def test_a_long_list_comes_in_pages_newest_first(box: Box) -> None:
    for number in range(5):
        box.dies("cpu", version=f"hello-{number}")
    first = (await box.client.get("default/kills", params={"limit": 3})).json()
    rest = (await box.client.get("default/kills", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    found = [kill["version"] for kill in (*first["items"], *rest["items"])]
    assert found == [f"hello-{number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next_cursor"] is None


async def test_ends_that_the_box_wanted_are_no_reports(box: Box) -> None:
    box.dies("recycled")
    box.dies("evicted")
    assert await box.list() == []


async def test_only_so_many_are_kept(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_OF_WORKER", 3)
    monkeypatch.setattr(service, "MOST", 5)
    for number in range(6):
        box.dies("cpu", version=f"hello-{number}", runs=[a_run(f"r{number}")])
    await box.kills.flush()
    for number in range(6):
        box.dies("cpu", worker=f"other{number}")
    assert [kill["worker"] for kill in await box.list()] == [f"other{number}" for number in (5, 4, 3, 2, 1)]
    assert await box.list(run="r5") == []
    box.dies("cpu", project="acme")
    assert [kill["worker"] for kill in await box.list()] == [f"other{number}" for number in (5, 4, 3, 2)]
    for number in range(6, 12):
        box.dies("cpu", worker=f"other{number}")
    await box.kills.flush()
    assert len((await box.client.get("acme/kills")).json()["items"]) == 1, "of the project that has most"
    box.now += service.KEPT_SECONDS + 1
    box.dies("cpu", worker="new")
    assert [kill["worker"] for kill in await box.list()] == ["new"]


async def test_what_cannot_be_written_now_is_written_later(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: object) -> None:
        raise DatabaseError("the disk is full")

    box.dies("cpu")
    with monkeypatch.context() as patch:
        patch.setattr(box.database, "write", full)
        await box.kills.flush()
    assert "the disk is full" in caplog.text
    box.dies("cpu")
    [kill] = await box.list()
    assert kill["count"] == 2


async def test_while_nothing_can_be_written_what_is_held_stays_bounded(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: object) -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(box.database, "write", full)
        for number in range(600):
            box.dies("cpu", version=f"hello-{number}")
        assert box.kills.lost == 100
        await box.kills.flush()
        box.now += 1_000
        await box.kills.flush()
    assert box.kills.lost == 600
    assert await box.list() == []


async def test_a_write_that_was_given_up_half_way_is_no_second_report(box: Box) -> None:
    box.dies("cpu")
    [report] = box.kills._open.values()
    await box.kills.flush()
    report.written, report.written_count = False, 0  # the commit was done, but its waiter was cancelled before it knew
    box.dies("cpu")
    [kill] = await box.list()
    assert kill["count"] == 2


async def test_a_project_takes_its_reports_with_it(box: Box) -> None:
    box.dies("cpu", runs=[a_run("r1")])
    box.dies("cpu", project="acme")
    await box.kills.flush()
    box.dies("wall")
    await box.kills.forget_project("default")
    assert await box.list() == []
    assert len((await box.client.get("acme/kills")).json()["items"]) == 1


async def test_reports_survive_a_start(box: Box) -> None:
    box.dies("cpu")
    await box.kills.close()
    again = await service.KillReports.open(box.database)
    found = await again.list(service.Filter(project="default"), below=None, limit=10)
    assert [kill.id for kill in found] == ["kill1"]
    with pytest.raises(V8BoxError):
        await again.get("default", "nothing")
