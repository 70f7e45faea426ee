"""SQL that lives in `.sql` files: queries with names, migrations in order. Nothing here runs any of it.

A query begins with `-- name: word`; the comment lines right below say what it does. A migration is a file
`NNNN_what.sql` in a package's `migrations` folder; its number orders it, its checksum guards it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_NAME: Final = re.compile(r"--\s*name:\s*(\S+)\s*")
_MIGRATION: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class Queries(Mapping[str, str]):
    """The queries of one file, by name. A missing name is a `KeyError` at the first use, in any test."""

    def __init__(self, text: str, origin: str) -> None:
        self._origin = origin
        self._queries = dict(_split(text, origin))

    def __getitem__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise KeyError(f"{self._origin} has no query named {name}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


def _split(text: str, origin: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    name: str | None = None
    body: list[str] = []
    for line in [*text.splitlines(), "-- name: end"]:
        match = _NAME.fullmatch(line)
        if match is None:
            if name is None and line.strip() and not line.startswith("--"):
                raise ValueError(f"{origin}: SQL before the first name: {line}")
            body.append(line)
            continue
        if name is not None:
            sql = "\n".join(body).strip()
            if not sql or name in seen:
                raise ValueError(f"{origin}: the query {name} is empty or named twice")
            seen.add(name)
            yield name, sql
        name, body = match[1], []


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema. Once released it never changes; the database remembers its checksum."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_queries(package: str, file: str = "queries.sql") -> Queries:
    """The named queries of a package, e.g. `load_queries("v8box.catalog")`."""
    return Queries((files(package) / file).read_text(encoding="utf-8"), f"{package}/{file}")


def load_migrations(package: str, folder: str = "migrations") -> tuple[Migration, ...]:
    """The migrations of a package in order. Their numbers must be 1, 2, 3, … with no gap."""
    found = sorted(_read_migrations(files(package) / folder), key=lambda each: each.number)
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{package}/{folder}: the migrations are not numbered 0001, 0002, … without a gap")
    return tuple(found)


def _read_migrations(folder: Traversable) -> Iterator[Migration]:
    for file in folder.iterdir():
        if file.name.endswith(".sql"):
            match = _MIGRATION.fullmatch(file.name)
            if match is None:
                raise ValueError(f"{file.name} is no name for a migration: NNNN_what.sql")
            yield Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
