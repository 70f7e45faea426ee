"""Whose notifications a command is about, the box's or a project's, and what is called so there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from v8box.cli.command import Command, path
from v8box.cli.console import fail
from v8box.cli.exits import Exit

OfBox = Annotated[bool, typer.Option("--box", help="Those of the box itself, not of the project.")]
ChannelName = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name or id.")]


def place(command: Command, box: bool, *parts: str) -> str:
    """The address of it."""
    return path("box", "notifications", *parts) if box else command.at("notifications", *parts)


def channel_id(command: Command, box: bool, named: str) -> str:
    return _id(command, box, named, "channel")


def rule_id(command: Command, box: bool, named: str) -> str:
    return _id(command, box, named, "rule")


def _id(command: Command, box: bool, named: str, kind: str) -> str:
    """The id of what is called so. Ends the command when nothing is."""
    for each in command.api.all(place(command, box, f"{kind}s")):
        if named in (each["name"], each["id"]):
            return str(each["id"])
    other = f"`v8box notify {kind}s list --box`" if box else f"`v8box notify {kind}s list`"
    more = "" if box else "; those of the box with --box"
    fail(f"There is no {kind} called {named}. {other} shows them{more}")


def read_secret(file: str) -> str:
    """From a file, never from the arguments: others on this machine see those."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}", Exit.USAGE)
    return text.strip()
