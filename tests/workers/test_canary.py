"""Canaries: they grow while all is well, go back by themselves when it is not, and leave alone what people change."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import ADA, Kept
from tests.workers.conftest import As, Clock, developer

from v8box.api.access import Role
from v8box.catalog import Change
from v8box.features.workers.canary import Canaries, NoCanary
from v8box.features.workers.canary_model import Guards, State
from v8box.telemetry import audit
from v8box.telemetry.rates import Rates

PLACE: Any = {"project": "default", "environment": "production"}
ADDRESS = "a/deployments/production/canary"


class Trial:
    """A worker with two versions, and requests that are as the test says."""

    def __init__(self, kept: Kept, rates: Rates, clock: Clock, canaries: Canaries) -> None:
        self.kept = kept
        self.rates = rates
        self.clock = clock
        self.canaries = canaries
        self.old = self.new = ""

    async def prepare(self) -> None:
        (self.old,) = await self.kept.deploy("old")
        (self.new,) = await self.kept.store("new")

    async def start(self, **options: Any) -> None:
        await self.canaries.start("a", self.new, **PLACE, actor=ADA, interval_seconds=60, **options)

    def requests(self, version: str, count: int, *, failed: int = 0, ms: float = 5) -> None:
        for share in self.kept.catalog.routes.workers["a"].shares:
            if share.placement.id == version:
                for number in range(count):
                    self.rates.record(share.placement.key, ms, failed=number < failed)

    async def pass_(self, seconds: float) -> None:
        self.clock.now += seconds
        await self.canaries.tick()

    @property
    def weights(self) -> dict[str, int]:
        names = {self.old: "old", self.new: "new"}
        return {names[id_]: weight for id_, weight in self.kept.live()}

    async def state(self) -> tuple[State, str]:
        canary = await self.canaries.get("a", **PLACE)
        return canary.state, canary.reason


@pytest.fixture
async def trial(kept: Kept, rates: Rates, clock: Clock, canaries: Canaries) -> Trial:
    made = Trial(kept, rates, clock, canaries)
    await made.prepare()
    return made


async def test_while_all_is_well_it_grows_to_the_end(trial: Trial) -> None:
    await trial.start(steps=[1, 50])
    assert trial.weights == {"old": 99, "new": 1}
    for wanted in ({"old": 50, "new": 50}, {"new": 100}):
        trial.requests(trial.new, 30, failed=1)
        await trial.pass_(59)
        assert trial.weights != wanted
        await trial.pass_(2)
        assert trial.weights == wanted
    trial.requests(trial.new, 30)
    await trial.pass_(61)
    assert await trial.state() == (State.SUCCEEDED, "")
    entries = await trial.kept.catalog.history("a")
    assert [(each.change, each.by) for each in entries[:3]] == [
        (Change.CANARY, "canary"),
        (Change.CANARY, "canary"),
        (Change.CANARY, "ada"),
    ]
    assert entries[0].message == "canary of v2: 100 %"
    await trial.pass_(1_000)
    assert trial.weights == {"new": 100}


async def test_too_many_errors_and_the_old_version_has_all_again(trial: Trial) -> None:
    await trial.start()
    trial.requests(trial.old, 500)
    trial.requests(trial.new, 19, failed=19)
    await trial.pass_(1)
    assert trial.weights == {"old": 99, "new": 1}  # too few to judge
    trial.requests(trial.new, 21)
    await trial.pass_(1)
    assert trial.weights == {"old": 100}
    state, reason = await trial.state()
    assert state is State.ROLLED_BACK
    assert "error rate 47.5% of 40 requests is above 5.0%" in reason
    newest = (await trial.kept.catalog.history("a"))[0]
    assert (newest.change, newest.by, newest.message) == (Change.ROLLED_BACK, "canary", reason)
    rows = await trial.kept.database.read(lambda sql: sql.rows("select * from audit order by number desc limit 1"))
    event = audit.read(rows[0]).event
    assert (event.action, event.actor.id, event.after["message"]) == ("deployment.rolled_back", "canary", reason)


@pytest.mark.parametrize(
    ("guards", "old", "new", "breached"),
    [
        (Guards(max_p95_ms=100), {}, {"ms": 140}, "p95 1"),
        (Guards(max_p95_ms=100), {}, {"ms": 60}, None),
        (Guards(max_p95_ratio=2), {"ms": 40}, {"ms": 400}, "times the old version's"),
        (Guards(max_p95_ratio=2), {"ms": 40}, {"ms": 45}, None),
        (Guards(max_error_rate=None, max_error_rate_increase=0.1), {"failed": 30}, {"failed": 35}, None),
        (
            Guards(max_error_rate=None, max_error_rate_increase=0.1),
            {"failed": 5},
            {"failed": 35},
            "above the old version's",
        ),
        (Guards(max_error_rate=None), {}, {"failed": 100}, None),
        (Guards(max_error_rate=0), {}, {"failed": 1}, "error rate 1.0%"),
    ],
)
async def test_each_guard_watches_its_figure(
    trial: Trial, guards: Guards, old: dict[str, Any], new: dict[str, Any], breached: str | None
) -> None:
    await trial.start(guards=guards)
    trial.requests(trial.old, 100, **old)
    trial.requests(trial.new, 100, **new)
    await trial.pass_(1)
    state, reason = await trial.state()
    assert (state is State.ROLLED_BACK) is (breached is not None), reason
    assert (breached or "") in reason


async def test_whoever_listens_hears_of_the_end_once(trial: Trial) -> None:
    heard: list[tuple[State, str]] = []
    trial.canaries.on_end(lambda canary: heard.append((canary.state, canary.reason)))
    await trial.start()
    trial.requests(trial.new, 30, failed=30)
    for _ in range(3):
        await trial.pass_(5)
    ((state, reason),) = heard
    assert (state, await trial.state()) == (State.ROLLED_BACK, (state, reason))
    await trial.start(steps=[100])
    trial.requests(trial.new, 30)
    await trial.pass_(61)
    assert heard[1:] == [(State.SUCCEEDED, "")]


async def test_without_requests_it_waits(trial: Trial) -> None:
    await trial.start()
    await trial.pass_(10_000)
    assert trial.weights == {"old": 99, "new": 1}
    for _ in range(4):
        trial.requests(trial.new, 5)
        await trial.pass_(120)
    assert trial.weights == {"old": 95, "new": 5}  # they count over the whole step


async def test_a_pause_stays_but_still_watches(trial: Trial) -> None:
    await trial.start()
    await trial.canaries.pause("a", **PLACE, actor=ADA)
    trial.requests(trial.new, 100)
    await trial.pass_(1_000)
    assert trial.weights == {"old": 99, "new": 1}
    await trial.canaries.resume("a", **PLACE, actor=ADA)
    trial.requests(trial.new, 100)
    await trial.pass_(61)
    assert trial.weights == {"old": 95, "new": 5}
    await trial.canaries.pause("a", **PLACE, actor=ADA)
    trial.requests(trial.new, 100, failed=100)
    await trial.pass_(1)
    assert trial.weights == {"old": 100}
    assert "canary.pause" in await trial.kept.actions()


async def test_an_abort_goes_back(trial: Trial) -> None:
    await trial.start()
    await trial.canaries.abort("a", **PLACE, actor=ADA)
    assert trial.weights == {"old": 100}
    assert await trial.state() == (State.ABORTED, "canary of v2 aborted by ada")
    with pytest.raises(NoCanary):
        await trial.canaries.abort("a", **PLACE, actor=ADA)
    await trial.start()
    assert trial.weights == {"old": 99, "new": 1}


async def test_what_a_person_makes_of_the_deployment_stays(trial: Trial) -> None:
    await trial.start()
    await trial.kept.catalog.set_shares("a", [(trial.old, 70), (trial.new, 30)], actor=ADA)
    trial.requests(trial.new, 100, failed=100)
    await trial.pass_(100)
    assert trial.weights == {"old": 70, "new": 30}
    assert (await trial.state())[0] is State.SUPERSEDED
    await trial.kept.catalog.roll_back("a", actor=ADA)
    await trial.start()
    await trial.kept.catalog.remove("a", actor=ADA)
    await trial.pass_(1)
    assert (await trial.state())[0] is State.SUPERSEDED
    assert trial.kept.live() == []


async def test_other_workers_deploys_do_not_end_it(trial: Trial) -> None:
    await trial.start()
    await trial.kept.deploy("x", worker="b")
    await trial.kept.deploy("x", environment="staging")
    trial.requests(trial.new, 100)
    await trial.pass_(61)
    assert trial.weights == {"old": 95, "new": 5}


async def test_after_a_restart_it_goes_on_and_still_goes_back(trial: Trial) -> None:
    await trial.start(steps=[10, 50])
    trial.requests(trial.new, 100)
    await trial.pass_(61)
    assert trial.weights == {"old": 50, "new": 50}
    trial.canaries = await Canaries.open(trial.kept.database, trial.kept.catalog, trial.rates, trial.clock)
    await trial.pass_(61)
    assert trial.weights == {"old": 50, "new": 50}  # the step is counted anew
    trial.requests(trial.new, 100, failed=50)
    await trial.pass_(1)
    assert trial.weights == {"old": 100}
    assert (await trial.state())[0] is State.ROLLED_BACK


async def test_after_a_restart_it_sees_that_somebody_changed_the_deployment(trial: Trial) -> None:
    await trial.start()
    await trial.kept.catalog.roll_back("a", actor=ADA)
    trial.canaries = await Canaries.open(trial.kept.database, trial.kept.catalog, trial.rates, trial.clock)
    await trial.pass_(1)
    assert (await trial.state())[0] is State.SUPERSEDED
    assert trial.weights == {"old": 100}


async def test_a_step_and_its_state_are_written_together(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    from v8box.features.workers import canary as module

    await trial.start()
    before = await trial.canaries.get("a", **PLACE)

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "_keep", fail)
    trial.requests(trial.new, 100)
    await trial.pass_(61)
    monkeypatch.undo()
    assert trial.weights == {"old": 99, "new": 1}
    assert await trial.canaries.get("a", **PLACE) == before
    await trial.pass_(1)
    assert trial.weights == {"old": 95, "new": 5}


# ---- over HTTP


async def test_over_http(client: httpx.AsyncClient, trial: Trial, app: As) -> None:
    developer(app)
    problem(await client.get(ADDRESS), 404, "no_canary")
    problem(await client.delete(ADDRESS), 404, "no_canary")
    body = {"version": "v2", "steps": [10, 50], "interval_seconds": 30, "guards": {"max_p95_ms": 500}}
    stale = await client.post(ADDRESS, json=body, headers={"if-match": '"7"'})
    problem(stale, 412, "precondition_failed")
    made = await client.post(ADDRESS, json=body, headers={"if-match": '"1"'})
    assert made.status_code == 201
    assert made.headers["location"].endswith(ADDRESS)
    shown = made.json()
    assert (shown["state"], shown["weight"], shown["steps"], shown["started_by"]) == (
        "running",
        10,
        [10, 50, 100],
        "dev",
    )
    assert (shown["guards"]["max_error_rate"], shown["guards"]["max_p95_ms"]) == (0.05, 500)
    problem(await client.post(ADDRESS, json=body), 409, "canary_not_possible")
    trial.requests(trial.new, 40, failed=1, ms=10)
    await trial.pass_(1)
    new = (await client.get(ADDRESS)).json()["new"]
    assert (new["number"], new["requests"], new["errors"], new["error_rate"]) == (2, 40, 1, 0.025)
    assert (await client.post(f"{ADDRESS}/pause")).json()["state"] == "paused"
    assert (await client.post(f"{ADDRESS}/resume")).json()["state"] == "running"
    assert (await client.delete(ADDRESS)).json()["state"] == "aborted"
    assert trial.weights == {"old": 100}
    developer(app, Role.VIEWER)
    assert (await client.get(ADDRESS)).status_code == 200
    problem(await client.post(ADDRESS, json=body), 403, "forbidden")
    problem(await client.delete(ADDRESS), 403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": "2", "steps": []},
        {"version": "2", "steps": [0, 100]},
        {"version": "2", "steps": [50, 10]},
        {"version": "2", "steps": [10, 10]},
        {"version": "2", "steps": [10, 101]},
        {"version": "2", "interval_seconds": 0},
        {"version": "2", "guards": {"max_error_rate": 2}},
        {"version": "2", "guards": {"max_latency": 2}},
        {"version": "1"},
    ],
)
async def test_a_canary_that_makes_no_sense_is_refused(client: httpx.AsyncClient, trial: Trial, body: Any) -> None:
    problem(await client.post(ADDRESS, json=body), 400, "bad_request")
    assert trial.weights == {"old": 100}


async def test_where_nothing_is_live_or_no_such_version_there_is_no_canary(
    client: httpx.AsyncClient, trial: Trial
) -> None:
    problem(await client.post("a/deployments/staging/canary", json={"version": "2"}), 404, "not_found")
    problem(await client.post(ADDRESS, json={"version": "9"}), 404, "not_found")
    await trial.kept.catalog.set_shares("a", [(trial.old, 70), (trial.new, 30)], actor=ADA)
    problem(await client.post(ADDRESS, json={"version": "2"}), 409, "canary_not_possible")
