"""Migrations without the database: reading files, their order and checksums, what is pending, and what has drifted.

A migration is a file `NNNN_what.sql`, with `NNNN_what.down.sql` beside it where it can be undone. Who runs them
(`storage.Database` for the platform's own tables, the database feature for users' databases) asks `next_pending` inside
the transaction that applies the answer, so that two at once cannot both apply it.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import ClassVar, Final, Literal

from v8box.errors import V8BoxError
from v8box.storage.statements import Part, split

MAX_MIGRATIONS: Final = 9_999
_FILE: Final = re.compile(r"([0-9]{4})_([a-z0-9_]{1,100})(\.down)?\.sql")
NAME: Final = re.compile(r"[a-z0-9_]{1,100}")

State = Literal["applied", "pending", "changed", "missing", "late"]
"""`changed`: not the text that was applied. `missing`: applied, but no longer among the files. `late`: not applied,
though a later one is."""


class MigrationFault(V8BoxError):
    """The migrations cannot be read or do not fit together."""

    status: ClassVar[int] = 400
    code = "migration_fault"


class MigrationDrift(V8BoxError):
    """The migrations are not those that the database has seen."""

    status: ClassVar[int] = 409
    code = "migration_drift"


class MigrationFailed(V8BoxError):
    """A migration's SQL failed. Nothing of it was kept. `file` and `line` say where."""

    status: ClassVar[int] = 400
    code = "migration_failed"

    def __init__(self, file: str, line: int, reason: str) -> None:
        self.file = file
        self.line = line
        self.reason = reason
        super().__init__(f"{file}, line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema. Once applied it never changes: the database remembers its checksum."""

    number: int
    name: str
    sql: str
    down: str | None = None
    """What undoes it, if anything does."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the text with Unix line ends, so that a checkout on another system is the same migration."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def file(self) -> str:
        return file_name(self.number, self.name)

    def statements(self) -> list[Part]:
        return split(self.sql)


@dataclass(frozen=True, slots=True)
class Applied:
    """One step that a database has seen."""

    number: int
    name: str
    checksum: str
    applied_at: str
    down: str | None = None

    @property
    def file(self) -> str:
        return file_name(self.number, self.name)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one migration stands."""

    number: int
    name: str
    state: State
    applied_at: str | None = None
    reversible: bool = False

    @property
    def file(self) -> str:
        return file_name(self.number, self.name)


def file_name(number: int, name: str, *, down: bool = False) -> str:
    return f"{number:04}_{name}{'.down' if down else ''}.sql"


def read_folder(folder: Traversable | Path) -> tuple[Migration, ...]:
    """The migrations of a folder in order; folders in it are left alone. Raises `MigrationFault` naming every file that
    cannot be one."""
    texts: dict[tuple[int, str], dict[bool, str]] = {}
    faults: list[str] = []
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".sql") or not file.is_file():
            continue
        match = _FILE.fullmatch(file.name)
        if match is None or int(match[1]) == 0:
            faults.append(f"{file.name} is no name for a migration: use 0001_what.sql, with a to z, 0 to 9 and _")
            continue
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            faults.append(f"{file.name} is not UTF-8 text")
            continue
        texts.setdefault((int(match[1]), match[2]), {})[match[3] is not None] = text
    faults += [
        f"{file_name(*key, down=True)} has no {file_name(*key)} beside it"
        for key, both in texts.items()
        if False not in both
    ]
    if faults:
        raise MigrationFault("; ".join(faults))
    return in_order(Migration(*key, both[False], both.get(True)) for key, both in texts.items())


def in_order(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """The migrations by their numbers. Raises `MigrationFault` for two with one number and for one without SQL."""
    ordered = tuple(sorted(migrations, key=lambda each: (each.number, each.name)))
    for before, after in itertools.pairwise(ordered):
        if before.number == after.number:
            raise MigrationFault(f"{before.file} and {after.file} have the same number: give one of them the next one")
    for each in ordered:
        if not each.statements():
            raise MigrationFault(f"{each.file} holds no SQL statement")
        if each.down is not None and not split(each.down):
            raise MigrationFault(f"{file_name(each.number, each.name, down=True)} holds no SQL statement")
    return ordered


def load_migrations(package: str, folder: str = "migrations") -> tuple[Migration, ...]:
    """The migrations of a package in order. Their numbers must be 1, 2, 3, … with no gap: a gap is a file that was not
    packaged."""
    found = read_folder(files(package) / folder)
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise MigrationFault(f"{package}/{folder}: the migrations are not numbered 0001, 0002, … without a gap")
    return found


def next_pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> Migration | None:
    """The one to apply next, None when all are. Raises `MigrationDrift` when the files and the database disagree."""
    drift = [_in_words(each) for each in standings(migrations, applied) if each.state not in ("applied", "pending")]
    if drift:
        raise MigrationDrift("; ".join(drift))
    seen = {each.number for each in applied}
    return next((each for each in migrations if each.number not in seen), None)


def standings(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Standing]:
    """How each migration stands, those that only the database knows included, by number."""
    by_number = {each.number: each for each in migrations}
    newest = max((each.number for each in applied), default=0)
    known = {each.number for each in applied}
    found = [
        Standing(each.number, each.name, _state(each, by_number.get(each.number)), each.applied_at, bool(each.down))
        for each in applied
    ]
    found += [
        Standing(each.number, each.name, "late" if each.number < newest else "pending", None, each.down is not None)
        for each in migrations
        if each.number not in known
    ]
    return sorted(found, key=lambda each: each.number)


def to_undo(applied: Sequence[Applied], steps: int) -> tuple[Applied, ...]:
    """The newest `steps` migrations, newest first. Raises `MigrationFault` when there are fewer, or one has no way
    back: then none of them is undone."""
    newest = sorted(applied, key=lambda each: each.number, reverse=True)[:steps]
    if len(newest) < steps:
        raise MigrationFault(f"{steps} migrations cannot be undone: {len(newest)} are applied")
    stuck = [each.file for each in newest if not each.down]
    if stuck:
        raise MigrationFault(
            f"{', '.join(stuck)} was applied without a .down.sql file, so it cannot be undone. Write a new migration "
            "that takes it back"
        )
    return tuple(newest)


def _state(applied: Applied, migration: Migration | None) -> State:
    if migration is None:
        return "missing"
    return "applied" if (migration.name, migration.checksum) == (applied.name, applied.checksum) else "changed"


def _in_words(standing: Standing) -> str:
    match standing.state:
        case "changed":
            return (
                f"migration {standing.number} ({standing.name}) is not the one applied before: put its file back as it "
                "was, and write the change as a new migration"
            )
        case "missing":
            return f"migration {standing.number} ({standing.name}) is applied, but its file is not there"
        case _:
            return f"{standing.file} comes before one that is applied already: give it the next number"


def in_runs(parts: Sequence[Part], *, most: int, max_bytes: int) -> Iterator[list[Part]]:
    """The statements in runs of at most `most` and about `max_bytes`: what is sent to a database at once."""
    run: list[Part] = []
    size = 0
    for part in parts:
        length = len(part.sql.encode())
        if run and (len(run) >= most or size + length > max_bytes):
            yield run
            run, size = [], 0
        run.append(part)
        size += length
    if run:
        yield run
