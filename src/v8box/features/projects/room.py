"""Whether a project may have one database or bucket more, and how much its buckets may hold.

`storage_mb` is for databases, buckets and sites together. Objects are held to it exactly: their store asks
`object_bytes` at each upload. Databases grow in engines of their own, each up to its bound; a project that is full gets
no new one, and no release of a site. What databases and sites take is measured once a minute and lessens what the
buckets may have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.bindings.db.interface import DEFAULT_DATABASE, DatabaseInfo, Databases
from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import ObjectStore
from v8box.catalog.projects import ProjectDeleting, Projects, QuotaExceeded, StorageQuotaExceeded

MEASURE_SECONDS: Final = 60.0
_MIB: Final = 1_048_576
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a project has: databases beside the default one, buckets, and the bytes in all of them and in its sites."""

    databases: int
    buckets: int
    storage_bytes: int


class Room:
    """Asked before something is made. `watch` the stores before the first question, let `measure_forever` run."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._databases: Databases
        self._objects: ObjectStore
        self._site_bytes_of: Callable[[str], Awaitable[int]]
        self._other_bytes: dict[str, int] = {}
        """By project, those of its databases and sites."""

    def watch(self, databases: Databases, objects: ObjectStore, site_bytes: Callable[[str], Awaitable[int]]) -> None:
        self._databases, self._objects, self._site_bytes_of = databases, objects, site_bytes

    # ---- for the stores

    def object_bytes(self, project: str) -> int | None:
        """How much the project's buckets may hold together. From memory, from any thread."""
        limit = self._projects.quotas(project).storage_mb
        return None if limit is None else max(0, limit * _MIB - self._other_bytes.get(project, 0))

    def buckets(self, project: str) -> int | None:
        """How many buckets the project may have. From memory, from any thread."""
        return self._projects.quotas(project).buckets

    async def admit_database(self, project: str) -> None:
        """`check_database` in the words of the bindings."""
        await _as_binding(self.check_database, project)

    # ---- for the API

    async def check_database(self, project: str) -> None:
        """Raises `CountQuotaExceeded`, `StorageQuotaExceeded`."""
        quotas = self._projects.quotas(project)
        if quotas.databases is None and quotas.storage_mb is None:
            return
        held = await self.holds(project)
        self._projects.check_room(project, "databases", held.databases)
        if quotas.storage_mb is not None and held.storage_bytes >= quotas.storage_mb * _MIB:
            raise StorageQuotaExceeded(project, quotas.storage_mb, round(held.storage_bytes / _MIB, 1))

    async def check_bucket(self, project: str) -> None:
        """Raises `CountQuotaExceeded`."""
        if self._projects.quotas(project).buckets is not None:
            self._projects.check_room(project, "buckets", len(await self._objects.buckets(project)))

    def check_site(self, project: str, held: int) -> None:
        """Whether a project with so many sites may have one more. Raises `ProjectNotFound`, `CountQuotaExceeded`."""
        if not self._projects.exists(project):
            self._projects.get(project)
            raise ProjectDeleting(f"The project {project} is being deleted.")
        self._projects.check_room(project, "sites", held)

    async def check_bytes(self, project: str, more: int) -> None:
        """Whether a project may store so many bytes more. Raises `StorageQuotaExceeded`."""
        limit = self._projects.quotas(project).storage_mb
        if limit is None:
            return
        held = (await self.holds(project)).storage_bytes
        if held + more > limit * _MIB:
            raise StorageQuotaExceeded(project, limit, round(held / _MIB, 1))

    async def holds(self, project: str) -> Holding:
        """What the project has now."""
        (databases, other), buckets = await self._measure(project), await self._objects.buckets(project)
        size = other + sum(each.size or 0 for each in buckets)
        own = sum(each.name != DEFAULT_DATABASE for each in databases)
        return Holding(databases=own, buckets=len(buckets), storage_bytes=size)

    async def _measure(self, project: str) -> tuple[Sequence[DatabaseInfo], int]:
        """The databases, and the bytes in them and in the sites."""
        found = await self._databases.names(project)
        other = await self._site_bytes_of(project) + sum(each.size_bytes for each in found)
        self._other_bytes[project] = other
        return found, other

    async def measure_forever(self) -> None:
        while True:
            await self.measure()
            await asyncio.sleep(MEASURE_SECONDS)

    async def measure(self) -> None:
        """Looks how much the databases and sites of each project with a bound hold."""
        bounded = [
            each.name for each in self._projects.all() if self._projects.quotas(each.name).storage_mb is not None
        ]
        for gone in self._other_bytes.keys() - set(bounded):
            del self._other_bytes[gone]
        for project in bounded:
            try:
                await self._measure(project)
            except BindingError as error:
                _log.warning("the databases of the project %s cannot be measured: %s", project, error.message)


async def _as_binding(check: Callable[[str], Awaitable[None]], project: str) -> None:
    try:
        await check(project)
    except QuotaExceeded as error:
        raise BindingError(error.code, error.detail, {"limit": error.limit, "used": error.used}) from error
