"""Databases on a LibSQL server (sqld), spoken to by Hrana over HTTP: a namespace with a key of its own per database.

Namespaces are made by the server's admin API. Without it there is one database, the default project's default, which
is the server's own default namespace.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict
from pathlib import Path
from typing import Final

from v8box.bindings.db.hrana import Ask, Close, Execute, Stmt
from v8box.bindings.db.hrana_client import HranaClient, ServerDown, ServerError, ServerUrl
from v8box.bindings.db.interface import (
    DEFAULT_DATABASE,
    SCRATCH_PREFIX,
    WORKER,
    Database,
    DatabaseId,
    DatabaseInfo,
    DbLimits,
    View,
)
from v8box.bindings.db.libsql_admin import AdminApi
from v8box.bindings.db.libsql_admission import Admission, Gate
from v8box.bindings.db.libsql_database import LibsqlDatabase
from v8box.bindings.db.libsql_keys import KeyFileFault, NamespaceKeys, read_or_make_secret
from v8box.bindings.db.libsql_namespace import SERVERS_DEFAULT, Backend, Namespace, admin_failed
from v8box.bindings.db.libsql_registry import LibsqlRegistry
from v8box.bindings.db.libsql_replica import Replica
from v8box.bindings.db.libsql_statements import QUERIES, read_rows
from v8box.bindings.db.libsql_streams import Streams
from v8box.bindings.interface import BindingError
from v8box.errors import SettingsError
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

DEFAULT_PROJECT: Final = "default"
_REGISTRY: Final = "v8box"  # a namespace; a project's databases have a dot in theirs
_HEALTH_SECONDS: Final = 2.0
_TIDY_SECONDS: Final = 3.0
# The server has 128 connections by default, for all nodes. These three are what one node may hold of them.
_CONNECTIONS: Final = 48  # requests at once
_TRANSACTIONS: Final = 32  # open at once
_STREAMS: Final = 24  # kept between reads
_PROJECT_CONNECTIONS: Final = 16
_NAMESPACES: Final = 4_096  # that are kept in mind; the longest unused is forgotten for the next
_SIZES_AT_ONCE: Final = 8


class LibsqlServer:
    """See `interface.Databases`.

    `url` takes `libsql: https: http: wss: ws:`. `auth_token` opens the server's default namespace. `admin_url` is the
    admin API's address and `admin_token` its key. `replica_url` may answer reads. `key_file` holds the secret that
    databases' keys are derived from and is made when there is none; nodes that share a server share its content. `node`
    names this node among them, by default after its machine and key file. Raises `SettingsError` for a URL that is
    none.
    """

    def __init__(
        self,
        url: str,
        auth_token: str = "",
        *,
        admin_url: str | None = None,
        admin_token: str = "",
        replica_url: str | None = None,
        key_file: Path | None = None,
        limits: DbLimits | None = None,
        node: str | None = None,
    ) -> None:
        limits = limits or DbLimits()
        server = _parsed("LIBSQL_URL", url)
        admin = _parsed("V8BOX_LIBSQL_ADMIN_URL", admin_url) if admin_url else None
        replica = _parsed("V8BOX_LIBSQL_REPLICA_URL", replica_url) if replica_url else None
        self._limits = limits
        self._key_file = key_file if admin is not None else None
        self._tasks = TaskSet()
        self._backend = Backend(
            client=HranaClient(server, connections=_CONNECTIONS),
            admin=AdminApi(admin, admin_token, copy_seconds=limits.admin_seconds) if admin is not None else None,
            keys=None,
            replica=self._replica(replica) if replica is not None else None,
            token=auth_token or server.token,
            limits=limits,
            streams=Streams(_STREAMS),
            admission=Admission(in_all=_CONNECTIONS, per_project=_PROJECT_CONNECTIONS, waiting=limits.queued),
            transactions=Gate(
                _TRANSACTIONS,
                waiting=_TRANSACTIONS + limits.queued,
                seconds=limits.statement_seconds,
                busy=f"{_TRANSACTIONS} transactions were open, and none ended",
            ),
            tasks=self._tasks,
        )
        self._namespaces: OrderedDict[DatabaseId, Namespace] = OrderedDict()  # longest unused first
        self._registry: LibsqlRegistry | None = None
        if admin is not None:
            own = Namespace(self._backend, _REGISTRY, _REGISTRY, None)
            self._registry = self._backend.registry = LibsqlRegistry(own, node or _this_node(key_file))

    def _replica(self, url: ServerUrl) -> Replica:
        return Replica(HranaClient(url, connections=_CONNECTIONS), self._tasks, QUERIES["probe"])

    async def start(self) -> None:
        """Reads the key file and deletes scratch databases that were left over. The server need not be there: the first
        call says if it is not. Raises `SettingsError` for a key file that cannot be used."""
        if self._key_file is not None:
            try:
                self._backend.keys = NamespaceKeys(await asyncio.to_thread(read_or_make_secret, self._key_file))
            except KeyFileFault as error:
                raise SettingsError(str(error)) from error
        if self._registry is not None:
            tidying = self._tasks.add(self._tidy(self._registry), "tidy-libsql-server")
            await asyncio.wait([tidying], timeout=_TIDY_SECONDS)  # what takes longer goes on beside the box

    async def stop(self) -> None:
        await self._tasks.cancel()
        await self._backend.client.close()
        if self._backend.admin is not None:
            await self._backend.admin.close()
        if self._backend.replica is not None:
            await self._backend.replica.close()

    async def health(self) -> None:
        """Raises `BindingError` (`DB_UNAVAILABLE`) when the server does not answer within two seconds."""
        client = self._backend.client
        try:
            await client.alive(_HEALTH_SECONDS)
        except ServerDown as error:
            message = f"the LibSQL server at {client.url.host} is not available: {error.reason}"
            raise BindingError("DB_UNAVAILABLE", message) from error

    def open(self, database: DatabaseId, view: View = WORKER) -> Database:
        return LibsqlDatabase(self._namespace(database), view)

    async def names(self, project: str) -> list[DatabaseInfo]:
        names = {DEFAULT_DATABASE}
        if self._registry is not None:
            names.update(name for name in await self._registry.names(project) if not name.startswith(SCRATCH_PREFIX))
        turns = asyncio.Semaphore(_SIZES_AT_ONCE)
        return list(await asyncio.gather(*(self._info(DatabaseId(project, name), turns) for name in sorted(names))))

    async def exists(self, database: DatabaseId) -> bool:
        if database.name == DEFAULT_DATABASE:
            return True
        return self._registry is not None and await self._registry.has(database)

    async def create(self, database: DatabaseId) -> None:
        self._wants_admin(database)
        if database.name == DEFAULT_DATABASE or not await self._namespace(database).make():
            raise _exists(database)

    async def delete(self, database: DatabaseId) -> None:
        admin, registry = self._wants_admin(database)
        namespace = self._namespace(database)
        namespace.begin_deleting()
        try:
            deleted = await admin.delete(namespace.name)
            if database.name != DEFAULT_DATABASE:
                await registry.forget(database)
                if not deleted:
                    raise _not_found(database)
        except (ServerDown, ServerError) as error:
            raise admin_failed(admin, error) from error
        finally:
            namespace.end_deleting()

    async def copy(self, source: DatabaseId, target: DatabaseId) -> None:
        if source.project != target.project:
            raise ValueError("a database is copied within its project")
        admin, registry = self._wants_admin(target)
        if target.name == DEFAULT_DATABASE or await registry.has(target):
            raise _exists(target)
        if not await self.exists(source):
            raise _not_found(source)
        origin, copy = self._namespace(source), self._namespace(target)
        await origin.make()  # else there may be nothing to copy
        await registry.register(target)
        try:
            if not await admin.fork(origin.name, copy.name):
                raise _exists(target)
            await admin.configure(copy.name, copy.settings())  # until now it had the source's key
        except (ServerDown, ServerError) as error:
            await self._undo_copy(admin, registry, target, copy.name)
            raise admin_failed(admin, error) from error

    async def _undo_copy(self, admin: AdminApi, registry: LibsqlRegistry, target: DatabaseId, namespace: str) -> None:
        try:
            await admin.delete(namespace)
            await registry.forget(target)
        except (ServerDown, ServerError, BindingError) as error:
            logger.warning("half a copy, the database %s, was left on the LibSQL server: %s", target.name, error)

    async def _info(self, database: DatabaseId, turns: asyncio.Semaphore) -> DatabaseInfo:
        namespace = self._namespace(database)
        requests: list[Ask] = [Execute(Stmt(QUERIES["size"])), Close()]
        async with turns:
            try:
                answer = await namespace.ask(requests, seconds=self._limits.statement_seconds, reads=True, makes=False)
            except BindingError as error:
                if error.code != "DATABASE_NOT_FOUND":
                    raise
                return DatabaseInfo(database.name, 0)  # it comes into being at its first use
        size = read_rows(answer.results[0], self._limits)[0][0]
        return DatabaseInfo(database.name, size if isinstance(size, int) else 0)

    async def _tidy(self, registry: LibsqlRegistry) -> None:
        """Deletes the scratch databases of an earlier life of this node."""
        try:
            for database in await registry.left_over():
                await self._delete_if_there(database)
        except BindingError as error:
            logger.warning("databases left over on the LibSQL server were not deleted: %s", error)

    async def _delete_if_there(self, database: DatabaseId) -> None:
        try:
            await self.delete(database)
        except BindingError as error:
            if error.code != "DATABASE_NOT_FOUND":
                raise

    def _namespace(self, database: DatabaseId) -> Namespace:
        """Raises `BindingError` for what needs the admin API when there is none."""
        namespace = self._namespaces.get(database)
        if namespace is not None:
            self._namespaces.move_to_end(database)
            return namespace
        if database != DatabaseId(DEFAULT_PROJECT):
            self._wants_admin(database)
        self._make_room()
        name = SERVERS_DEFAULT
        if database != DatabaseId(DEFAULT_PROJECT):
            name = f"{database.project}.{database.name}"
        noted = database if database.name != DEFAULT_DATABASE else None  # a default database needs no list
        namespace = self._namespaces[database] = Namespace(self._backend, name, database.project, noted)
        return namespace

    def _make_room(self) -> None:
        if len(self._namespaces) >= _NAMESPACES:
            idle = next((key for key, namespace in self._namespaces.items() if namespace.idle), None)
            if idle is not None:
                del self._namespaces[idle]

    def _wants_admin(self, database: DatabaseId) -> tuple[AdminApi, LibsqlRegistry]:
        if self._backend.admin is None or self._registry is None:
            raise BindingError(
                "DATABASE_NOT_AVAILABLE",
                f"the database {database.name} of the project {database.project} needs the LibSQL server's admin API: "
                "set V8BOX_LIBSQL_ADMIN_URL",
            )
        return self._backend.admin, self._registry


def _parsed(setting: str, url: str) -> ServerUrl:
    try:
        return ServerUrl.parse(url)
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from None  # the URL may hold a token


def _this_node(key_file: Path | None) -> str:
    return f"{socket.gethostname()}:{key_file.absolute() if key_file is not None else ''}"


def _exists(database: DatabaseId) -> BindingError:
    return BindingError("DATABASE_EXISTS", f"there is a database {database.name}: choose another name, or delete it")


def _not_found(database: DatabaseId) -> BindingError:
    return BindingError("DATABASE_NOT_FOUND", f"there is no database {database.name}")
