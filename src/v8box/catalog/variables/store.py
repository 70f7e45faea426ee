"""Variables and secrets of projects and workers: set, read, versioned, resolved for the start of a sandbox.

Later wins: the manifest's `env`, the project's, the project's of an environment, Vault's, the worker's, the worker's of
an environment. Values are sealed in the database and in memory only while they are asked for; what is in memory is a
revision per level, by which the catalog knows that a sandbox runs with variables of before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from v8box.catalog.env_names import env_faults
from v8box.catalog.variables import stored
from v8box.catalog.variables.model import (
    BadVariables,
    Changed,
    Effective,
    Level,
    Loaded,
    NewValue,
    ValueVersion,
    Variable,
    VariablesUnavailable,
    VariableUnreadable,
    Wanted,
)
from v8box.catalog.variables.source import NoSource, Source
from v8box.catalog.variables.stored import Change, Check, Stored, queries
from v8box.storage import Database, Row, Transaction, load_migrations
from v8box.storage.encryption import Encryption
from v8box.telemetry.actors import Actor

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_NOTHING: Final = Loaded(values=MappingProxyType({}))
_SOURCE_RANK: Final = 1.5  # over the project's levels, below the worker's

Subscriber = Callable[[], Awaitable[None]]
Quota = Callable[[str], int | None]
"""How many variables a project may have; None: as many as it likes."""


def no_quota(_: str) -> int | None:
    """`Quota` where there is none."""
    return None


class Variables:
    """All variables of the box. `open` it once the audit log is open."""

    def __init__(self, database: Database, encryption: Encryption, source: Source, quota: Quota) -> None:
        self._database = database
        self._encryption = encryption
        self._source = source
        self._quota = quota
        self._revisions: dict[Level, int] = {}
        self._subscribers: list[Subscriber] = []

    @classmethod
    async def open(
        cls,
        database: Database,
        encryption: Encryption,
        source: Source | None = None,
        *,
        quota: Quota = no_quota,
    ) -> Variables:
        """Brings the tables up to date and loads the revisions. `source` gives variables from elsewhere (Vault),
        `quota` says how many a project may have."""
        await database.migrate("variables", load_migrations("v8box.catalog.variables"))
        variables = cls(database, encryption, source or NoSource(), quota)
        rows = await database.read(lambda sql: sql.rows(queries["revisions"]))
        for project, environment, worker, value in rows:
            level = Level(str(project), str(environment), str(worker))
            variables._revisions[level] = stored.integer(value)
        encryption.hold(variables._reseal)
        variables._source.subscribe(variables._tell)
        return variables

    # ---- for who starts sandboxes

    def revision(self, project: str, environment: str, worker: str) -> int:
        """Grows whenever a variable changes that this worker gets in this environment. From memory, never waits."""
        levels = sum(self._revisions.get(level, 0) for level in _matching(project, environment, worker))
        return levels + self._source.revision(project, environment, worker)

    async def resolve(self, project: str, environment: str, worker: str) -> Mapping[str, str]:
        """What a worker gets in an environment, over its manifest's `env`: see `load`."""
        return (await self.load(project, environment, worker)).values

    async def load(self, project: str, environment: str, worker: str) -> Loaded:
        """The same, and which of the values are secret: for the start of a sandbox and for nothing else. Raises
        `VariablesUnavailable`, which names none of them: the worker's callers read it."""
        known = any(level in self._revisions for level in _matching(project, environment, worker))
        rows = await self._matching_rows(project, environment, worker) if known else []
        given = await self._source.values(project, environment, worker)
        if not rows and not given:
            return _NOTHING
        sealer = self._encryption.sealer(project)
        winners: dict[str, Stored | None] = {each.name: each for each in rows if not each.level.worker}
        winners |= dict.fromkeys(given)
        winners |= {each.name: each for each in rows if each.level.worker}
        try:
            values = {name: given[name] if row is None else row.open(sealer) for name, row in winners.items()}
        except VariableUnreadable as error:
            _log.error("%s %s of %s cannot start: %s", worker, environment, project, error.detail)
            raise VariablesUnavailable from error
        secret = frozenset(values[name] for name, row in winners.items() if row is None or row.secret)
        return Loaded(values=values, secrets=secret)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Awaits `subscriber` after every change: `revision` gives something else for somebody. Who made the change
        waits for it, so that what starts afterwards has the new values. Gives what ends the subscription."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    # ---- for who looks and changes

    def level_revision(self, level: Level) -> int:
        return self._revisions.get(level, 0)

    async def of_level(self, level: Level) -> tuple[Sequence[Variable], int]:
        """The variables of one level by name, and its revision."""
        sealer = self._encryption.sealer(level.project)

        def read(sql: Transaction) -> tuple[list[Variable], int]:
            rows = stored.level_rows(sql, level).values()
            return [each.shown(sealer) for each in rows], stored.revision_of(sql, level)

        return await self._database.read(read)

    async def of_project(self, project: str) -> Sequence[Variable]:
        """The variables of all levels of a project, by name."""
        sealer = self._encryption.sealer(project)

        def read(sql: Transaction) -> list[Variable]:
            rows = sql.rows(queries["project"], {"project": project})
            return [Stored.read(project, row).shown(sealer) for row in rows]

        return await self._database.read(read)

    async def count(self, project: str) -> int:
        """How many a project has, on all levels together."""
        row = await self._database.read(lambda sql: sql.row(queries["count"], {"project": project}))
        return stored.integer(row[0] if row else 0)

    async def effective(self, project: str, environment: str, worker: str, wanted: Wanted) -> Sequence[Effective]:
        """What the worker gets, name by name, and which of its sources each comes from."""
        rows = await self._matching_rows(project, environment, worker)
        given = await self._source.values(project, environment, worker)
        sealer = self._encryption.sealer(project)
        found: dict[str, list[tuple[float, str, str | None]]] = {}
        for name, text in wanted.env.items():
            if text:
                found.setdefault(name, []).append((-1, "manifest", text))
        for name in given:
            found.setdefault(name, []).append((_SOURCE_RANK, self._source.name, None))
        for each in rows:
            value = None if each.secret else each.open(sealer)
            found.setdefault(each.name, []).append((each.level.rank, _source_word(each.level), value))
        return [_effective(name, found.get(name, [])) for name in sorted(found.keys() | wanted.names)]

    async def change(
        self,
        level: Level,
        values: Mapping[str, NewValue],
        *,
        delete: Collection[str] = (),
        replace: bool = False,
        actor: Actor,
        check: Check | None = None,
    ) -> Changed:
        """Sets and deletes in one transaction; with `replace` the level then has these and no others. Raises
        `BadVariables` naming every fault, `VariableNotFound`, `TooManyVariables`, and whatever `check` raises; then
        nothing was changed."""
        faults = [f"{name[:60]} {fault}" for name, new in values.items() for fault in env_faults(name, new.value)]
        if faults:
            raise BadVariables(faults)

        def apply(change: Change) -> None:
            for name, new in values.items():
                change.put(name, new)
            for name in change.others(values) if replace else delete:
                change.delete(name)

        return await _to_its_end(self._change(level, apply, actor, check))

    async def versions(self, level: Level, name: str) -> Sequence[ValueVersion]:
        """The values it had, newest first; the last 20 are kept. Raises `VariableNotFound`."""
        sealer = self._encryption.sealer(level.project)
        return await self._database.read(lambda sql: stored.read_versions(sql, sealer, level, name))

    async def roll_back(
        self, level: Level, name: str, version: int, *, actor: Actor, check: Check | None = None
    ) -> Changed:
        """Sets the value that the version had. Raises `VariableNotFound`, and whatever `check` raises."""
        return await _to_its_end(self._change(level, lambda change: change.roll_back(name, version), actor, check))

    async def forget_worker(self, project: str, worker: str) -> None:
        """Removes the variables of a worker that is deleted for good. Who deletes it writes the audit log."""
        await _to_its_end(self._forget(queries["forget_worker"], {"project": project, "worker": worker}))

    async def forget_project(self, project: str) -> None:
        """Removes a project's variables and its data keys: what backups hold of them cannot be opened any more. Who
        deletes the project writes the audit log."""
        await _to_its_end(self._forget(queries["forget_project"], {"project": project}))
        await self._encryption.forget(project)

    # ----

    async def _change(
        self, level: Level, apply: Callable[[Change], None], actor: Actor, check: Check | None
    ) -> Changed:
        sealer = self._encryption.sealer(level.project)
        await sealer.ready()

        def write(sql: Transaction) -> Changed:
            if check is not None:
                check(stored.revision_of(sql, level))
            change = Change(sql, level, sealer, actor, self._quota(level.project))
            apply(change)
            return change.finish()

        changed = await self._database.write(write)
        if changed.revision > self._revisions.get(level, 0):
            self._revisions[level] = changed.revision
            await self._tell()
        return changed

    async def _forget(self, delete: str, where: Mapping[str, str]) -> None:
        """Revisions grow as with any change: should the name come back, no sandbox of before is taken for its own."""
        everywhere = {"worker": None, **where}

        def write(sql: Transaction) -> list[Row]:
            sql.execute(delete, where)
            return sql.rows(queries["bump_all"], everywhere)

        for project, environment, worker, value in await self._database.write(write):
            self._revisions[Level(str(project), str(environment), str(worker))] = stored.integer(value)
        await self._tell()

    async def _tell(self) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                await subscriber()
            except Exception:
                _log.exception("a subscriber of the variables failed")

    async def _matching_rows(self, project: str, environment: str, worker: str) -> list[Stored]:
        """Of the four levels, the weakest first."""
        key = {"project": project, "environment": environment, "worker": worker}
        rows = await self._database.read(lambda sql: sql.rows(queries["matching"], key))
        return sorted((Stored.read(project, row) for row in rows), key=lambda each: each.level.rank)

    async def _reseal(self, project: str | None) -> int:
        """In pieces: other writers come in between."""
        if project is None:
            return 0
        sealer = self._encryption.sealer(project)
        resealed, after = 0, 0
        while True:
            read, done, after = await self._database.write(
                lambda sql, after=after: stored.reseal_next(sql, sealer, project, after)  # type: ignore[misc]
            )
            resealed += done
            if read == 0:
                return resealed


def _matching(project: str, environment: str, worker: str) -> tuple[Level, ...]:
    return (
        Level(project),
        Level(project, environment),
        Level(project, "", worker),
        Level(project, environment, worker),
    )


def _source_word(level: Level) -> str:
    word = "worker" if level.worker else "project"
    return f"{word}/{level.environment}" if level.environment else word


def _effective(name: str, found: Sequence[tuple[float, str, str | None]]) -> Effective:
    ordered = sorted(found, key=lambda each: each[0], reverse=True)
    if not ordered:
        return Effective(name=name, secret=False, value=None, source=None, overrides=())
    (_, source, value), *rest = ordered
    return Effective(
        name=name,
        secret=value is None,
        value=value,
        source=source,
        overrides=tuple(word for _, word, _ in rest),
    )


async def _to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """A change that began ends, whoever stops waiting: the database and the revisions must not come apart."""
    return await asyncio.shield(asyncio.ensure_future(change))
