"""The gateway's side of the embedded databases: engine processes, started at first use and replaced when they die.

Nothing here touches SQLite. A project always meets the same engine, so a query that takes one engine's memory is felt
by the projects that share it and by nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import msgspec

from v8box.bindings.db.engine import EngineConfig
from v8box.bindings.db.interface import (
    DEFAULT_DATABASE,
    NAME,
    SCRATCH_PREFIX,
    WORKER,
    Child,
    Database,
    DatabaseId,
    DatabaseInfo,
    DbLimits,
    Launch,
    Mode,
    Result,
    Statement,
    View,
)
from v8box.bindings.db.wire import NOTICE, FrameBuffer, Operation, Reply, Request, frame
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError
from v8box.kit.files import TEMPORARY_SUFFIX

_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0
_HEALTH_SECONDS: Final = 2.0
_SUFFIX: Final = ".db"
_COUNTED: Final = ("", "-wal")  # what of a database's files is its data
_DIED: Final = ("ENGINE_DIED", "the database engine ended while this ran; what was committed before is safe. Try again")


class _Link(asyncio.Protocol):
    """The socket to one engine process: requests out, batched per loop turn; replies to their futures."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._frames = FrameBuffer()
        self._decode = msgspec.msgpack.Decoder(Reply).decode
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.pending: dict[int, asyncio.Future[Result]] = {}
        self.transactions: dict[int, EmbeddedTransaction] = {}

    def send(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        for head, body in self._frames.feed(data):
            reply = self._decode(head)
            if reply.ended and (transaction := self.transactions.pop(reply.ended, None)) is not None:
                transaction.has_ended(reply.code, reply.message or "the transaction is closed")
            if reply.id == NOTICE:
                continue
            future = self.pending.pop(reply.id, None)
            if future is None or future.done():
                continue
            if reply.code:
                future.set_exception(BindingError(reply.code, reply.message, _details(reply)))
            else:
                future.set_result(Result(msgspec.Raw(body), reply.rows, reply.written))

    def connection_lost(self, error: Exception | None) -> None:
        for future in self.pending.values():
            if not future.done():
                future.set_exception(BindingError(*_DIED))
        self.pending.clear()
        for transaction in self.transactions.values():
            transaction.has_ended(*_DIED)
        self.transactions.clear()
        self._engine.lost(self)


class _Engine:
    """One engine process, or none yet, or none any more."""

    def __init__(self, directory: Path, limits: DbLimits, launch: Launch, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._limits = limits
        self._launch = launch
        self._environ = environ
        self._link: _Link | None = None
        self._child: Child | None = None
        self._starting = asyncio.Lock()
        self._reapers: set[asyncio.Task[int]] = set()
        self._numbers = itertools.count(NOTICE + 1)

    async def link(self) -> _Link:
        if self._link is None:
            async with self._starting:
                if self._link is None:
                    await self._start()
        link = self._link
        if link is None:
            raise BindingError("ENGINE_DIED", "the database engine ended while it started")
        return link

    async def request(self, link: _Link, request: Request) -> Result:
        """Sends one request and waits for its answer. Cancelled, it stops the statement in the engine."""
        number = request.id
        try:
            data = frame(request)
        except (OverflowError, UnicodeEncodeError) as error:
            raise BindingError("ARGS_INVALID", "an argument does not fit SQLite") from error
        if self._link is not link:
            raise BindingError(*_DIED)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        link.pending[number] = future
        link.send(data)
        try:
            return await future
        except asyncio.CancelledError:
            if link.pending.pop(number, None) is not None:
                link.send(frame(Request(number, "cancel")))
            raise

    async def ping(self) -> None:
        """Returns when the process answers; at once when none runs."""
        if self._link is not None:
            await self.request(self._link, Request(self.number(), "ping"))

    def new(
        self,
        operation: Operation,
        database: DatabaseId,
        *,
        transaction: int = 0,
        mode: Mode = "deferred",
        statements: list[Statement] | None = None,
        hrana: bool = False,
        admin: bool = False,
        target: str = "",
    ) -> Request:
        project, name = database.project, database.name
        number = next(self._numbers)
        return Request(number, operation, project, name, transaction, mode, statements or [], hrana, admin, target)

    def number(self) -> int:
        return next(self._numbers)

    def lost(self, link: _Link) -> None:
        if self._link is link:
            self._link = None

    async def stop(self) -> None:
        link, child = self._link, self._child
        if link is not None and link.transport is not None:
            link.transport.close()
        if child is not None:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
        if self._reapers:
            await asyncio.wait(self._reapers)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            config = EngineConfig(directory=str(self._directory), limits=self._limits)
            argv = [sys.executable, "-m", "v8box.bindings.db.engine", msgspec.json.encode(config).decode()]
            try:
                child = await self._launch(argv, theirs.fileno(), self._environ)
            except (OSError, V8BoxError) as error:
                raise BindingError("ENGINE_DIED", "the database engine cannot be started") from error
            self._child = child
            reaper = asyncio.create_task(child.wait(), name="reap-db-engine")  # else it stays a zombie
            self._reapers.add(reaper)
            reaper.add_done_callback(self._reapers.discard)
            ours.setblocking(False)
            _, link = await asyncio.get_running_loop().create_connection(lambda: _Link(self), sock=ours)
            self._link = link
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self.request(link, Request(self.number(), "ping"))
        except TimeoutError as error:
            child.kill()
            raise BindingError("ENGINE_DIED", "the database engine did not start in time") from error


class EmbeddedDatabase:
    """A handle on one database; see `interface.Database`."""

    __slots__ = ("_admin", "_database", "_engine", "_hrana")

    def __init__(self, engine: _Engine, database: DatabaseId, view: View) -> None:
        self._engine = engine
        self._database = database
        self._hrana = view.encoding == "hrana"
        self._admin = view.admin

    async def execute(self, statement: Statement) -> Result:
        return await self._request("execute", [statement])

    async def batch(self, statements: list[Statement], mode: Mode) -> Result:
        return await self._request("batch", statements, mode)

    async def migrate(self, statements: list[Statement]) -> Result:
        return await self._request("migrate", statements)

    async def script(self, sql: str) -> None:
        await self._request("script", [Statement(sql)])

    async def describe(self, sql: str) -> Result:
        return await self._request("describe", [Statement(sql)])

    async def begin(self, mode: Mode) -> EmbeddedTransaction:
        link = await self._engine.link()
        transaction = EmbeddedTransaction(self._engine, link, self._database, hrana=self._hrana)
        request = self._engine.new(
            "begin", self._database, transaction=transaction.number, mode=mode, hrana=self._hrana, admin=self._admin
        )
        link.transactions[transaction.number] = transaction
        try:
            await self._engine.request(link, request)
        except asyncio.CancelledError:
            transaction.abandon()  # it may have begun all the same
            raise
        except BindingError:
            link.transactions.pop(transaction.number, None)
            raise
        return transaction

    async def _request(self, operation: Operation, statements: list[Statement], mode: Mode = "deferred") -> Result:
        engine = self._engine
        link = await engine.link()
        request = engine.new(
            operation, self._database, mode=mode, statements=statements, hrana=self._hrana, admin=self._admin
        )
        return await engine.request(link, request)


class EmbeddedTransaction:
    """An open transaction in an engine; see `interface.Transaction`."""

    def __init__(self, engine: _Engine, link: _Link, database: DatabaseId, *, hrana: bool) -> None:
        self.number = engine.number()
        self._engine = engine
        self._link = link
        self._database = database
        self._hrana = hrana
        self._ended: tuple[str, str] | None = None

    @property
    def ended(self) -> tuple[str, str] | None:
        return self._ended

    def has_ended(self, code: str, message: str) -> None:
        if self._ended is None:
            self._ended = (code, message)

    async def execute(self, statement: Statement) -> Result:
        return await self._request("execute", [statement])

    async def batch(self, statements: list[Statement], mode: Mode) -> Result:
        return await self._request("batch", statements)

    async def script(self, sql: str) -> None:
        await self._request("script", [Statement(sql)])

    async def describe(self, sql: str) -> Result:
        return await self._request("describe", [Statement(sql)])

    async def commit(self) -> None:
        await self._end("commit")

    async def rollback(self) -> None:
        if self._ended is None:
            await self._end("rollback")

    def abandon(self) -> None:
        """Rolls back without waiting."""
        self.has_ended("TRANSACTION_CLOSED", "the transaction is closed")
        request = Request(self._engine.number(), "rollback", transaction=self.number)
        self._link.send(frame(request))

    async def _end(self, operation: Operation) -> None:
        try:
            await self._request(operation, [])
        finally:
            self.has_ended("TRANSACTION_CLOSED", "the transaction is closed")

    async def _request(self, operation: Operation, statements: list[Statement]) -> Result:
        if self._ended is not None:
            raise BindingError(*self._ended)
        request = self._engine.new(
            operation, self._database, transaction=self.number, statements=statements, hrana=self._hrana
        )
        try:
            return await self._engine.request(self._link, request)
        except BindingError as error:
            if error.code == "TRANSACTION_CLOSED" and self._ended is not None:
                raise BindingError(*self._ended) from error  # it says why
            raise


class EmbeddedDatabases:
    """One SQLite file per database under `directory/<project>/<name>.db`, run by at most `engines` processes."""

    def __init__(
        self,
        directory: Path,
        launch: Launch,
        *,
        limits: DbLimits | None = None,
        engines: int = 2,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        # An engine needs to find this package and its own C library, and nothing of the box's settings or secrets.
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        self._engines = [_Engine(directory, limits or DbLimits(), launch, environ or inherited) for _ in range(engines)]

    async def start(self) -> None:
        """Makes the directory and removes what an earlier box left half done; engines start when they are needed."""
        await asyncio.to_thread(self._tidy)

    async def stop(self) -> None:
        await asyncio.gather(*(engine.stop() for engine in self._engines))

    async def health(self) -> None:
        """Asks the engines that run for a sign of life; starts none."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                await asyncio.gather(*(engine.ping() for engine in self._engines))
        except TimeoutError as error:
            raise BindingError("ENGINE_SILENT", "the database engine does not answer") from error

    def open(self, database: DatabaseId, view: View = WORKER) -> Database:
        return EmbeddedDatabase(self._engine(database.project), database, view)

    async def names(self, project: str) -> list[DatabaseInfo]:
        return await asyncio.to_thread(self._list, project)

    async def exists(self, database: DatabaseId) -> bool:
        if database.name == DEFAULT_DATABASE:
            return True
        return await asyncio.to_thread(self._path(database).exists)

    async def create(self, database: DatabaseId) -> None:
        if database.name == DEFAULT_DATABASE:
            raise _exists(database)
        await self._whole("create", database)

    async def delete(self, database: DatabaseId) -> None:
        try:
            await self._whole("delete", database)
        except BindingError as error:
            if error.code != "DATABASE_NOT_FOUND" or database.name != DEFAULT_DATABASE:
                raise

    async def copy(self, source: DatabaseId, target: DatabaseId) -> None:
        if source.project != target.project:
            raise ValueError("a database is copied within its project")
        if target.name == DEFAULT_DATABASE:
            raise _exists(target)
        if not await self.exists(source):
            raise BindingError("DATABASE_NOT_FOUND", f"there is no database {source.name}")
        await self._whole("copy", source, target.name)

    async def _whole(self, operation: Operation, database: DatabaseId, target: str = "") -> None:
        engine = self._engine(database.project)
        link = await engine.link()
        await engine.request(link, engine.new(operation, database, target=target))

    def _engine(self, project: str) -> _Engine:
        return self._engines[zlib.crc32(project.encode()) % len(self._engines)]

    def _path(self, database: DatabaseId) -> Path:
        return self._directory / database.project / f"{database.name}{_SUFFIX}"

    def _list(self, project: str) -> list[DatabaseInfo]:
        sizes = {DEFAULT_DATABASE: 0}
        try:
            for entry in os.scandir(self._directory / project):
                name, _, companion = entry.name.partition(_SUFFIX)
                if companion in _COUNTED and NAME.fullmatch(name) and not name.startswith(SCRATCH_PREFIX):
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        sizes[name] = sizes.get(name, 0) + entry.stat().st_size
        except FileNotFoundError:
            pass  # the project has used none yet
        return [DatabaseInfo(name, size) for name, size in sorted(sizes.items())]

    def _tidy(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for pattern in (f"*/{SCRATCH_PREFIX}*", f"*/.*{TEMPORARY_SUFFIX}*"):
            for left_over in self._directory.glob(pattern):
                left_over.unlink()


def _details(reply: Reply) -> dict[str, int] | None:
    details = {}
    if reply.raw_code:
        details["raw_code"] = reply.raw_code
    if reply.statement_index >= 0:
        details["statement_index"] = reply.statement_index
    return details or None


def _exists(database: DatabaseId) -> BindingError:
    return BindingError("DATABASE_EXISTS", f"there is a database {database.name}: choose another name, or delete it")
