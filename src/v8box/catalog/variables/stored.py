"""What a change of variables does inside its transaction: compare, seal, keep versions, count, write the audit log.

The functions run in the database's thread; `store` calls them and tells those who follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from v8box.catalog.env_names import MAX_KEYS
from v8box.catalog.projects import CountQuotaExceeded
from v8box.catalog.variables.model import (
    KEPT_VERSIONS,
    MAX_LEVEL_BYTES,
    MAX_LEVELS,
    MAX_PER_PROJECT,
    Changed,
    Level,
    NewValue,
    TooManyVariables,
    ValueVersion,
    Variable,
    VariableNotFound,
    VariableUnreadable,
)
from v8box.storage import Row, Transaction, Value, load_queries
from v8box.storage.encryption import SealBroken, Sealer
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor

queries: Final = load_queries("v8box.catalog.variables")
_PURPOSE: Final = "variables"
_AUDITED_CHARACTERS: Final = 1_000

Check = Callable[[int], None]
"""Given the level's revision inside the transaction; raises to refuse the change."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A variable as it is in the database."""

    level: Level
    name: str
    secret: bool
    version: int
    sealed: bytes
    updated_at: str
    updated_by: str

    @classmethod
    def read(cls, project: str, row: Row) -> Stored:
        name, environment, worker, secret, version, sealed, at, by = row
        level = Level(project, str(environment), str(worker))
        return cls(level, str(name), bool(secret), integer(version), blob(sealed), str(at), str(by))

    def open(self, sealer: Sealer) -> str:
        """The value. Raises `VariableUnreadable`."""
        return open_value(sealer, self.level, self.name, self.version, self.sealed)

    def shown(self, sealer: Sealer) -> Variable:
        return Variable(
            level=self.level,
            name=self.name,
            secret=self.secret,
            version=self.version,
            value=None if self.secret else self.open(sealer),
            updated_at=datetime.fromisoformat(self.updated_at),
            updated_by=self.updated_by,
        )


def open_value(sealer: Sealer, level: Level, name: str, version: int, sealed: bytes) -> str:
    """Raises `VariableUnreadable`."""
    try:
        return sealer.open(_PURPOSE, _place(level, name, version), sealed).decode()
    except SealBroken:
        raise VariableUnreadable(
            f"The variable {name} of {level.words} cannot be opened: catalog.db was damaged or changed. Set it again."
        ) from None


def seal_value(sealer: Sealer, level: Level, name: str, version: int, value: str) -> bytes:
    return sealer.seal_now(_PURPOSE, _place(level, name, version), value.encode())


def _place(level: Level, name: str, version: int) -> str:
    """Where a value belongs: it opens under no other name, level or version. None of the parts holds a slash."""
    return f"{level.environment}/{level.worker}/{name}/{version}"


def level_rows(sql: Transaction, level: Level) -> dict[str, Stored]:
    return {str(row[0]): Stored.read(level.project, row) for row in sql.rows(queries["level"], level.key)}


def revision_of(sql: Transaction, level: Level) -> int:
    row = sql.row(queries["revision"], level.key)
    return 0 if row is None else integer(row[0])


