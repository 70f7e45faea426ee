"""The gateway's side of the embedded databases: engine processes, started at first use and replaced when they die.

Nothing here touches SQLite. A project always meets the same engine, so a query that takes one engine's memory is felt
by the projects that share it and by nobody else.
"""

from __future__ import annotations

import asyncio
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
from v8box.bindings.db.interface import Child, Database, DatabaseId, DbLimits, Launch, Mode, Statement
from v8box.bindings.db.wire import NOTICE, FrameBuffer, Operation, Reply, Request, frame
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError

_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0
_HEALTH_SECONDS: Final = 2.0
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
        self.pending: dict[int, asyncio.Future[bytes]] = {}
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
                future.set_exception(BindingError(reply.code, reply.message))
            else:
                future.set_result(body)

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

    async def request(
        self,
        link: _Link,
        operation: Operation,
        database: DatabaseId,
        *,
        transaction: int = 0,
        mode: Mode = "deferred",
        statements: list[Statement] | None = None,
    ) -> bytes:
        """Sends one request and waits for its answer. Cancelled, it stops the statement in the engine."""
        number = next(self._numbers)
        request = Request(number, operation, database.project, database.name, transaction, mode, statements or [])
        try:
            data = frame(request)
        except (OverflowError, UnicodeEncodeError) as error:
            raise BindingError("ARGS_INVALID", "an argument does not fit SQLite") from error
        if self._link is not link:
            raise BindingError(*_DIED)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
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
            await self.request(self._link, "ping", DatabaseId("", ""))

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
                await self.request(link, "ping", DatabaseId("", ""))
        except TimeoutError as error:
            child.kill()
            raise BindingError("ENGINE_DIED", "the database engine did not start in time") from error


class EmbeddedDatabase:
    """A handle on one database; see `interface.Database`."""

    def __init__(self, engine: _Engine, database: DatabaseId) -> None:
        self._engine = engine
        self._database = database

    async def execute(self, statement: Statement) -> msgspec.Raw:
        engine = self._engine
        return msgspec.Raw(await engine.request(await engine.link(), "execute", self._database, statements=[statement]))

    async def batch(self, statements: list[Statement], mode: Mode) -> msgspec.Raw:
        link = await self._engine.link()
        result = await self._engine.request(link, "batch", self._database, mode=mode, statements=statements)
        return msgspec.Raw(result)

    async def script(self, sql: str) -> None:
        link = await self._engine.link()
        await self._engine.request(link, "script", self._database, statements=[Statement(sql)])

    async def begin(self, mode: Mode) -> EmbeddedTransaction:
        link = await self._engine.link()
        transaction = EmbeddedTransaction(self._engine, link, self._database, self._engine.number())
        link.transactions[transaction.number] = transaction
        try:
            await self._engine.request(link, "begin", self._database, transaction=transaction.number, mode=mode)
        except asyncio.CancelledError:
            transaction.abandon()  # it may have begun all the same
            raise
        except BindingError:
            link.transactions.pop(transaction.number, None)
            raise
        return transaction


class EmbeddedTransaction:
    """An open transaction in an engine; see `interface.Transaction`."""

    def __init__(self, engine: _Engine, link: _Link, database: DatabaseId, number: int) -> None:
        self.number = number
        self._engine = engine
        self._link = link
        self._database = database
        self._ended: tuple[str, str] | None = None

    @property
    def ended(self) -> tuple[str, str] | None:
        return self._ended

    def has_ended(self, code: str, message: str) -> None:
        if self._ended is None:
            self._ended = (code, message)

    async def execute(self, statement: Statement) -> msgspec.Raw:
        return msgspec.Raw(await self._request("execute", [statement]))

    async def batch(self, statements: list[Statement], mode: Mode) -> msgspec.Raw:
        return msgspec.Raw(await self._request("batch", statements))

    async def script(self, sql: str) -> None:
        await self._request("script", [Statement(sql)])

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

    async def _request(self, operation: Operation, statements: list[Statement]) -> bytes:
        if self._ended is not None:
            raise BindingError(*self._ended)
        number = self.number
        try:
            return await self._engine.request(
                self._link, operation, self._database, transaction=number, statements=statements
            )
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
        self._databases: dict[DatabaseId, EmbeddedDatabase] = {}

    async def start(self) -> None:
        """Makes the directory; engines start when they are needed."""
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)

    async def stop(self) -> None:
        await asyncio.gather(*(engine.stop() for engine in self._engines))

    async def health(self) -> None:
        """Asks the engines that run for a sign of life; starts none."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                await asyncio.gather(*(engine.ping() for engine in self._engines))
        except TimeoutError as error:
            raise BindingError("ENGINE_SILENT", "the database engine does not answer") from error

    def open(self, database: DatabaseId) -> Database:
        handle = self._databases.get(database)
        if handle is None:
            engine = self._engines[zlib.crc32(database.project.encode()) % len(self._engines)]
            handle = self._databases[database] = EmbeddedDatabase(engine, database)
        return handle
