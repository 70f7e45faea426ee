"""The `v8box` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v8box.cli import db, s3

app = typer.Typer(
    name="v8box",
    help="The self-hosted serverless platform: TypeScript workers on V8, in one box you own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Directory = Annotated[Path, typer.Argument(help="The folder to serve.", show_default="the current folder")]


@app.command()
def up(directory: Directory = Path()) -> None:
    """Serve a folder: functions/ are workers, v8box.toml the settings, data/ the state. An empty one gets examples."""
    from v8box.cli.up import run

    raise typer.Exit(run(directory))


@app.command()
def doctor(directory: Directory = Path()) -> None:
    """Check this machine and the folder's settings, and say what to do."""
    from v8box.cli.doctor import run

    raise typer.Exit(run(directory))


@app.command()
def version() -> None:
    """Print the version."""
    from v8box import __version__

    typer.echo(f"v8box {__version__}")


app.add_typer(db.app)
app.add_typer(s3.app)


def main() -> None:
    app()
