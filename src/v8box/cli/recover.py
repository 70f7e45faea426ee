"""`v8box recover`: puts a copy of the box's database in the place of a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from v8box.cli.console import ask, printable
from v8box.cli.exits import CommandFailed
from v8box.kit.lock import AlreadyLocked, DirectoryLock
from v8box.settings import load
from v8box.storage import backups


def run(directory: Path, copy: Path | None, *, yes: bool) -> None:
    """Raises `CommandFailed`, `NoBackup`."""
    data = load(directory, os.environ).data_directory
    if not data.is_dir():
        raise CommandFailed(f"There is no box in {directory.resolve()}: {data} is not there")
    try:
        lock = DirectoryLock(data)
    except AlreadyLocked as error:
        raise CommandFailed(f"A box (process {error.pid}) serves {data}: stop it first") from error
    try:
        ask("What was changed since the copy was made is lost. Put it back?", yes=yes)
        used, aside = backups.put_back(data / "catalog.db", data / "backups", copy)
    finally:
        lock.release()
    typer.echo(printable(f"{used} is the box's database now"))
    if aside is not None:
        typer.echo(printable(f"What was there lies in {aside}"))
    typer.echo(f"Start the box: v8box up {directory}")
