"""`v8box env`: the variables of a project's workers, by worker and environment. Secrets are `v8box secret`'s."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Yes, ask, fail
from v8box.cli.exits import Exit
from v8box.cli.levels import COLUMNS, Level, Name, Names, Worker, in_words, level_of, one, row, unset

app = typer.Typer(name="env", help="Variables of workers, by project, worker and environment.", no_args_is_help=True)
_MAX_FILE_BYTES = 4 * 1024 * 1024


@app.command("list")
@on_box
def list_variables(
    command: Command,
    worker: Worker = None,
    environment: Level = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="What --worker gets in the end, and from where.")
    ] = False,
) -> None:
    """List the variables of every level; with --worker or --env of that level only."""
    where = command.at("variables")
    if effective:
        if worker is None:
            fail("--effective is about one worker: say --worker NAME", Exit.USAGE)
        found = command.api.all(where, effective=True, **level_of(worker, environment))
        rows = [
            (
                each["name"],
                "(missing)" if each["missing"] else "(secret)" if each["secret"] else each["value"],
                each["source"] or "",
                ", ".join(each["overrides"]),
            )
            for each in found
        ]
        command.show(found, ("name", "value", "from", "wins over"), rows)
        return
    level = level_of(worker, environment)
    found = command.api.all(where, **level) if worker or environment else command.api.all(where, every_level=True)
    command.show(found, COLUMNS, [row(each) for each in found])


@app.command("set")
@on_box
def set_variables(
    command: Command,
    pairs: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="What to set.")],
    worker: Worker = None,
    environment: Level = None,
) -> None:
    """Set variables, all or none. What is secret belongs to `v8box secret set`: others see what is typed here."""
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            fail(f"{pair} is no NAME=VALUE. A secret is set with: v8box secret set {pair}", Exit.USAGE)
        variables[name] = value
    changed = command.api.post(command.at("variables"), {"variables": variables}, **level_of(worker, environment))
    rows = [(name, "set") for name in changed["set"]] + [(name, "as it was") for name in changed["unchanged"]]
    command.show(changed, ("name", ""), rows)
    command.say(f"For {in_words(worker, environment)}. Workers that run go on with it from their next request")


@app.command("unset")
@on_box
def unset_variables(command: Command, names: Names, worker: Worker = None, environment: Level = None) -> None:
    """Delete variables of one level, with their earlier values."""
    unset(command, names, worker, environment)


@app.command("import")
@on_box
def import_file(
    command: Command,
    file: Annotated[str, typer.Argument(help="A .env file; - for standard input.")],
    worker: Worker = None,
    environment: Level = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="They are no secrets. Else new ones are, and can never be read again.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Delete all others of this level.")] = False,
    yes: Yes = False,
) -> None:
    """Set what a .env file says, all of it or nothing."""
    text = _read(file)
    if replace:
        ask(f"This deletes what {file} does not name, for {in_words(worker, environment)}. Go on?", yes=yes)
    options = {"replace": replace or None, "secret": False if plain else None}
    changed = command.api.post_text(command.at("variables"), text, **options, **level_of(worker, environment))
    rows = [
        *((name, "set") for name in changed["set"]),
        *((name, "as it was") for name in changed["unchanged"]),
        *((name, "deleted") for name in changed["deleted"]),
    ]
    command.show(changed, ("name", ""), rows)


@app.command("versions")
@on_box
def versions(command: Command, name: Name, worker: Worker = None, environment: Level = None) -> None:
    """List the last values of a variable or secret, newest first: who set them, and when."""
    found = command.api.all(one(command, name, "versions"), **level_of(worker, environment))
    rows = [
        (
            f"v{each['version']}",
            "now" if each["current"] else "",
            "(secret)" if each["secret"] else each["value"],
            each["created_at"],
            each["created_by"],
        )
        for each in found
    ]
    command.show(found, ("version", "", "value", "set at", "by"), rows)


@app.command("rollback")
@on_box
def roll_back(
    command: Command,
    name: Name,
    to: Annotated[str, typer.Option("--to", help="The version, as `v8box env versions` shows it: v3.")],
    worker: Worker = None,
    environment: Level = None,
) -> None:
    """Set an earlier value of a variable or secret again, as a new version."""
    number = to.removeprefix("v")
    if not number.isascii() or not number.isdigit():
        fail(f"{to} is no version: it looks like v3", Exit.USAGE)
    body = {"version": int(number)}
    changed = command.api.post(one(command, name, "rollback"), body, **level_of(worker, environment))
    command.show(changed, COLUMNS, [row(changed)])


def _read(file: str) -> bytes:
    try:
        text = sys.stdin.buffer.read(_MAX_FILE_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror or error}")
    if len(text) > _MAX_FILE_BYTES:
        fail(f"{file} is larger than {_MAX_FILE_BYTES // 1_048_576} MB")
    return text
