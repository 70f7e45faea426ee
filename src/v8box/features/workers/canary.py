"""Canaries: the new version gets more of the requests step by step, and none when it does worse than it may.

A step is a change of the deployment that is written together with the canary's own state, so that a restart finds both
or neither. Whoever changes the deployment by hand meanwhile ends the canary, and what they made stays.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import msgspec

from v8box.catalog import Catalog, Change, Deployment, Version
from v8box.catalog.deployments import DeploymentChanged
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.workers.canary_model import DEFAULT_STEPS, UNDER_WAY, Canary, Guards, State
from v8box.kit.tasks import to_its_end
from v8box.storage import Database, Transaction, load_migrations, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import CANARY, Actor
from v8box.telemetry.rates import SECONDS, Rates, Window

TICK_SECONDS: Final = 1.0
MAX_STEPS: Final = 20
MAX_UNDER_WAY: Final = 200
DEFAULT_GUARDS: Final = Guards()
_KEEP_SECONDS: Final = 30 * 86_400.0
_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.features.workers")


class CanaryNotPossible(V8BoxError):
    """A canary begins where one version has all requests. Finish the split, or the canary that is under way, first."""

    status = 409
    code = "canary_not_possible"


class NoCanary(NotFound):
    """There is no canary under way here."""

    code = "no_canary"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a canary is to go."""

    steps: tuple[int, ...]
    interval_seconds: float
    guards: Guards


@dataclass(slots=True)
class _Watch:
    """A canary under way, with what is counted of its step. A restart counts the step anew."""

    canary: Canary
    since: float
    requests: int = 0
    counted: tuple[str, int] = ("", 0)
    """The placement of the new version, and how many of its requests are counted already."""
    generation: int = -1
    """The snapshot at which the deployment was last found to be ours."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The last minute of both versions, and the requests that the new one had in this step."""

    old: Window
    new: Window
    step_requests: int = field(default=0)


