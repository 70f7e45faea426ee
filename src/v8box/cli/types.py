"""`v8box types`: what editors want to know of workers, and of the tables of a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from v8box.cli.command import Command, on_box
from v8box.kit.files import temporary_beside

app = typer.Typer()


@app.command("types")
@on_box
def types(
    command: Command,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to; - for stdout.")] = Path("v8box.d.ts"),
) -> None:
    """Write v8box.d.ts: the types of workers, and of the rows of the project's tables as they are now."""
    with command.api.download(command.at("types")) as pieces:
        text = b"".join(pieces)
    if str(output) == "-":
        sys.stdout.buffer.write(text)
        return
    beside = temporary_beside(output)
    beside.write_bytes(text)
    beside.replace(output)
    command.say(f"{output}: {text.count(b'interface ')} types. Write it again when tables have changed.")
