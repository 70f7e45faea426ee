"""What became of files, by project, the file's hash and what was done to it: nothing is made smaller twice.

The table is a memory, no truth: what it names may have been swept from the store since, and is made again then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from v8box.features.pages.optimise.recipes import Recipe
from v8box.gateway.pages.release import Encoding, Stored
from v8box.storage import Database, Row, Transaction, Value, load_migrations, load_queries

MAX_KEPT: Final = 200_000
_AT_ONCE: Final = 500
"""Names in one transaction: others wait for it."""
_PACKAGE: Final = "v8box.features.pages.optimise"
_SQL: Final = load_queries(_PACKAGE)

Name = tuple[str, str]
"""The key of a file and the name of a recipe."""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """Where the smaller forms of a file are. `left`: why it could not be worked on, if so."""

    content: Stored | None = None
    encodings: dict[Encoding, Stored] = {}
    variants: dict[str, Stored] = {}
    pins: list[str] = []
    left: str = ""

    @property
    def keys(self) -> Sequence[str]:
        """Of all that it refers to."""
        forms = [*self.encodings.values(), *self.variants.values(), *([self.content] if self.content else [])]
        return [form.hash for form in forms]


class Outcomes:
    """`open` it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, database: Database) -> Outcomes:
        await database.migrate("pages_optimise", load_migrations(_PACKAGE))
        return cls(database)

    async def find(self, project: str, recipes: Sequence[Recipe]) -> dict[Name, Outcome]:
        """What is known of these."""
        found: dict[Name, Outcome] = {}
        for start in range(0, len(recipes), _AT_ONCE):
            names = [name_of(each) for each in recipes[start : start + _AT_ONCE]]
            for key, recipe, outcome in await self._database.write(partial(_find, project, names)):
                if isinstance(outcome, bytes):
                    found[str(key), str(recipe)] = msgspec.msgpack.decode(outcome, type=Outcome)
        return found

    async def keep(self, project: str, made: Mapping[Name, Outcome]) -> None:
        """Remembers what was made."""
        rows: list[dict[str, Value]] = [
            {"project": project, "key": key, "recipe": recipe, "outcome": msgspec.msgpack.encode(outcome), "at": _now()}
            for (key, recipe), outcome in made.items()
        ]

        def write(sql: Transaction) -> None:
            for row in rows:
                sql.execute(_SQL["keep_outcome"], row)

        await self._database.write(write)

    async def tidy(self, most: int = MAX_KEPT) -> None:
        """Forgets what was of no use for longest, if it is too much."""
        await self._database.write(lambda sql: sql.execute(_SQL["forget_outcomes"], {"most": most}))


def name_of(recipe: Recipe) -> Name:
    return recipe.request.key, recipe.name


def _find(project: str, names: Sequence[Name], sql: Transaction) -> list[Row]:
    bindings: dict[str, Value] = {"project": project, "wanted": msgspec.json.encode(names).decode()}
    rows = sql.rows(_SQL["outcomes"], bindings)
    if rows:
        bindings["at"] = _now()
        sql.execute(_SQL["touch_outcomes"], bindings)
    return rows


def _now() -> int:
    return int(time.time())
