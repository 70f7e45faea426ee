"""Projects and what they use: names, quotas, counting by day, what a restart keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog.projects import (
    CountQuotaExceeded,
    DefaultProjectStays,
    ProjectDeleting,
    ProjectExists,
    ProjectNotFound,
    Projects,
    Quotas,
    Usage,
    quotas_of,
    store,
)
from v8box.errors import BadRequest
from v8box.kit.names import LABEL, PROJECT
from v8box.settings import Projects as ProjectSettings
from v8box.storage import Database
from v8box.telemetry import audit
from v8box.telemetry.actors import BOX

DEFAULTS = Quotas(workers=2, requests_per_day=3, cpu_seconds_per_day=10)
DAY = 86_400


class Now:
    """A clock that stands."""

    def __init__(self) -> None:
        self.time = 20_000 * DAY + 100.5

    def __call__(self) -> float:
        return self.time


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    yield database
    await database.close()


@pytest.fixture
async def projects(database: Database) -> Projects:
    return await Projects.open(database, DEFAULTS)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def usage(database: Database, projects: Projects, now: Now) -> Usage:
    await projects.create("shop", actor=BOX)
    return await Usage.open(database, projects, clock=now)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a--b", "A", "a_b", "a.b", "é", "a\n", "x" * 41, "admin", "api", "s3", "../a", "*"]
)
async def test_a_name_that_could_mean_something_else_is_refused(projects: Projects, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        await projects.create(name, actor=BOX)
    assert not projects.exists(name)


@given(st.from_regex(PROJECT, fullmatch=True))
def test_a_projects_name_is_a_label(name: str) -> None:
    assert LABEL.fullmatch(name)
    assert len(name) <= 40


async def test_the_default_project_is_there_without_bounds(projects: Projects) -> None:
    assert projects.exists("default")
    assert projects.quotas("default") == Quotas()
    with pytest.raises(DefaultProjectStays):
        await projects.begin_deletion("default", BOX)


async def test_what_is_made_and_changed_is_there_after_a_restart(projects: Projects, database: Database) -> None:
    await projects.create("shop", title="  The\tshop ", quotas={"workers": None, "buckets": 7}, actor=BOX)
    await projects.change("shop", quotas={"requests_per_day": 9}, actor=BOX)
    with pytest.raises(ProjectExists):
        await projects.create("shop", actor=BOX)
    again = await Projects.open(database, DEFAULTS)
    assert again.get("shop") == projects.get("shop")
    assert again.get("shop").title == "The shop"
    assert again.quotas("shop") == Quotas(workers=None, requests_per_day=9, cpu_seconds_per_day=10, buckets=7)
    assert [each.name for each in again.all()] == ["default", "shop"]


@pytest.mark.parametrize(
    ("title", "quotas"), [("x" * 101, {}), ("a\x00b", {}), ("", {"wokers": 1}), ("", {"workers": -1})]
)
async def test_what_cannot_be_kept_is_refused_whole(
    projects: Projects, title: str, quotas: dict[str, int | None]
) -> None:
    with pytest.raises(BadRequest):
        await projects.create("shop", title=title, quotas=quotas, actor=BOX)
    assert not projects.exists("shop")


async def test_counts_are_refused_at_the_quota(projects: Projects) -> None:
    await projects.create("shop", actor=BOX)
    projects.check_room("shop", "workers", 1)
    with pytest.raises(CountQuotaExceeded, match="2 workers") as refused:
        projects.check_room("shop", "workers", 2)
    assert (refused.value.limit, refused.value.used, refused.value.status) == (2, 2, 409)
    projects.check_room("default", "workers", 1_000_000)


async def test_a_deletion_ends_its_use_at_once_and_may_be_begun_again(projects: Projects, database: Database) -> None:
    await projects.create("shop", actor=BOX)
    await projects.begin_deletion("shop", BOX)
    assert not projects.exists("shop")
    with pytest.raises(ProjectDeleting):
        await projects.change("shop", title="x", actor=BOX)
    again = await Projects.open(database, DEFAULTS)  # the box was stopped in between
    assert not again.exists("shop")
    await again.begin_deletion("shop", BOX)
    await again.finish_deletion("shop", BOX)
    with pytest.raises(ProjectNotFound):
        again.get("shop")
    rows = await database.read(lambda sql: sql.rows("select action from audit where resource = 'project/shop'"))
    assert [row[0] for row in rows] == ["project.create", "project.begin_deletion", "project.delete"]


async def test_many_at_once_do_not_slip_past_the_bound(projects: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_PROJECTS", 3)
    made = await asyncio.gather(
        *(projects.create(f"p{number}", actor=BOX) for number in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(each, Exception) for each in made) == 2


def test_zero_in_the_settings_is_no_bound() -> None:
    quotas = quotas_of(ProjectSettings(workers=0, databases=5))
    assert (quotas.workers, quotas.databases) == (None, 5)


# ---- usage


async def test_runs_are_refused_at_the_quota_of_a_day_until_midnight(usage: Usage, now: Now) -> None:
    for _ in range(3):
        assert usage.over("shop") is None
        usage.add("shop", 0.5)
    over = usage.over("shop")
    assert over is not None
    assert (over.status, over.quota, over.limit, over.used) == (429, "requests_per_day", 3, 3)
    assert over.retry_after == DAY - 100
    now.time = 20_001 * DAY - 0.1
    over = usage.over("shop")
    assert over is not None
    assert over.retry_after == 1
    now.time = 20_001 * DAY
    assert usage.over("shop") is None
    assert usage.today("shop").requests == 0


async def test_processor_time_counts_too(usage: Usage) -> None:
    usage.add("shop", 10.5)
    over = usage.over("shop")
    assert over is not None
    assert (over.quota, over.used) == ("cpu_seconds_per_day", 10.5)


async def test_a_project_without_bounds_is_counted_and_never_refused(usage: Usage) -> None:
    for _ in range(10):
        usage.add("default", 1000.0)
    assert usage.over("default") is None
    assert usage.over("nobody") is None
    assert usage.today("default").requests == 10


async def test_a_raised_quota_counts_at_once(usage: Usage, projects: Projects) -> None:
    for _ in range(3):
        usage.add("shop", 0.0)
    assert usage.over("shop") is not None
    await projects.change("shop", quotas={"requests_per_day": None}, actor=BOX)
    assert usage.over("shop") is None
    await projects.change("default", quotas={"requests_per_day": 0}, actor=BOX)
    usage.add("default", 0.0)
    assert usage.over("default") is not None


async def test_a_restart_goes_on_with_the_counts_of_the_day(
    usage: Usage, projects: Projects, database: Database, now: Now
) -> None:
    usage.add("shop", 1.5)
    usage.add("shop", 1.5)
    await usage.close()
    again = await Usage.open(database, projects, clock=now)
    again.add("shop", 0.0)
    assert again.over("shop") is not None
    await again.close()
    now.time += DAY
    tomorrow = await Usage.open(database, projects, clock=now)
    assert tomorrow.over("shop") is None
    assert [(day.requests, day.cpu_seconds) for day in await tomorrow.days("shop", 2)] == [(3, 3.0), (0, 0.0)]


async def test_what_was_counted_before_midnight_is_written_after_it(usage: Usage, now: Now, database: Database) -> None:
    usage.add("shop", 1.0)
    now.time += DAY
    usage.add("shop", 9.0)  # nobody has asked yet, so it is still of the day before
    assert usage.over("shop") is None
    usage.add("shop", 2.0)
    await usage.flush()
    await usage.flush()
    assert [(day.requests, day.cpu_seconds) for day in await usage.days("shop", 2)] == [(2, 10.0), (1, 2.0)]


async def test_a_write_that_fails_loses_nothing(usage: Usage, now: Now, database: Database) -> None:
    usage.add("shop", 1.0)
    now.time += DAY
    usage.today("shop")
    usage.add("shop", 2.0)
    await database.write(lambda sql: sql.execute("alter table usage rename to away"))
    with pytest.raises(Exception, match="no such table"):
        await usage.flush()
    await database.write(lambda sql: sql.execute("alter table away rename to usage"))
    await usage.flush()
    assert [day.cpu_seconds for day in await usage.days("shop", 2)] == [1.0, 2.0]


async def test_old_days_and_the_days_of_a_deleted_project_are_forgotten(
    usage: Usage, projects: Projects, database: Database, now: Now
) -> None:
    usage.add("default", 1.0)
    usage.add("shop", 1.0)
    await usage.flush()
    await projects.begin_deletion("shop", BOX)
    await projects.finish_deletion("shop", BOX)
    usage.add("shop", 1.0)  # a run that was under way
    await usage.flush()
    assert await database.read(lambda sql: sql.rows("select project from usage")) == [("default",)]
    now.time += 93 * DAY
    usage.today("default")
    usage.add("default", 1.0)
    await usage.flush()
    await Usage.open(database, projects, clock=now)
    assert len(await database.read(lambda sql: sql.rows("select * from usage"))) == 1