class Canaries:
    """All canaries. `open` them, and let `run` go on until the box stops."""

    def __init__(
        self, database: Database, catalog: Catalog, rates: Rates, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._rates = rates
        self._clock = clock
        self._watched: dict[tuple[str, str, str], _Watch] = {}
        self._changing = asyncio.Lock()
        self._on_end: tuple[Callable[[Canary], None], ...] = ()

    def on_end(self, listener: Callable[[Canary], None]) -> None:
        """From now on `listener` hears of each canary that has ended, once that is written down."""
        self._on_end = (*self._on_end, listener)

    @classmethod
    async def open(
        cls, database: Database, catalog: Catalog, rates: Rates, clock: Callable[[], float] = time.time
    ) -> Canaries:
        """Those under way when the box stopped go on, at the beginning of their step."""
        await database.migrate("workers", load_migrations("v8box.features.workers"))
        canaries = cls(database, catalog, rates, clock)
        now = clock()

        def read(sql: Transaction) -> list[Canary]:
            sql.execute(_queries["forget_canaries"], {"before": now - _KEEP_SECONDS})
            return [msgspec.json.decode(str(row[0]), type=Canary) for row in sql.rows(_queries["canaries_under_way"])]

        for canary in await database.write(read):
            canaries._watched[canary.key] = canaries._begin(canary, now)
        return canaries

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """Looks at each canary once."""
        for watch in tuple(self._watched.values()):
            async with self._changing:
                if self._watched.get(watch.canary.key) is not watch:
                    continue
                try:
                    await self._look(watch)
                except Exception:
                    _log.exception("the canary of %s could not be looked at", watch.canary.worker)

    # ---- what people do

    async def start(
        self,
        worker: str,
        reference: str,
        *,
        project: str,
        environment: str,
        actor: Actor,
        steps: Sequence[int] = DEFAULT_STEPS,
        interval_seconds: float = 60.0,
        guards: Guards = DEFAULT_GUARDS,
        expected: int | None = None,
    ) -> Canary:
        """Gives the version its first share. Raises `CanaryNotPossible`, `NotFound`, `BadRequest`."""
        plan = _Plan(check_steps(steps), interval_seconds, guards)
        new = await self._catalog.versions.find(project, worker, reference)
        return await to_its_end(self._start(new, environment, plan, actor, expected))

    async def _start(self, new: Version, environment: str, plan: _Plan, actor: Actor, expected: int | None) -> Canary:
        project, worker = new.project, new.worker
        async with self._changing:
            deployment = await self._catalog.deployment(worker, project=project, environment=environment)
            if deployment is None:
                raise NotFound(f"{worker} is not live in {environment}: deploy a first version there")
            if len(deployment.shares) != 1 or (project, worker, environment) in self._watched:
                raise CanaryNotPossible
            if len(self._watched) >= MAX_UNDER_WAY:
                raise CanaryNotPossible(f"There are {MAX_UNDER_WAY} canaries under way: wait until some have ended")
            ((old, _),), (old_number,) = deployment.shares, deployment.versions
            if new.id == old:
                raise BadRequest(f"v{new.number} has all requests in {environment} already")
            now = self._clock()
            canary = Canary(
                project=project,
                worker=worker,
                environment=environment,
                old=old,
                new=new.id,
                old_number=old_number,
                new_number=new.number,
                steps=plan.steps,
                interval_seconds=plan.interval_seconds,
                guards=plan.guards,
                started_at=now,
                started_by=actor.name,
                stepped_at=now,
            )
            number = deployment.number if expected is None else expected
            message = f"canary of v{new.number}: {canary.weight} %"
            await self._move(_Watch(canary, now), canary.weight, Change.CANARY, actor, message, expected=number)
            return self._watched[canary.key].canary

    async def get(self, worker: str, *, project: str, environment: str) -> Canary:
        """The one under way, or the last there was. Raises `NoCanary`."""
        key = {"project": project, "worker": worker, "environment": environment}
        row = await self._database.read(lambda sql: sql.row(_queries["canary"], key))
        if row is None:
            raise NoCanary("There was no canary here yet.")
        return msgspec.json.decode(str(row[0]), type=Canary)

    def figures(self, canary: Canary) -> Figures:
        """How both versions do."""
        watch = self._watched.get(canary.key)
        requests = 0 if watch is None else watch.requests
        return Figures(self._window(canary, canary.old, SECONDS), self._window(canary, canary.new, SECONDS), requests)

    async def pause(self, worker: str, *, project: str, environment: str, actor: Actor) -> Canary:
        """It stays where it is; the guards still watch."""
        return await to_its_end(self._note(worker, project, environment, actor, State.PAUSED))

    async def resume(self, worker: str, *, project: str, environment: str, actor: Actor) -> Canary:
        """It goes on, at the beginning of its step."""
        return await to_its_end(self._note(worker, project, environment, actor, State.RUNNING))

    async def abort(self, worker: str, *, project: str, environment: str, actor: Actor) -> Canary:
        """The old version gets all requests back. Raises `NoCanary`."""
        return await to_its_end(self._abort(worker, project, environment, actor))

    async def _abort(self, worker: str, project: str, environment: str, actor: Actor) -> Canary:
        async with self._changing:
            watch = self._under_way(worker, project, environment)
            reason = f"canary of v{watch.canary.new_number} aborted by {actor.name}"
            await self._move(watch, 0, Change.ROLLED_BACK, actor, reason, state=State.ABORTED)
        return await self.get(worker, project=project, environment=environment)

    async def _note(self, worker: str, project: str, environment: str, actor: Actor, state: State) -> Canary:
        async with self._changing:
            watch = self._under_way(worker, project, environment)
            before = watch.canary
            if before.state is state:
                return before
            canary = msgspec.structs.replace(before, state=state, stepped_at=self._clock())
            event = audit.Event(
                action=f"canary.{'pause' if state is State.PAUSED else 'resume'}",
                resource=f"worker/{worker}/deployment/{environment}",
                project=project,
                actor=actor,
                before={"state": before.state},
                after={"state": state, "weight": canary.weight},
            )

            def write(sql: Transaction) -> None:
                _keep(sql, canary)
                audit.append(sql, event)

            await self._database.write(write)
            self._watched[canary.key] = self._begin(canary, self._clock())
            return canary

    def _under_way(self, worker: str, project: str, environment: str) -> _Watch:
        watch = self._watched.get((project, worker, environment))
        if watch is None:
            raise NoCanary
        return watch

    # ---- what happens by itself

    async def _look(self, watch: _Watch) -> None:
        canary = watch.canary
        if not await self._is_ours(watch):
            await self._end(watch, State.SUPERSEDED, "the deployment was changed meanwhile")
            return
        self._count(watch)
        elapsed = self._clock() - watch.since
        seconds = min(elapsed + 1, SECONDS)  # the second in which the step began is a part of it
        breach = canary.guards.breach(
            self._window(canary, canary.new, seconds), self._window(canary, canary.old, seconds)
        )
        if breach is not None:
            reason = f"canary of v{canary.new_number} at {canary.weight} %: {breach}"
            await self._move(watch, 0, Change.ROLLED_BACK, CANARY, reason, state=State.ROLLED_BACK)
            return
        ready = elapsed >= canary.interval_seconds and watch.requests >= canary.guards.min_requests
        if canary.state is not State.RUNNING or not ready:
            return
        if canary.is_last_step:
            await self._end(watch, State.SUCCEEDED, "")
            return
        weight = canary.steps[canary.step + 1]
        message = f"canary of v{canary.new_number}: {weight} %"
        await self._move(watch, weight, Change.CANARY, CANARY, message, step=canary.step + 1)

    async def _is_ours(self, watch: _Watch) -> bool:
        """Whether the deployment is as the last step left it. Asked only when something has changed somewhere."""
        canary, generation = watch.canary, self._catalog.routes.generation
        if watch.generation != generation:
            found = await self._catalog.deployment(
                canary.worker, project=canary.project, environment=canary.environment
            )
            if found is None or found.number != canary.number:
                return False
            watch.generation = generation
        return True

    def _count(self, watch: _Watch) -> None:
        """The requests of this step. A changed variable makes a new placement, which counts from zero."""
        key = self._placement(watch.canary, watch.canary.new)
        total = self._rates.total(key)
        known, counted = watch.counted
        watch.requests += max(0, total - counted) if known == key else total
        watch.counted = (key, total)

    def _placement(self, canary: Canary, version: str) -> str:
        for route in self._catalog.routes.workers.values():
            if (route.project, route.worker, route.environment) == canary.key and not route.held:
                return next((each.placement.key for each in route.shares if each.placement.id == version), "")
        return ""

    def _window(self, canary: Canary, version: str, seconds: float) -> Window:
        return self._rates.window(self._placement(canary, version), seconds)

    async def _move(
        self,
        watch: _Watch,
        weight: int,
        change: Change,
        actor: Actor,
        message: str,
        *,
        state: State | None = None,
        step: int | None = None,
        expected: int | None = None,
    ) -> None:
        """A change of the deployment with the canary's state beside it. Going on, unless the deployment is no longer
        ours."""
        before, now = watch.canary, self._clock()
        ended = state is not None and state not in UNDER_WAY
        canary = msgspec.structs.replace(
            before,
            state=before.state if state is None else state,
            step=before.step if step is None else step,
            reason=message if ended else "",
            stepped_at=now,
            ended_at=now if ended else None,
        )
        kept: list[Canary] = []

        def also(sql: Transaction, deployment: Deployment) -> None:
            kept.append(msgspec.structs.replace(canary, number=deployment.number))
            _keep(sql, kept[-1])

        try:
            await self._catalog.set_shares(
                before.worker,
                before.shares(weight),
                project=before.project,
                environment=before.environment,
                change=change,
                actor=actor,
                message=message[:500],
                expected=before.number if expected is None else expected,
                also=also,
            )
        except DeploymentChanged as error:
            if before.number == 0:
                raise  # it has not begun
            await self._end(watch, State.SUPERSEDED, error.detail)
        except NotFound as error:
            if before.number == 0:
                raise
            await self._end(watch, State.FAILED, error.detail)
        else:
            if ended:
                self._watched.pop(before.key, None)
            else:
                self._watched[before.key] = self._begin(kept[-1], now)
        if ended:
            _log.warning("%s in %s: %s", before.worker, before.environment, message)
        if ended and kept:
            self._tell(kept[-1])

    def _begin(self, canary: Canary, now: float) -> _Watch:
        key = self._placement(canary, canary.new)
        return _Watch(canary, now, counted=(key, self._rates.total(key)))

    async def _end(self, watch: _Watch, state: State, reason: str) -> None:
        canary = msgspec.structs.replace(watch.canary, state=state, reason=reason, ended_at=self._clock())
        await self._database.write(lambda sql: _keep(sql, canary))
        self._watched.pop(canary.key, None)
        _log.info("the canary of %s in %s has ended: %s", canary.worker, canary.environment, state)
        self._tell(canary)

    def _tell(self, canary: Canary) -> None:
        for listener in self._on_end:
            listener(canary)


def check_steps(steps: Sequence[int]) -> tuple[int, ...]:
    """Growing per cents, a hundred at the end. Raises `BadRequest`."""
    planned = tuple(steps) if steps and steps[-1] == 100 else (*steps, 100)
    growing = all(low < high for low, high in pairwise(planned))
    if len(planned) > MAX_STEPS or not growing or not 1 <= planned[0]:
        raise BadRequest(f"The steps of a canary are up to {MAX_STEPS} whole per cents that grow from 1 to 100")
    return planned


def _keep(sql: Transaction, canary: Canary) -> None:
    values: dict[str, Any] = {
        "project": canary.project,
        "worker": canary.worker,
        "environment": canary.environment,
        "state": canary.state.value,
        "body": msgspec.json.encode(canary).decode(),
        "ended_at": canary.ended_at,
    }
    sql.execute(_queries["keep_canary"], values)
