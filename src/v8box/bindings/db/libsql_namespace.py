"""One database on a LibSQL server as this node sees it: a namespace that is made when it is first needed, its key, its
write lock, what is under way in it, and every failure of the server in our words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from v8box.bindings.db.hrana import Ask, Close, Execute, PipelineAnswer
from v8box.bindings.db.hrana_client import AnswerTooLarge, HranaClient, ServerDown, ServerError
from v8box.bindings.db.interface import DatabaseId, DbLimits
from v8box.bindings.db.libsql_admin import AdminApi, NamespaceSettings
from v8box.bindings.db.libsql_admission import Admission, Gate
from v8box.bindings.db.libsql_errors import from_server, namespace_is_gone, stream_is_lost, too_large
from v8box.bindings.db.libsql_keys import Access, NamespaceKeys
from v8box.bindings.db.libsql_replica import Progress, Replica
from v8box.bindings.db.libsql_streams import Streams
from v8box.bindings.interface import BindingError
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
SERVERS_DEFAULT: Final = "default"  # the namespace that a server always has
DELETED: Final = ("DATABASE_DELETED", "the database was deleted")
_WIRE_BYTES: Final = 64 * 1024  # beyond twice the result's cap: Hrana's words for a value are longer than ours


class Registry(Protocol):
    """Where databases are noted before they are made."""

    async def register(self, database: DatabaseId) -> None: ...


class Ends(Protocol):
    """An open transaction, to be told that its database is gone."""

    def end_with(self, code: str, message: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Backend:
    """What all namespaces of one server share."""

    client: HranaClient
    admin: AdminApi | None
    keys: NamespaceKeys | None
    replica: Replica | None
    token: str
    limits: DbLimits
    admission: Admission
    streams: Streams
    transactions: Gate
    tasks: TaskSet
    registry: Registry | None = None
    names_default: bool = False
    """Without an admin API: whether the server wants its default namespace named (it does when reached by address)."""


class Namespace:
    """`name` is the namespace's on the server. `database` is None for the platform's own."""

    def __init__(self, backend: Backend, name: str, project: str, database: DatabaseId | None) -> None:
        self.backend = backend
        self.limits = backend.limits
        self.progress = Progress()
        self.transactions: set[Ends] = set()
        self.name = name
        self._project = project
        self._database = database
        self._writing: Gate | None = None
        self._making = asyncio.Lock()
        self._ready = backend.admin is None
        self._deleting = False
        self._under_way: set[asyncio.Timeout] = set()

    @property
    def idle(self) -> bool:
        return not (self.transactions or self._under_way or self._deleting or (self._writing and self._writing.users))

    def write_lock(self) -> Gate:
        """The write lock, as far as this node is concerned. The server has one too, but whoever waits there takes a
        connection, and what waits cannot be called back: it would be done after its caller was told it was not."""
        if self._writing is None:
            seconds = self.limits.statement_seconds
            busy = "database is locked: other calls held the write lock"
            self._writing = Gate(1, waiting=self.limits.queued, seconds=seconds, busy=busy)
        return self._writing

    async def read(self, requests: list[Ask], seconds: float) -> PipelineAnswer:
        """Asks the replica if it will do, else the primary. Only for what writes nothing. Raises `BindingError`."""
        answer = await self._read_from_replica([*requests, Close()], seconds)
        return answer or await self.ask([*requests, Close()], seconds=seconds, reads=True)

    async def read_one(self, request: Execute, seconds: float) -> PipelineAnswer:
        """Like `read`, for a single statement: on a stream that is kept for the next one, if there may be one more."""
        answer = await self._read_from_replica([request, Close()], seconds)
        if answer is not None:
            return answer
        streams = self.backend.streams
        stream = streams.take(self.name)
        requests: list[Ask] = [request, Close()] if stream is None or stream.is_old else [request]
        if stream is None:
            return await self.ask(requests, seconds=seconds, reads=True)
        baton: str | None = None
        try:
            answer = await self.ask(requests, seconds=seconds, baton=stream.baton, reads=True)
            baton = answer.baton
            return answer
        except BindingError as error:
            if stream.baton is None or not stream_is_lost(error):
                raise
        finally:
            if baton is not None and not self._deleting:
                streams.give(stream, baton)
            else:
                streams.drop()
        return await self.ask([request, Close()], seconds=seconds, reads=True)

    async def _read_from_replica(self, requests: list[Ask], seconds: float) -> PipelineAnswer | None:
        replica = self.backend.replica
        if replica is not None and not self._deleting:
            await self._make_ready()
            token = self._token("ro")
            if replica.may_serve(self.progress, self._header(), token):
                return await self._guarded(
                    replica.ask(
                        self.progress,
                        requests,
                        namespace=self._header(),
                        token=token,
                        seconds=seconds,
                        most_bytes=self._most_bytes(),
                    ),
                    seconds,
                )
        return None

    async def ask(
        self,
        requests: list[Ask],
        *,
        seconds: float,
        baton: str | None = None,
        access: Access = "rw",
        reads: bool = False,
        makes: bool = True,
    ) -> PipelineAnswer:
        """Asks the primary; makes the database first when the server has none, unless told not to
        (`DATABASE_NOT_FOUND`). With `reads` it may be asked twice. Raises `BindingError`; cancelled or too slow, what
        ran is stopped on the server."""
        for attempt in (1, 2):
            if self._deleting:
                raise BindingError(*DELETED)
            if makes and not self._ready:
                await self._make_ready()
            try:
                return await self._guarded(
                    self.backend.client.pipeline(
                        requests,
                        namespace=self._header(),
                        token=self._token(access),
                        seconds=seconds,
                        most_bytes=self._most_bytes(),
                        baton=baton,
                        again=reads,
                    ),
                    seconds,
                    reads=reads,
                )
            except ServerError as error:
                if attempt == 1 and baton is None and self._may_be_made(error):
                    if makes or self.backend.admin is None:
                        continue
                    raise BindingError("DATABASE_NOT_FOUND", "there is no such database") from error
                if error.status == 401:
                    self._ready = self.backend.admin is None  # so that the next call sets the key anew
                host = self.backend.client.url.host
                raise from_server(error, host, key_is_ours=self._has_key(), on_stream=baton is not None) from error
        raise AssertionError("unreachable")

    def wrote(self, index: int | None) -> None:
        """After a write, with the replication index of its answer, None when that or the outcome is not known."""
        if self.backend.replica is not None:
            self.progress.wrote(index)

    async def make(self) -> bool:
        """Makes the database, or gives the one there is its key and size; whether it is new. Raises `BindingError`."""
        admin = self.backend.admin
        if admin is None:
            return False
        if self._database is not None and self.backend.registry is not None:
            await self.backend.registry.register(self._database)
        settings = self.settings()
        try:
            is_new = await admin.create(self.name, settings)
            if not is_new:
                await admin.configure(self.name, settings)
        except (ServerDown, ServerError) as error:
            raise admin_failed(admin, error) from error
        self._ready = True
        return is_new

    def settings(self) -> NamespaceSettings:
        keys = self.backend.keys
        return NamespaceSettings(
            self.limits.database_bytes, keys.public(self.name) if keys is not None and self._has_key() else None
        )

    def begin_deleting(self) -> None:
        """Ends all that is under way with `DATABASE_DELETED` and refuses what comes, until `end_deleting`."""
        self._deleting = True
        for transaction in tuple(self.transactions):
            transaction.end_with(*DELETED)
        now = asyncio.get_running_loop().time()
        for timeout in tuple(self._under_way):
            timeout.reschedule(now)

    def end_deleting(self) -> None:
        self._deleting = False
        self._ready = self.backend.admin is None
        self.progress.begin_anew()
        self.backend.streams.forget(self.name)

    async def _make_ready(self) -> None:
        if not self._ready:
            async with self._making:
                if not self._ready:
                    await self.make()

    def _may_be_made(self, error: ServerError) -> bool:
        """Whether nothing has run because the namespace is missing or was not named, and that can be helped."""
        if not namespace_is_gone(error):
            return False
        if self.backend.admin is not None:
            self._ready = False
            self.progress.begin_anew()
            return True
        if self.backend.names_default:
            return False
        self.backend.names_default = True
        return True

    async def _guarded(self, work: Coroutine[Any, Any, Answer], seconds: float, *, reads: bool = True) -> Answer:
        """Does the work when it is its turn. Raises `BindingError` for a failure, and `ServerError` as it comes."""
        try:
            await self.backend.admission.enter(self._project)
        except BaseException:
            work.close()
            raise
        known = reads  # what a read comes to, nobody needs to know
        try:
            async with asyncio.timeout(None) as deletion:
                self._under_way.add(deletion)
                try:
                    answer = await work
                    known = True
                    return answer
                except ServerError as error:
                    known = known or error.status < 500  # refused before anything ran
                    raise
        except TimeoutError as error:
            if deletion.expired():
                raise BindingError(*DELETED) from error
            raise BindingError(
                "SQLITE_INTERRUPT", f"interrupted: this may run for {seconds:g} s", {"raw_code": 9}
            ) from error
        except ServerDown as error:
            host = self.backend.client.url.host
            outcome = "" if reads or not error.sent else "; whether this was done is not known"
            raise BindingError(
                "DB_UNAVAILABLE", f"the LibSQL server at {host} is not available: {error.reason}{outcome}"
            ) from error
        except AnswerTooLarge as error:
            raise too_large(self.limits.result_bytes) from error
        except UnicodeEncodeError as error:
            raise BindingError("ARGS_INVALID", "a text is not valid Unicode") from error
        finally:
            self._under_way.discard(deletion)
            self.backend.admission.leave(self._project)
            if not known:
                self.wrote(None)

    def _has_key(self) -> bool:
        # The server's own default namespace belongs to whoever holds the operator's token, if there is one.
        backend = self.backend
        return backend.keys is not None and not (self.name == SERVERS_DEFAULT and backend.token)

    def _token(self, access: Access) -> str:
        keys = self.backend.keys
        return keys.token(self.name, access) if keys is not None and self._has_key() else self.backend.token

    def _header(self) -> str | None:
        return self.name if self.backend.admin is not None or self.backend.names_default else None

    def _most_bytes(self) -> int:
        return 2 * self.limits.result_bytes + _WIRE_BYTES


def admin_failed(admin: AdminApi, error: ServerDown | ServerError) -> BindingError:
    """A failure of the admin API, in words that name the setting."""
    if isinstance(error, ServerDown):
        return BindingError("DB_UNAVAILABLE", f"the LibSQL server at {admin.url.host} is not available: {error.reason}")
    hint = ": see V8BOX_LIBSQL_ADMIN_TOKEN" if error.status in (401, 403) else ""
    logger.warning("the admin API of the LibSQL server said %s %s", error.status, error.message[:500])
    return BindingError(
        "DB_UNAVAILABLE",
        f"the admin API of the LibSQL server at {admin.url.host} failed with status {error.status}{hint}",
    )
