"""`v8box up`, `dev`, `doctor`, `version`: what needs no box that is running."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from v8box.cli.console import Yes, told

app = typer.Typer()

Directory = Annotated[Path, typer.Argument(help="The folder to serve.", show_default="the current folder")]


@app.command()
def up(directory: Directory = Path()) -> None:
    """Serve a folder: functions/ are workers, v8box.toml the settings, data/ the state. An empty one gets examples."""
    from v8box.cli.up import run

    raise typer.Exit(run(directory))


@app.command()
def dev(
    path: Annotated[
        Path, typer.Argument(help="A folder of workers, one worker's folder, or its file.", show_default="here")
    ] = Path(),
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65_535, help="Where to listen.", show_default="8787, or a free one"),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the worker is called; else like its file.")] = None,
) -> None:
    """Serve a worker while you write it: deploys each save, checks the types, and keeps its data in .v8box/dev."""
    from v8box.cli.source import find_source

    with told():
        source = find_source(path, name)
        from v8box.cli.dev import run

        raise typer.Exit(run(source, port))


@app.command()
def doctor(directory: Directory = Path()) -> None:
    """Check this machine and the folder's settings, and say what to do."""
    from v8box.cli.doctor import run

    raise typer.Exit(run(directory))


@app.command()
def recover(
    directory: Directory = Path(),
    copy: Annotated[
        Path | None,
        typer.Option("--from", help="The copy to put back.", show_default="the newest good one in data/backups"),
    ] = None,
    yes: Yes = False,
) -> None:
    """Put back the last good copy of a box's own database when that is damaged. The damaged file is kept."""
    with told():
        from v8box.cli.recover import run

        run(directory, copy, yes=yes)


class Bare(TyperCommand):
    """A command that takes nothing is done at once: typer loads pydantic to convert any option, --help too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args) if args else []


@app.command(cls=Bare)
def version() -> None:
    """Print the version."""
    from v8box import __version__

    typer.echo(f"v8box {__version__}")
