"""`v8box db saved`: SQL that the members of a project keep under a name, and running SQL at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Database, fail, print_text, say
from v8box.cli.exits import Exit

app = typer.Typer(name="saved", help="SQL that the project's members keep under a name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The query's name.")]


@app.command("list")
@on_box
def list_saved(
    command: Command,
    database: Annotated[str | None, typer.Option("--database", "-d", help="Only those of this database.")] = None,
) -> None:
    """List the saved queries."""
    found = command.api.all(command.at("saved-queries"), database=database)
    rows = [
        (each["name"], each["database"], " ".join(each["sql"].split())[:60], each["updated_by"], each["updated_at"])
        for each in found
    ]
    command.show(found, ("name", "database", "sql", "by", "saved"), rows)
    if not found and not command.as_json:
        command.say("None yet: v8box db saved save NAME SQL")


@app.command("save")
@on_box
def save(
    command: Command,
    name: Name,
    sql: Annotated[str, typer.Argument(help="Its SQL; - reads it from standard input.")],
    database: Database = "global",
    replace: Annotated[bool, typer.Option("--replace", help="Save it over the one of this name.")] = False,
) -> None:
    """Keep a query under a name. It is not run."""
    text = sys.stdin.read() if sql == "-" else sql
    known = _find(command, name, database) if replace else None
    if known is None:
        saved = command.api.post(command.at("saved-queries"), {"database": database, "name": name, "sql": text})
    else:
        saved = command.api.patch(command.at("saved-queries", known["id"]), {"sql": text})
    command.show(saved, ("name", "database"), [(saved["name"], saved["database"])])
    command.say(f"Run it with: v8box db saved run {name!r} -d {saved['database']}")


@app.command("show")
@on_box
def show_saved(command: Command, name: Name, database: Database = "global") -> None:
    """Print a query's SQL."""
    found = _named(command, name, database)
    if command.as_json:
        command.show(found)
    else:
        print_text(f"{found['sql'].rstrip()}\n".encode())


@app.command("run")
@on_box
def run_saved(
    command: Command,
    name: Name,
    args: Annotated[list[str] | None, typer.Argument(help="The parameters: JSON, or else text.")] = None,
    database: Database = "global",
) -> None:
    """Run a query, one statement, and show what it answers."""
    run_query(command, database, _named(command, name, database)["sql"], args or ())


@app.command("delete")
@on_box
def delete_saved(command: Command, name: Name, database: Database = "global") -> None:
    """Delete a query. The members of the project shared it."""
    found = _named(command, name, database)
    command.api.delete(command.at("saved-queries", found["id"]))
    command.show({"deleted": name}, ("deleted",), [(name,)])


def run_query(command: Command, database: str, sql: str, args: Sequence[str]) -> None:
    """Runs one statement and shows its rows."""
    from v8box.cli.client import segment

    body = {"query": sql, "args": [_value(each) for each in args]}
    answer = command.admin.post(f"database/query/{segment(database)}", body)
    rows = [[_cell(row[column]) for column in answer["columns"]] for row in answer["rows"]]
    if command.as_json or answer["columns"]:
        command.show(answer, answer["columns"], rows)
    count = len(rows) if answer["columns"] else answer["rowsAffected"]
    say(f"{count} row{'' if count == 1 else 's'}{'' if answer['columns'] else ' changed'}")


def _find(command: Command, name: str, database: str) -> Any | None:
    found = command.api.all(command.at("saved-queries"), database=database)
    return next((each for each in found if each["name"] == name), None)


def _named(command: Command, name: str, database: str) -> Any:
    found = _find(command, name, database)
    if found is None:
        fail(f"{database} has no saved query {name!r}. `v8box db saved list` shows them", Exit.NOT_FOUND)
    return found


def _value(text: str) -> Any:
    """A parameter as JSON has it; what is no JSON is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _cell(value: Any) -> Any:
    return f"blob: {value['base64']}" if isinstance(value, dict) else value
