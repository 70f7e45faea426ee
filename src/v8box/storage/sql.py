"""Queries that live in `.sql` files and have names. Nothing here runs any of them; migrations are in `migrations`.

A query begins with `-- name: word`; the comment lines right below say what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"--\s*name:\s*(\S+)\s*")


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


def load_queries(package: str, file: str = "queries.sql") -> Queries:
    """The named queries of a package, e.g. `load_queries("v8box.catalog")`."""
    return Queries((files(package) / file).read_text(encoding="utf-8"), f"{package}/{file}")
