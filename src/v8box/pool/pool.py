"""Who gets a sandbox and when it dies: groups per version, blanks, eviction, limits, draining.

The gateway asks `try_run` (never waits) and then `queue_run`. The catalog's snapshot says what is live: `follow`
compares and drains what is not, so a missed change heals at the next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from v8box.catalog.model import Placement, RouteTable
from v8box.errors import MissingVariables, NoCapacity, StopReason
from v8box.kit.tasks import TaskSet
from v8box.pool.blanks import Blanks
from v8box.pool.group import Group, GroupState, NoProcess, Profiled, guard
from v8box.sandbox.heap import Write
from v8box.sandbox.interface import (
    Death,
    Invocation,
    MemoryState,
    Profile,
    Sandbox,
    SandboxFactory,
    SandboxState,
    StartupFailed,
)
from v8box.sandbox.limits import TICK_SECONDS
from v8box.sandbox.run import Run
from v8box.settings import Sandboxes

TIDY_SECONDS: Final = 1.0

LoadBundle = Callable[[Placement], Awaitable[bytes]]
LoadVariables = Callable[[Placement], Awaitable[Mapping[str, str]]]
"""The variables and secrets of a placement, over those of the manifest. Raises `V8BoxError`."""


async def no_variables(_: Placement) -> Mapping[str, str]:
    """`LoadVariables` where there are none."""
    return {}


@dataclass(frozen=True, slots=True)
class Process:
    """A process that has a worker."""

    placement: Placement
    state: str
    age_seconds: float
    memory: MemoryState


class Pool:
    """All sandboxes of this node. `on_failure` hears of a task that ended though the pool cannot do without it."""

    def __init__(
        self,
        factory: SandboxFactory,
        load_bundle: LoadBundle,
        settings: Sandboxes,
        *,
        load_variables: LoadVariables = no_variables,
        on_failure: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self.settings = settings
        self._factory = factory
        self._load_bundle = load_bundle
        self._load_variables = load_variables
        self._blanks = Blanks(factory, min(settings.blanks, settings.max_sandboxes), self._has_room, self.freed)
        self._groups: dict[str, Group] = {}
        self._starting = 0
        self._loading: set[Sandbox] = set()
        self._tasks = TaskSet(on_failure)
        self.stopping = False

    # ---- life

    def start(self) -> None:
        self._tasks.forever(self._blanks.run(), "blanks")
        self._tasks.forever(self._tick(), "limits")
        self._tasks.forever(self._tidy(), "tidy")

    async def stop(self, drain_seconds: float) -> None:
        """Lets running requests finish for `drain_seconds`, then kills what is left."""
        self.stopping = True
        self._blanks.stop()
        sandboxes = [sandbox for group in self._groups.values() for sandbox in group.sandboxes]
        for group in self._groups.values():
            group.stop()
        if sandboxes:
            await asyncio.wait([sandbox.stopped for sandbox in sandboxes], timeout=drain_seconds)
        await self._tasks.cancel()  # with them go the sandboxes that are still being started
        for sandbox in sandboxes:
            sandbox.kill(Death(reason=StopReason.SHUTDOWN, detail="the box is stopping"))

    def spawn_task(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(coroutine, name)

    # ---- leases

    def try_run(self, placement: Placement, invocation: Invocation) -> Run | None:
        """Starts the run now, or says that it must wait."""
        group = self._groups.get(placement.key)
        return None if group is None else group.try_run(invocation)

    async def queue_run(self, placement: Placement, invocation: Invocation) -> Run:
        """Starts the run as soon as a sandbox has room. Raises `NoCapacity`, `StartupFailed`."""
        if self.stopping:
            raise NoCapacity("The box is stopping.")
        return await self._group(placement).queue_run(invocation)

    def holders(self, placement: Placement) -> Iterator[str]:
        """The ids of the runs that take up the places of a version: when one ends, another may begin."""
        group = self._groups.get(placement.key)
        for sandbox in group.sandboxes if group is not None else ():
            if sandbox.state is SandboxState.READY and not sandbox.retiring:
                for run in sandbox.runs.values():
                    yield run.id

    def shape(self, placement: Placement) -> str:
        """The handler shape of a version that has been loaded: "handler", "module" or "" when not known yet."""
        group = self._groups.get(placement.key)
        return group.sandboxes[0].shape if group and group.sandboxes else ""

    async def profile(self, placement: Placement, seconds: float, ticks_us: int) -> Profiled:
        """Starts a process of this version that says where its code is, and gives it the runs that come in. Raises
        `AlreadyProfiled`, `NoCapacity`, `StartupFailed`."""
        if self.stopping:
            raise NoCapacity("The box is stopping.")
        return await self._group(placement).profile_for(seconds, ticks_us)

    async def heap_snapshot(self, placement: Placement, write: Write) -> int:
        """Gives a snapshot of the heap of a live process to `write`, and how long it was. Raises `NoProcess`,
        `SnapshotFailed`."""
        group = self._groups.get(placement.key)
        if group is None:
            raise NoProcess
        return await group.heap_snapshot(write)

    def _group(self, placement: Placement) -> Group:
        group = self._groups.get(placement.key)
        if group is None:
            group = self._groups[placement.key] = Group(self, placement)
        return group

    async def loaded_sandbox(self, group: Group, profile: Profile) -> Sandbox:
        """For `Group`: a sandbox with its version loaded, from a blank if one fits."""
        placement = group.placement
        variables = await self._load_variables(placement)
        _check_variables(placement, variables)
        sandbox = self._blanks.take(profile)
        if sandbox is None:
            self._make_room()
        self._starting += 1
        try:
            if sandbox is None:
                sandbox = await self._factory.start_sandbox(profile)
            code = await self._load_bundle(placement)
            self._loading.add(sandbox)
            await sandbox.load(placement, _load_head(placement, variables, code), code)
            if self.stopping:
                raise NoCapacity("The box is stopping.")
            if sandbox.stopped.done() or sandbox.state is not SandboxState.READY:
                death = sandbox.stopped.result() if sandbox.stopped.done() else None
                raise StartupFailed(death.detail if death else "the sandbox died as it became ready", None, death)
        except BaseException as error:
            if sandbox is not None:
                given_up = self.stopping or not isinstance(error, Exception)
                reason = StopReason.SHUTDOWN if given_up else StopReason.STARTUP
                sandbox.kill(Death(reason=reason, detail="the start was given up" if given_up else "its start failed"))
            raise
        finally:
            self._starting -= 1
            if sandbox is not None:
                self._loading.discard(sandbox)
        return sandbox

    @property
    def count(self) -> int:
        """Sandboxes that take a place: all but the dead, those being started included."""
        loaded = sum(
            1
            for group in self._groups.values()
            for sandbox in group.sandboxes
            if sandbox.state is not SandboxState.DEAD
        )
        return loaded + self._blanks.alive + self._starting

    @property
    def fault(self) -> str:
        """Why the last blank sandbox did not start; empty: it did, or there are none."""
        return self._blanks.fault

    def _has_room(self) -> bool:
        return self.count < self.settings.max_sandboxes

    def _make_room(self) -> None:
        """If the box is full, the sandbox that has been idle for longest goes, else a blank (there is none of the
        profile that is asked for). Raises `NoCapacity` when all are busy."""
        if self._has_room():
            return
        idle = [
            sandbox
            for group in self._groups.values()
            for sandbox in group.sandboxes
            if sandbox.state is SandboxState.READY and not sandbox.runs and not sandbox.inspected
        ]
        if idle:
            oldest = min(idle, key=lambda sandbox: sandbox.idle_since)
            oldest.kill(Death(reason=StopReason.EVICTED, detail="another worker needed the room"))
        elif not self._blanks.drop():
            raise NoCapacity("Every sandbox of the box is busy. Try again shortly.")

    def freed(self) -> None:
        """There may be room: a worker that found none may start now, and blanks may be made."""
        for group in self._groups.values():
            if group.waiting:
                group.grow()
        self._blanks.refill()

    # ---- what is live

    def follow(self, routes: RouteTable) -> None:
        """Compares with what is live; versions that are not drain."""
        live = {share.placement.key for route in routes.workers.values() for share in route.shares}
        places = {(route.project, route.environment, route.worker) for route in routes.workers.values()}
        for group in tuple(self._groups.values()):
            placement = group.placement
            if placement.key in live:
                if group.retired is not None:
                    group.revive()
            elif group.retired is None:
                replaced = (placement.project, placement.environment, placement.worker) in places
                group.retire(StopReason.REPLACED if replaced else StopReason.REMOVED)

    # ---- looking after them

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            for group in tuple(self._groups.values()):
                group.tick(now)
            for sandbox in tuple(self._loading):
                guard(sandbox, _tick, now)

    async def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            now = loop.time()
            for key, group in tuple(self._groups.items()):
                group.tidy(now)
                if group.is_empty:
                    del self._groups[key]
            self.freed()

    def look(self, memory: bool = False) -> list[GroupState]:
        """What every placement's sandboxes do; their memory only when it is asked for, since that asks the kernel."""
        return [group.look(memory) for group in self._groups.values()]

    def memory(self, project: str, worker: str) -> list[Process]:
        """The processes of a worker, with what they use."""
        now = asyncio.get_running_loop().time()
        return [
            Process(group.placement, str(sandbox.state), now - sandbox.started_at, memory)
            for group in self._groups.values()
            if group.placement.project == project and group.placement.worker == worker
            for sandbox in group.sandboxes
            if (memory := sandbox.memory()) is not None
        ]

    def states(self) -> Counter[str]:
        """How many sandboxes are in which state."""
        counts = Counter(str(sandbox.state) for group in self._groups.values() for sandbox in group.sandboxes)
        counts["blank"] += len(self._blanks)
        return counts


def _tick(sandbox: Sandbox, now: float) -> None:
    sandbox.tick(now)


def _check_variables(placement: Placement, variables: Mapping[str, str]) -> None:
    """Raises `MissingVariables`: without this, a worker would find out in the middle of somebody's request."""
    manifest = placement.manifest
    if missing := [name for name in manifest.env_required if not variables.get(name) and not manifest.env.get(name)]:
        raise MissingVariables(f"Not set in {placement.environment}: {', '.join(missing)}.")


def _load_head(placement: Placement, variables: Mapping[str, str], code: bytes) -> dict[str, Any]:
    manifest = placement.manifest
    return {
        "worker": placement.worker,
        "version": placement.id,
        "environment": placement.environment,
        "env": {
            **manifest.env,
            **variables,
            "V8BOX_WORKER": placement.worker,
            "V8BOX_VERSION": placement.id,
            "V8BOX_ENV": placement.environment,
        },
        "bindings": {name: [bound.kind, bound.name] for name, bound in manifest.bindings.items()},
        "log_kb": manifest.limits.log_kb,
        "subrequests": manifest.limits.subrequests,
        "uses_process": b"node:process" in code,
    }
