"""The embedded databases for the tests of what only they have: engine processes, the guard, files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.interface import BindingError

Launch = Callable[[Sequence[str], int | None, Mapping[str, str]], Awaitable[asyncio.subprocess.Process]]
MakeEmbedded = Callable[..., AbstractAsyncContextManager[EmbeddedDatabases]]
MakeBinding = Callable[..., AbstractAsyncContextManager[DbBinding]]
Answer = TypeVar("Answer")


async def patiently(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Tries again what would be done within a short limit if the machine were not busy."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await work()
            except BindingError as error:
                if error.code not in ("SQLITE_INTERRUPT", "SQLITE_BUSY", "TRANSACTION_TIMEOUT"):
                    raise


@pytest.fixture
def make_databases(tmp_path: Path, launch: Launch) -> MakeEmbedded:
    """Opens the port itself."""

    @asynccontextmanager
    async def make(limits: DbLimits | None = None, engines: int = 1) -> AsyncIterator[EmbeddedDatabases]:
        databases = EmbeddedDatabases(tmp_path / "databases", launch, limits=limits, engines=engines)
        await databases.start()
        try:
            yield databases
        finally:
            await databases.stop()

    return make


@pytest.fixture
def make_embedded(make_databases: MakeEmbedded) -> MakeBinding:
    """Opens a `db` binding."""

    @asynccontextmanager
    async def make(limits: DbLimits | None = None, engines: int = 1) -> AsyncIterator[DbBinding]:
        async with make_databases(limits, engines) as databases:
            yield DbBinding(databases, limits=limits)

    return make


@pytest.fixture
async def embedded(make_embedded: MakeBinding) -> AsyncIterator[DbBinding]:
    async with make_embedded() as binding:
        yield binding
