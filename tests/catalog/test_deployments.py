"""Splits, rollbacks, promotions and removals: what is live, what history says, and who may not any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.conftest import ADA, MANIFEST, Kept, build, kept_in

from v8box.catalog import BadWorkerName, Change, Deployment
from v8box.catalog import deployments as module
from v8box.catalog.deployments import DeploymentChanged, TooManyEnvironments
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.storage import Transaction
from v8box.telemetry import audit_chain


async def test_two_versions_share_the_requests_the_older_one_first(kept: Kept) -> None:
    one, two = await kept.store("one", "two")
    made = await kept.catalog.set_shares("a", [(two, 10), (one, 90)], actor=ADA, message="try it")
    assert kept.live() == [(one, 90), (two, 10)]
    assert (made.number, made.shares, made.changed_by) == (1, ((one, 90), (two, 10)), "ada")
    more = await kept.catalog.set_shares("a", [(one, 40), (two, 60)], actor=ADA, sticky="cookie:session")
    assert (more.number, more.sticky) == (2, "cookie:session")
    again = await kept.catalog.set_shares("a", [(one, 0), (two, 100)], actor=ADA)
    assert (again.shares, again.sticky) == (((two, 100),), "cookie:session")  # what is not said stays
    entries = await kept.catalog.history("a")
    assert [(each.number, each.shares, each.message) for each in entries] == [
        (3, ((two, 100),), ""),
        (2, ((one, 40), (two, 60)), ""),
        (1, ((one, 90), (two, 10)), "try it"),
    ]


@pytest.mark.parametrize(
    "weights", [[], [(0, 100), (1, 100)], [(0, 50)], [(0, 101)], [(0, 50), (0, 50)], [(0, -1), (1, 101)], [(0, 0)]]
)
async def test_shares_that_are_none_are_refused(kept: Kept, weights: list[tuple[int, int]]) -> None:
    ids = await kept.store("one", "two", "three")
    with pytest.raises(BadRequest):
        await kept.catalog.set_shares("a", [(ids[index], weight) for index, weight in weights], actor=ADA)
    with pytest.raises(BadRequest):
        await kept.catalog.set_shares("a", [(ids[0], 30), (ids[1], 30), (ids[2], 40)], actor=ADA)
    assert kept.live() == []


@pytest.mark.parametrize("sticky", ["IP", "header:", "header:a b", "cookie:a;b", "path:x", "header:" + "x" * 65])
async def test_a_stickiness_that_is_none_is_refused(kept: Kept, sticky: str) -> None:
    (one,) = await kept.store("one")
    with pytest.raises(BadRequest, match="sticky"):
        await kept.catalog.set_shares("a", [(one, 100)], actor=ADA, sticky=sticky)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a--b", "a.b", "a" * 33, "a\n", "prod/x"])
async def test_an_environment_that_could_not_be_a_host_is_refused(kept: Kept, name: str) -> None:
    (one,) = await kept.store("one")
    with pytest.raises(BadRequest):
        await kept.catalog.set_shares("a", [(one, 100)], environment=name, actor=ADA)
    with pytest.raises(BadRequest):
        await kept.catalog.deploy("a", build("x"), MANIFEST, environment=name)


async def test_a_version_of_another_worker_or_one_that_is_gone_goes_nowhere(kept: Kept) -> None:
    (mine,) = await kept.deploy("one")
    (others,) = await kept.store("one", worker="b")
    for shares in ([(others, 100)], [(mine, 50), (others, 50)], [("0" * 20, 100)]):
        with pytest.raises(NotFound):
            await kept.catalog.set_shares("a", shares, actor=ADA)
    gone = (await kept.store("two"))[0]
    await kept.catalog.versions.remove(await kept.catalog.versions.get("default", "a", gone), ADA)
    with pytest.raises(NotFound):
        await kept.catalog.roll_back("a", gone, actor=ADA)
    assert kept.live() == [(mine, 100)]


async def test_a_rollback_after_a_rollback_goes_further_back(kept: Kept) -> None:
    one, two, three = await kept.deploy("one", "two", "three")
    await kept.catalog.set_shares("a", [(three, 80), (two, 20)], actor=ADA)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((two, 100),)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((one, 100),)
    with pytest.raises(NotFound, match="no earlier version in production"):
        await kept.catalog.roll_back("a", actor=ADA)
    assert (await kept.catalog.roll_back("a", "v3", actor=ADA)).shares == ((three, 100),)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((one, 100),)
    changes = [entry.change for entry in await kept.catalog.history("a")]
    assert changes == [Change.ROLLED_BACK] * 4 + [Change.SPLIT] + [Change.DEPLOYED] * 3


async def test_a_rollback_of_a_split_goes_to_what_was_live_by_itself(kept: Kept) -> None:
    (one,) = await kept.deploy("one")
    (two,) = await kept.store("two")
    for weight in (1, 5, 25):
        await kept.catalog.set_shares("a", [(one, 100 - weight), (two, weight)], change=Change.CANARY, actor=ADA)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((one, 100),)


async def test_what_was_taken_off_comes_back_by_a_rollback(kept: Kept) -> None:
    _, two = await kept.deploy("one", "two")
    await kept.catalog.remove("a", actor=ADA)
    assert kept.live() == []
    back = await kept.catalog.roll_back("a", actor=ADA)
    assert (back.shares, back.number) == (((two, 100),), 4)  # the number goes on


async def test_a_rollback_passes_over_versions_that_are_gone(kept: Kept) -> None:
    one, two, three = await kept.deploy("one", "two", "three")
    await kept.catalog.versions.remove(await kept.catalog.versions.get("default", "a", two), ADA)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((one, 100),)
    assert three not in dict(kept.live())


async def test_a_promotion_moves_the_same_bytes(kept: Kept) -> None:
    (old,) = await kept.deploy("old")
    (new,) = await kept.deploy("new", environment="staging")
    await kept.catalog.promote("a", source="staging", actor=ADA)
    assert kept.live() == kept.live(environment="staging") == [(new, 100)]
    route = kept.catalog.routes.workers["a"]
    assert route.newest.key != kept.catalog.routes.workers["a@staging"].newest.key  # sandboxes of its own
    with pytest.raises(BadRequest):
        await kept.catalog.promote("a", source="staging", target="staging", actor=ADA)
    for source in ("nowhere", "x" * 100, "A"):
        with pytest.raises(NotFound):
            await kept.catalog.promote("a", source=source, actor=ADA)
    with pytest.raises(NotFound):
        await kept.catalog.promote("b", source="staging", actor=ADA)
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((old, 100),)
    assert [entry.change for entry in await kept.catalog.history("a")][:2] == [Change.ROLLED_BACK, Change.PROMOTED]


Action = Callable[[Kept, int], object]
ACTIONS: dict[str, Action] = {
    "deploy": lambda kept, number: kept.catalog.deploy("a", build("x"), MANIFEST, actor=ADA, expected=number),
    "roll back": lambda kept, number: kept.catalog.roll_back("a", "v1", actor=ADA, expected=number),
    "promote": lambda kept, number: kept.catalog.promote("a", source="staging", actor=ADA, expected=number),
    "remove": lambda kept, number: kept.catalog.remove("a", actor=ADA, expected=number),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_whoever_acts_on_a_state_that_is_gone_is_told_so(kept: Kept, action: str) -> None:
    await kept.deploy("one", "two")
    await kept.deploy("one", environment="staging")
    before = (kept.catalog.routes, await kept.catalog.history("a"), await kept.actions())
    for stale in (0, 1, 3):
        with pytest.raises(DeploymentChanged, match="by ada meanwhile: it is number 2"):
            await ACTIONS[action](kept, stale)  # type: ignore[misc]
    assert (kept.catalog.routes, await kept.catalog.history("a"), await kept.actions()) == before
    await ACTIONS[action](kept, 2)  # type: ignore[misc]
    assert len(await kept.catalog.history("a")) == 3


async def test_of_two_who_change_the_same_state_one_is_told(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    tries = [kept.catalog.set_shares("a", [(each, 100)], actor=ADA, expected=2) for each in (one, two) * 5]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Deployment) for result in results) == 1
    assert sum(isinstance(result, DeploymentChanged) for result in results) == 9


async def test_zero_means_only_if_there_is_none(kept: Kept) -> None:
    await kept.catalog.deploy("a", build("one"), MANIFEST, environment="preview", actor=ADA, expected=0)
    with pytest.raises(DeploymentChanged):
        await kept.catalog.deploy("a", build("two"), MANIFEST, environment="preview", actor=ADA, expected=0)


async def test_a_deploy_ends_a_split_also_with_a_version_of_it(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    await kept.catalog.set_shares("a", [(one, 50), (two, 50)], actor=ADA, sticky="ip")
    await kept.deploy("two")
    assert kept.live() == [(two, 100)]
    assert kept.catalog.routes.workers["a"].sticky == "ip"


async def test_several_workers_go_live_together_or_none_of_them(kept: Kept) -> None:
    (before,) = await kept.deploy("old")
    seen: list[list[str]] = []
    kept.catalog.subscribe(lambda routes: seen.append(sorted(routes.workers)))
    builds = {name: (build(name), MANIFEST) for name in ("a", "b", "c")}
    made = await kept.catalog.deploy_all(builds, actor=ADA, message="all")
    assert seen == [["a", "b", "c"]]
    assert {name: version.id for name, version in made.items()} == {name: kept.live(name)[0][0] for name in "abc"}
    with pytest.raises(DeploymentChanged):  # a and b are at other numbers
        await kept.catalog.deploy_all({**builds, "b": (build("new"), MANIFEST)}, actor=ADA, expected=2)
    with pytest.raises(BadWorkerName):
        await kept.catalog.deploy_all({**builds, "B": (build("new"), MANIFEST)}, actor=ADA)
    assert kept.live("b") == [(made["b"].id, 100)]
    assert len(await kept.catalog.versions.list("default", "b")) == 1
    assert before != made["a"].id


async def test_what_else_is_written_with_a_change_is_written_with_it_or_not_at_all(kept: Kept) -> None:
    (one,) = await kept.deploy("one")
    await kept.database.write(lambda sql: sql.execute("create table notes (number integer)"))

    def note(sql: Transaction, deployment: Deployment) -> None:
        sql.execute("insert into notes values (?)", (deployment.number,))

    def fail(sql: Transaction, deployment: Deployment) -> None:
        note(sql, deployment)
        raise V8BoxError("no")

    await kept.catalog.set_shares("a", [(one, 100)], actor=ADA, also=note)
    with pytest.raises(V8BoxError, match="no"):
        await kept.catalog.set_shares("a", [(one, 100)], actor=ADA, also=fail)
    assert await kept.database.read(lambda sql: sql.rows("select number from notes")) == [(2,)]
    now = await kept.catalog.deployment("a")
    assert now is not None
    assert now.number == 2


async def test_a_worker_is_in_so_many_environments_and_no_more(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENVIRONMENTS", 2)
    await kept.deploy("one")
    await kept.deploy("one", environment="staging")
    with pytest.raises(TooManyEnvironments):
        await kept.deploy("one", environment="preview-1")
    await kept.catalog.remove("a", environment="staging", actor=ADA)
    await kept.deploy("one", environment="preview-1")


async def test_deleting_a_worker_takes_it_off_everywhere_and_its_numbers_go_on(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    await kept.deploy("one", environment="staging")
    await kept.deploy("one", worker="b")
    version = await kept.catalog.versions.get("default", "a", one)
    await kept.catalog.versions.describe(version, ADA, tags=["good"], pinned=True)
    await kept.catalog.delete_worker("a", actor=ADA)
    assert (kept.live(), kept.live(environment="staging"), len(kept.live("b"))) == ([], [], 1)
    assert await kept.catalog.versions.list("default", "a") == []
    with pytest.raises(NotFound):
        await kept.catalog.delete_worker("a", actor=ADA)
    assert [each.worker for each in await kept.catalog.workers("default")] == ["b"]
    await kept.deploy("two")
    now = await kept.catalog.versions.get("default", "a", two)
    deployment = await kept.catalog.deployment("a")
    assert deployment is not None
    assert (now.number, deployment.number) == (3, 4)


async def test_projects_do_not_see_each_other(kept: Kept) -> None:
    (mine,) = await kept.deploy("one")
    theirs = await kept.catalog.deploy("a", build("one"), MANIFEST, project="acme", actor=ADA)
    assert theirs.id != mine
    assert theirs.number == 1
    with pytest.raises(NotFound):
        await kept.catalog.set_shares("a", [(mine, 100)], project="acme", actor=ADA)
    await kept.catalog.delete_worker("a", project="acme", actor=ADA)
    assert kept.live() == [(mine, 100)]
    assert "acme:a" not in kept.catalog.routes.workers


async def test_history_goes_page_by_page_and_is_bounded(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    for index in range(1, 1_010):
        weight = 1 + index % 98
        await kept.catalog.set_shares("a", [(one, weight), (two, 100 - weight)], actor=ADA)
    whole = await kept.catalog.history("a", limit=5_000)
    assert len(whole) == 1_000
    assert [entry.number for entry in whole] == list(range(1_011, 11, -1))
    page = await kept.catalog.history("a", limit=2, before=whole[1].id)
    assert page == whole[2:4]


async def test_all_of_it_is_in_the_audit_log_and_its_chain_is_whole(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    await kept.catalog.set_shares("a", [(one, 50), (two, 50)], actor=ADA, message="half")
    await kept.catalog.roll_back("a", actor=ADA)
    await kept.catalog.remove("a", actor=ADA)
    await kept.catalog.delete_worker("a", actor=ADA)
    assert await kept.actions() == [
        "deployment.deployed",
        "deployment.deployed",
        "deployment.split",
        "deployment.rolled_back",
        "deployment.removed",
        "worker.delete",
    ]
    assert (await audit_chain.verify(kept.database)).first_bad is None


async def test_a_lost_bundle_of_a_split_leaves_the_other_version_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept_in(tmp_path) as kept:
        one, two = await kept.deploy("one", "two")
        await kept.catalog.set_shares("a", [(one, 70), (two, 30)], actor=ADA)
        lost = await kept.catalog.versions.get("default", "a", two)
        await kept.blobs.delete(lost.bundle_hash)
    async with kept_in(tmp_path) as kept:
        assert kept.live() == [(one, 100)]
        assert f"the bundle of version {two} is lost" in caplog.text
        with pytest.raises(NotFound, match="v2 is lost"):
            await kept.catalog.set_shares("a", [(one, 70), (two, 30)], actor=ADA)
        await kept.deploy("one")  # it says 100 for good now
        deployment = await kept.catalog.deployment("a")
        assert deployment is not None
        assert deployment.shares == ((one, 100),)


async def test_variables_that_change_place_again_what_they_are_for(tmp_path: Path) -> None:
    revisions = {"staging": 1}
    async with kept_in(tmp_path) as kept:
        catalog = await type(kept.catalog).open(
            kept.database, kept.blobs, revision=lambda project, environment, worker: revisions.get(environment, 0)
        )
        kept.catalog = catalog
        await kept.deploy("one")
        await kept.deploy("one", environment="staging")
        before = catalog.routes
        await catalog.refresh_variables()
        assert catalog.routes is before
        revisions["staging"] = 2
        await catalog.refresh_variables()
        assert catalog.routes.workers["a"] is before.workers["a"]
        now, earlier = catalog.routes.workers["a@staging"].newest, before.workers["a@staging"].newest
        assert (now.id, now.revision, earlier.revision) == (earlier.id, 2, 1)
        assert now.key != earlier.key
        assert catalog.routes.generation == before.generation + 1


async def test_changes_of_all_workers_in_a_stretch_of_time(kept: Kept) -> None:
    await kept.deploy("one", "two")
    await kept.deploy("three", worker="b", environment="staging")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    async def changes(since: datetime, until: datetime, **more: Any) -> list[tuple[str, str, int | None]]:
        found = await kept.catalog.changes("default", since, until, **more)
        return [(each.worker, each.environment, each.version_number) for each in found]

    assert await changes(now - hour, now + hour) == [
        ("b", "staging", 1),
        ("a", "production", 2),
        ("a", "production", 1),
    ]
    assert await changes(now - hour, now + hour, worker="a", limit=1) == [("a", "production", 2)]
    assert await changes(now - hour, now + hour, environment="staging") == [("b", "staging", 1)]
    assert await changes(now - hour, now + hour, worker="b", environment="production") == []
    assert await changes(now + hour, now + 2 * hour) == []
    assert await changes(now - 2 * hour, now - hour) == []
    zone = timezone(timedelta(hours=5))
    assert len(await changes((now - hour).astimezone(zone), (now + hour).astimezone(zone))) == 3
