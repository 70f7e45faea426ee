from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.pages.conftest import World

from v8box.catalog.sites import ReleaseInfo
from v8box.features.pages.optimise import Optimiser, OptimiserProcess, Outcomes
from v8box.gateway.pages.release import Asset, Release


class PlainChild:
    """The process without confinement."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.cpu_seconds = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # asyncio's own way would take its exit code from who waits for it

    async def wait(self) -> int:
        return await self._process.wait()


class Launcher:
    """Starts optimiser processes and remembers them. With `program`, other ones, named by how they fail."""

    def __init__(self) -> None:
        self.children: list[PlainChild] = []
        self.program: Sequence[str] | None = None
        self.refuses: Exception | None = None
        self.on_launch: Callable[[PlainChild], None] = lambda child: None

    async def __call__(self, argv: Sequence[str], stdin: int, env: Mapping[str, str]) -> PlainChild:
        if self.refuses is not None:
            raise self.refuses
        argv = argv if self.program is None else [sys.executable, "-c", *self.program]
        process = await asyncio.create_subprocess_exec(*argv, stdin=stdin, env={**os.environ, **env})
        child = PlainChild(process)
        self.children.append(child)
        self.on_launch(child)
        return child


class OptimisedWorld(World):
    """Sites that are made smaller as they are deployed."""

    launcher: Launcher
    outcomes: Outcomes
    process: OptimiserProcess
    optimiser: Optimiser
    running: asyncio.Task[None]

    def start(self) -> None:
        """As the box does when it starts."""
        self.launcher = Launcher()
        self.process = OptimiserProcess(self.launcher, self.folder / "sites")
        self.optimiser = Optimiser(
            self.sites, self.blobs, self.outcomes, self.process, self.folder / "staging-optimiser"
        )
        self.sites._subscribers.clear()
        self.optimiser.follow(self.sites.table)
        self.sites.subscribe(self.optimiser.follow)
        self.running = asyncio.create_task(self.optimiser.run())

    def state_of(self, info: ReleaseInfo) -> Mapping[str, Any] | None:
        return self.optimiser.state(info)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])

    async def settled(self, number: int, site: str = "blog") -> dict[str, Any]:
        """What a release's report says of it when nothing is in the queue."""
        await asyncio.wait_for(self.optimiser.settle(), 60)
        info = await self.sites.release("default", site, number)
        assert self.optimiser.state(info) is None
        return dict(info.report.get("optimisation", {}))

    async def release(self, number: int, site: str = "blog") -> Release:
        return await self.service.contents(await self.sites.release("default", site, number))

    async def asset(self, path: str, number: int = 1, site: str = "blog") -> Asset:
        return (await self.release(number, site)).files[path]


@pytest.fixture
async def small(world: World, tmp_path: Path) -> AsyncIterator[OptimisedWorld]:
    made = OptimisedWorld(tmp_path, world.database, world.sites, world.blobs, world.catalog)
    await made.staging.open()
    made.outcomes = await Outcomes.open(world.database)
    made.start()
    yield made
    await made.stop()
