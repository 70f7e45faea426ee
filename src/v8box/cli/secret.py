"""`v8box secret`: values that go in and never come out. They come from a prompt or standard input, never from argv,
which everybody on the machine can read.
"""

from __future__ import annotations

import sys

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail
from v8box.cli.exits import Exit
from v8box.cli.levels import COLUMNS, Level, Name, Names, Worker, in_words, level_of, one, row, unset

app = typer.Typer(name="secret", help="Secrets of workers: set, listed by name, never shown.", no_args_is_help=True)
_MAX_BYTES = 16 * 1024


@app.command("list")
@on_box
def list_secrets(command: Command, worker: Worker = None, environment: Level = None) -> None:
    """List the secrets by name, who set them and when."""
    level = {**level_of(worker, environment)} if worker or environment else {"every_level": True}
    found = [each for each in command.api.all(command.at("variables"), **level) if each["secret"]]
    command.show(found, COLUMNS, [row(each) for each in found])


@app.command("set")
@on_box
def set_secret(command: Command, name: Name, worker: Worker = None, environment: Level = None) -> None:
    """Set a secret: asks for the value, or reads it from standard input (one line end at its end is left out)."""
    if "=" in name:
        fail("Say the name only. The value is asked for, so that nobody else on this machine can see it", Exit.USAGE)
    body = {"value": read_secret(f"Value of {name}"), "secret": True}
    changed = command.api.put(one(command, name), body, **level_of(worker, environment))
    command.show(changed, COLUMNS, [row(changed)])
    command.say(f"For {in_words(worker, environment)}. Workers that run go on with it from their next request")


@app.command("unset")
@on_box
def unset_secrets(command: Command, names: Names, worker: Worker = None, environment: Level = None) -> None:
    """Delete secrets of one level, with their earlier values."""
    unset(command, names, worker, environment)


def read_secret(question: str) -> str:
    """From a prompt that does not show it, or from standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(question, hide_input=True, err=True))
    given = sys.stdin.buffer.read(_MAX_BYTES + 2)
    if len(given) > _MAX_BYTES + 1:
        fail(f"A secret has at most {_MAX_BYTES // 1024} KB")
    try:
        text = given.decode()
    except UnicodeDecodeError:
        fail("A secret is text in UTF-8. Encode what is none, e.g. as base64")
    return text.removesuffix("\n").removesuffix("\r")
