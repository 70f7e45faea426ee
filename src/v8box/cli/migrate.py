"""`v8box db migrate`, `rollback`, `status`: the files in DIR/migrations and what the running box made of them.

DIR/migrations/NNNN_what.sql is for the default database, DIR/migrations/<database>/NNNN_what.sql for another. The box
keeps the history; reading and comparing is `storage/migrations.py`, the same code that the box runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Database, Yes, ask, fail, say

if TYPE_CHECKING:
    from v8box.storage.migrations import Migration, Standing

FOLDER: Final = "migrations"
_DEFAULTS: Final = ("global", "default")
_HERE: Final = Path()
_ADVICE: Final = {
    "changed": "put the file back as it was, and write the change as a new migration",
    "missing": "put its file back",
    "late": "give it the next number",
}

Directory = Annotated[Path, typer.Argument(help="The folder that the box serves.", show_default="the current folder")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Try it on a copy, and tell what it would do.")]


def add_migration_commands(app: typer.Typer) -> None:
    app.command("migrate")(migrate)
    app.command("rollback")(rollback)
    app.command("status")(status)


@on_box
def migrate(
    command: Command,
    directory: Directory = _HERE,
    database: Database = "global",
    dry_run: DryRun = False,
) -> None:
    """Apply what is pending of DIR/migrations (or DIR/migrations/<database>)."""
    body = {"migrations": [_text(each) for each in read(directory, database)], "dryRun": dry_run}
    report = command.admin.post(f"{_address(database)}/migrations", body)
    _show_report(command, report, "applied")
    if not report["migrations"]:
        say("Nothing is pending")
    elif dry_run:
        say("This was a copy. Without --dry-run it is done")


@on_box
def rollback(
    command: Command,
    steps: Annotated[int, typer.Option("--steps", "-n", min=1, help="How many of the newest.")] = 1,
    database: Database = "global",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Undo the newest migrations with the .down.sql that was recorded with them."""
    applied = command.admin.get(f"{_address(database)}/migrations")
    names = ", ".join(f"{each['number']:04}_{each['name']}" for each in reversed(applied[-steps:]))
    if not dry_run and names:
        ask(f"This undoes {names} in {database}, and what it deletes is gone. Go on?", yes=yes)
    report = command.admin.post(f"{_address(database)}/migrations/rollback", {"steps": steps, "dryRun": dry_run})
    _show_report(command, report, "undone")
    if dry_run:
        say("This was a copy. Without --dry-run it is done")


@on_box
def status(
    command: Command,
    directory: Directory = _HERE,
    database: Database = "global",
) -> None:
    """Show how each migration stands. Ends with 1 when files and database disagree."""
    from v8box.storage.migrations import Applied, standings

    migrations = read(directory, database)
    applied = [
        Applied(each["number"], each["name"], each["checksum"], each["appliedAt"], "-" if each["reversible"] else None)
        for each in command.admin.get(f"{_address(database)}/migrations")
    ]
    found = standings(migrations, applied)
    rows = [(each.file, each.state, each.applied_at or "", "yes" if each.reversible else "no") for each in found]
    command.show([_standing(each) for each in found], ("migration", "state", "applied", "reversible"), rows)
    drifted = [f"{each.file} is {each.state}: {_ADVICE[each.state]}" for each in found if each.state in _ADVICE]
    if drifted:
        fail("; ".join(drifted))
    pending = sum(each.state == "pending" for each in found)
    say(f"{pending} pending: v8box db migrate applies them" if pending else "Nothing is pending")


def read(directory: Path, database: str) -> tuple[Migration, ...]:
    """The files for a database. Raises `MigrationFault`."""
    from v8box.storage.migrations import MigrationFault, read_folder

    folder = directory / FOLDER if database in _DEFAULTS else directory / FOLDER / database
    if not folder.is_dir():
        raise MigrationFault(f"There is no folder {folder}. Make it, and put the first step into 0001_what.sql")
    return read_folder(folder)


def _address(database: str) -> str:
    from v8box.cli.client import segment

    return f"database/databases/{segment(database)}"


def _text(migration: Migration) -> dict[str, Any]:
    return {"number": migration.number, "name": migration.name, "sql": migration.sql, "down": migration.down}


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "number": standing.number,
        "name": standing.name,
        "state": standing.state,
        "appliedAt": standing.applied_at,
        "reversible": standing.reversible,
    }


def _show_report(command: Command, report: Any, done: str) -> None:
    if not command.as_json and not report["migrations"]:
        return
    rows = [(file, f"would be {done}" if report["dryRun"] else done) for file in report["migrations"]]
    command.show(report, ("migration", ""), rows)
    if not command.as_json and report["schemaChanges"]:
        changes = [
            (each["change"], each["type"], each["name"], each["after"] or "") for each in report["schemaChanges"]
        ]
        command.show(None, ("change", "kind", "name", "SQL"), changes)
