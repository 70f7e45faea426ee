"""TypeScript for a project's tables: one interface per table or view, so that an editor knows what a row has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final, TypeVar

from fastapi import APIRouter, Response

from v8box.api.access import Role, needs
from v8box.api.deployed import Project
from v8box.api.v1 import router_v1
from v8box.bindings.db.interface import DatabaseId, Databases, View
from v8box.bindings.interface import BindingError
from v8box.features.database import structure
from v8box.features.database.structure import Column

MAX_DATABASES: Final = 50
MAX_TABLES: Final = 500
_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
T = TypeVar("T")


def build_router(databases: Databases) -> APIRouter:
    """The route."""
    routes = router_v1("/projects/{project}/types", "database")

    @routes.get(
        "",
        dependencies=[needs(Role.VIEWER)],
        response_class=Response,
        responses={200: {"description": "TypeScript.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def show_types(project: Project) -> Response:
        """The types of workers (`v8box.d.ts`) and of the rows of the project's tables (`Tables.Main.Users`), for
        editors."""
        own = (files("v8box") / "runtime" / "types" / "v8box.d.ts").read_text(encoding="utf-8")
        return Response(own + "\n" + await table_types(databases, project), media_type="text/plain")

    return routes


async def table_types(databases: Databases, project: str) -> str:
    """`declare namespace Tables`, with a namespace per database."""
    lines = [
        "/** Rows of this project's tables, as they are now: `(await db.execute(…)).rows as unknown as",
        " * Tables.Main.Users[]`, or `.first<Tables.Main.Users>()`. */",
        "declare namespace Tables {",
    ]
    room = MAX_TABLES
    for each in sorted(await databases.names(project), key=lambda entry: entry.name)[:MAX_DATABASES]:
        try:
            sql = databases.open(DatabaseId(project, each.name), View(admin=True))
            found = await structure.schema(sql, counts=False)
        except BindingError as error:
            lines.append(f"  // {_comment(each.name)} cannot be read: {_comment(error.message)}")
            continue
        tables = [*found["tables"], *found["views"]][:room]
        room -= len(tables)
        lines.append(f"  namespace {_name(each.name)} {{")
        for name, table in _named((table.name, table) for table in tables):
            lines += [f"    /** {_comment(table.name)} */", f"    interface {name} {{"]
            lines += [f"      {_key(column.name)}: {_type(column)};" for column in table.columns]
            lines.append("    }")
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _named(items: Iterable[tuple[str, T]]) -> Sequence[tuple[str, T]]:
    """Each under a name of its own: two that differ only in what no identifier has get a number."""
    taken: dict[str, T] = {}
    for name, item in items:
        wanted = free = _name(name)
        number = 2
        while free in taken:
            free, number = f"{wanted}{number}", number + 1
        taken[free] = item
    return list(taken.items())


def _name(name: str) -> str:
    """`order_items` is `OrderItems`, which is no keyword; what begins with a digit, or has no letter at all, gets an
    underscore."""
    made = "".join(word[0].upper() + word[1:] for word in _WORD.findall(name))
    return made if made[:1].isalpha() else f"_{made}"


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)


def _type(column: Column) -> str:
    """By the affinity of the declared type, as SQLite finds it (https://sqlite.org/datatype3.html §3.1)."""
    declared = column.type.upper()
    if "INT" in declared:
        made = "number"
    elif any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        made = "string"
    elif "BLOB" in declared or not declared:
        made = "ArrayBuffer" if declared else "V8Box.DbValue"
    elif any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        made = "number"
    else:
        made = "number | string"  # NUMERIC: what looks like a number is one
    return made if not column.nullable or made == "V8Box.DbValue" else f"{made} | null"


def _comment(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", " ", text).replace("*/", "* /")[:200]