class Change:
    """One change of one level: everything in it happens, or nothing does."""

    def __init__(self, sql: Transaction, level: Level, sealer: Sealer, actor: Actor, quota: int | None = None) -> None:
        self._sql = sql
        self._level = level
        self._sealer = sealer
        self._actor = actor
        self._quota = quota
        self._present = level_rows(sql, level)
        self._set: list[str] = []
        self._unchanged: list[str] = []
        self._deleted: list[str] = []

    def put(self, name: str, new: NewValue, action: str = "variable.set") -> None:
        """The same value again changes nothing, and so stops no sandbox."""
        before = self._present.get(name)
        secret = new.secret if new.secret is not None else before is not None and before.secret
        if before is not None and before.secret == secret and _opened(before, self._sealer) == new.value:
            self._unchanged.append(name)
            return
        version = 1 if before is None else before.version + 1
        key: dict[str, Value] = {**self._level.key, "name": name, "version": version, "secret": int(secret)}
        self._sql.execute(queries["put"], {**key, "size": len(new.value.encode())})
        sealed = seal_value(self._sealer, self._level, name, version, new.value)
        by = self._actor.name
        self._sql.execute(queries["add_value"], {**key, "sealed": sealed, "at": _now(), "by": by})
        if secret:
            self._sql.execute(queries["hide_values"], {**self._level.key, "name": name})
        oldest: dict[str, Value] = {**self._level.key, "name": name, "version": version - KEPT_VERSIONS}
        self._sql.execute(queries["forget_values"], oldest)
        masked = secret or (before is not None and before.secret)
        self._note(
            action,
            name,
            None if before is None else self._audited(before, masked=masked),
            self._described(new.value, secret=secret, version=version, masked=masked),
        )
        self._set.append(name)

    def others(self, names: Collection[str]) -> list[str]:
        """Those that the level has besides these."""
        return [name for name in self._present if name not in names]

    def delete(self, name: str) -> None:
        before = self._present.get(name)
        if before is None:
            raise VariableNotFound(f"There is no variable {name} of {self._level.words}.")
        self._sql.execute(queries["delete"], {**self._level.key, "name": name})
        self._note("variable.delete", name, self._audited(before, masked=before.secret), None)
        self._deleted.append(name)

    def roll_back(self, name: str, version: int) -> None:
        """The value of an earlier version becomes that of a new one. A secret stays one."""
        before = self._present.get(name)
        if before is None:
            raise VariableNotFound(f"There is no variable {name} of {self._level.words}.")
        rows = {integer(row[0]): row for row in self._sql.rows(queries["values"], {**self._level.key, "name": name})}
        if version not in rows:
            kept = ", ".join(map(str, sorted(rows)))
            raise VariableNotFound(f"{name} has no version {version}; kept are {kept}.")
        _, secret, sealed, *_ = rows[version]
        value = open_value(self._sealer, self._level, name, version, blob(sealed))
        self.put(name, NewValue(value=value, secret=bool(secret) or before.secret), "variable.rollback")

    def finish(self) -> Changed:
        """Counts, and raises the revision if anything changed. Raises `TooManyVariables`."""
        if not self._set and not self._deleted:
            return Changed(revision=revision_of(self._sql, self._level), unchanged=tuple(self._unchanged))
        if self._set:
            self._check_room()
        (bumped,) = self._sql.rows(queries["bump"], self._level.key)
        return Changed(
            revision=integer(bumped[0]),
            set=tuple(self._set),
            unchanged=tuple(self._unchanged),
            deleted=tuple(self._deleted),
        )

    def _check_room(self) -> None:
        (used,) = self._sql.rows(queries["used"], self._level.key)
        count, size, in_project = map(integer, used)
        more = any(name not in self._present for name in self._set)  # who is over a lowered quota may still change
        if more and self._quota is not None and in_project > self._quota:
            raise CountQuotaExceeded(self._level.project, "variables", self._quota, in_project)
        (levels,) = self._sql.rows(queries["levels"], {"project": self._level.project})
        for limit, found, what in (
            (MAX_KEYS, count, f"{self._level.words}: the variables of one level are"),
            (MAX_LEVEL_BYTES, size, f"{self._level.words}: the bytes of all values of one level are"),
            (MAX_PER_PROJECT, in_project, "The variables of one project are"),
            (MAX_LEVELS, integer(levels[0]), "The workers and environments of one project that have variables are"),
        ):
            if found > limit:
                raise TooManyVariables(limit, found, what)

    # ---- the audit log

    def _note(self, action: str, name: str, before: Any, after: Any) -> None:
        event = audit.Event(
            action=action,
            resource=f"variable/{name}",
            actor=self._actor,
            project=self._level.project,
            before=before,
            after=after,
        )
        audit.append(self._sql, event)

    def _audited(self, stored: Stored, *, masked: bool) -> Mapping[str, Any]:
        value = "" if masked else _opened(stored, self._sealer) or ""
        return self._described(value, secret=stored.secret, version=stored.version, masked=masked)

    def _described(self, value: str, *, secret: bool, version: int, masked: bool) -> Mapping[str, Any]:
        """`masked` also where the other side of the change is a secret: it may be the same value."""
        more = len(value) - _AUDITED_CHARACTERS
        shown = value if more <= 0 else f"{value[:_AUDITED_CHARACTERS]}… and {more} more characters"
        return {
            "worker": self._level.worker or None,
            "environment": self._level.environment or None,
            "secret": secret,
            "version": version,
            "value": audit.MASK if masked else shown,
        }


def read_versions(sql: Transaction, sealer: Sealer, level: Level, name: str) -> list[ValueVersion]:
    """Newest first. Raises `VariableNotFound`."""
    rows = sql.rows(queries["values"], {**level.key, "name": name})
    if not rows:
        raise VariableNotFound(f"There is no variable {name} of {level.words}.")
    return [
        ValueVersion(
            version=integer(version),
            secret=bool(secret),
            value=None if secret else open_value(sealer, level, name, integer(version), blob(sealed)),
            created_at=datetime.fromisoformat(str(at)),
            created_by=str(by),
            current=index == 0,
        )
        for index, (version, secret, sealed, at, by) in enumerate(rows)
    ]


def reseal_next(sql: Transaction, sealer: Sealer, project: str, after: int) -> tuple[int, int, int]:
    """Seals the next values of a project with its newest data key: how many were read, and sealed again, and where to
    go on. One that does not open is left as it is."""
    rows = sql.rows(queries["all_values"], {"project": project, "after": after})
    resealed = 0
    for rowid, environment, worker, name, version, sealed in rows:
        after = integer(rowid)
        level, number = Level(project, str(environment), str(worker)), integer(version)
        try:
            if not sealer.is_old(blob(sealed)):
                continue
            value = open_value(sealer, level, str(name), number, blob(sealed))
        except (SealBroken, VariableUnreadable):
            continue
        fresh = seal_value(sealer, level, str(name), number, value)
        sql.execute(queries["reseal"], {"rowid": after, "sealed": fresh})
        resealed += 1
    return len(rows), resealed, after


def _opened(stored: Stored, sealer: Sealer) -> str | None:
    """For comparing: one that does not open is different from any, so that it can be set again."""
    try:
        return stored.open(sealer)
    except VariableUnreadable:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def integer(value: Any) -> int:
    if not isinstance(value, int):
        raise AssertionError("the column is an integer")
    return value


def blob(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise AssertionError("the column is a blob")
    return value
