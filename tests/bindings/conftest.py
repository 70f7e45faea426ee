"""What the bindings' tests share: processes without the box's spawner, the implementations, and a call in one line."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.bindings.db.backends import DbBackend
from tests.bindings.db.libsql_backend import empty, libsql_backend
from tests.servers.fixtures import sqld_server

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.interface import Binding, Call, Scope
from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import ObjectLimits
from v8box.bindings.valkey import PrivateValkey

Children = list[asyncio.subprocess.Process]
Launch = Callable[[Sequence[str], int | None, Mapping[str, str]], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def children() -> Children:
    """Every process that `launch` has started, in order."""
    return []


@pytest.fixture
def launch(children: Children) -> Launch:
    async def start(argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(*argv, stdin=stdin, env=dict(env))
        children.append(child)
        return child

    return start


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a short name: the path of a Unix socket must not be long."""
    path = Path(tempfile.mkdtemp(prefix="v8b"))
    yield path
    shutil.rmtree(path)


__all__ = ["sqld_server"]  # a fixture, for the tests of the LibSQL backend

Ask = Callable[..., Awaitable[Any]]


async def call(
    binding: Binding, operation: str, args: Any = None, *, project: str = "one", run: str = "run-1", body: Any = None
) -> tuple[Any, bytes | None]:
    """One call as the broker makes it: JSON in, JSON out, and the whole body."""
    scope = Scope(project, "worker", "version", "production", run)
    answer = await binding.call(Call(scope, operation, msgspec.json.decode(msgspec.json.encode(args)), body))
    result = msgspec.json.decode(msgspec.json.encode(answer.result))
    if answer.body is None or isinstance(answer.body, bytes):
        return result, answer.body
    return result, b"".join([chunk async for chunk in answer.body])


@pytest.fixture
def ask() -> Callable[..., Awaitable[tuple[Any, bytes | None]]]:
    return call


MakeDb = Callable[..., AbstractAsyncContextManager[DbBinding]]


@pytest.fixture(params=["embedded", "libsql"])
def db_backend(request: pytest.FixtureRequest, tmp_path: Path, launch: Launch) -> Iterator[DbBackend]:
    """Each backend of `db`. Every test that asks for `db_backend`, `make_db` or `db` runs on all of them."""
    if request.param == "libsql":
        server = request.getfixturevalue("sqld_server")
        yield libsql_backend(server, tmp_path)
        empty(server)
    else:
        assert request.param == "embedded"
        yield DbBackend(
            request.param, lambda limits: EmbeddedDatabases(tmp_path / "databases", launch, limits=limits, engines=1)
        )


@pytest.fixture
def make_db(db_backend: DbBackend) -> MakeDb:
    """Opens a `db` binding on each backend, with limits of one's own."""

    @asynccontextmanager
    async def make(limits: DbLimits | None = None) -> AsyncIterator[DbBinding]:
        limits = limits or DbLimits()
        binding = DbBinding(db_backend.build(limits), limits=limits)
        await binding.start()
        try:
            yield binding
        finally:
            await binding.stop()

    return make


@pytest.fixture
async def db(make_db: MakeDb) -> AsyncIterator[DbBinding]:
    async with make_db() as binding:
        yield binding


@pytest.fixture
async def valkey(tmp_path: Path, short_dir: Path, launch: Launch) -> AsyncIterator[PrivateValkey]:
    server = PrivateValkey(tmp_path / "valkey", short_dir, launch)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=["valkey"])
async def cache(request: pytest.FixtureRequest, valkey: PrivateValkey) -> AsyncIterator[CacheBinding]:
    assert request.param == "valkey"
    binding = CacheBinding(ValkeyStore(valkey.url))
    await binding.start()
    yield binding
    await binding.stop()


@pytest.fixture(params=["embedded"])
async def s3(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[S3Binding]:
    assert request.param == "embedded"
    binding = S3Binding(EmbeddedObjects(tmp_path / "objects", limits=ObjectLimits(object_bytes=8_000_000)))
    await binding.start()
    yield binding
    await binding.stop()
