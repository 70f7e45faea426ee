"""What the commands that ask a box share: their options, tables and JSON, questions, and how an error ends them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from v8box.cli.exits import CommandFailed, Exit
from v8box.errors import V8BoxError

if TYPE_CHECKING:
    from rich.table import Table

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="V8BOX_URL", help="The box's address, e.g. http://127.0.0.1:8000.", show_default=False
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="V8BOX_TOKEN",
        show_envvar=True,
        help="A personal token. Better set V8BOX_TOKEN: others on this machine see what is typed.",
        show_default=False,
    ),
]
Project = Annotated[
    str,
    typer.Option("--project", "-p", envvar="V8BOX_PROJECT", show_envvar=True, help="Which project."),
]
Dir = Annotated[
    Path, typer.Option("--dir", help="The folder that the box serves; its address is found there.", show_default="here")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Database = Annotated[str, typer.Option("--database", "-d", help="Which database.")]

DEFAULT_PROJECT: Final = "default"
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([kmgt])(i?)b?|b)?", re.IGNORECASE)
_DURATION: Final = re.compile(r"([0-9]{1,9})\s*([smhdw])", re.IGNORECASE)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PIPED_COLUMNS: Final = 1_000


@contextmanager
def told() -> Iterator[None]:
    """Tells an error instead of a traceback."""
    try:
        yield
    except CommandFailed as error:
        fail(error.detail, error.exit_code)
    except V8BoxError as error:
        fail(error.detail)


def fail(message: str, exit_code: Exit = Exit.FAILED) -> NoReturn:
    """Tells what is wrong, and ends the command."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    text = "\n  ".join(printable(line) for line in f"v8box: {message}".splitlines())
    typer.echo(f"\x1b[31m{text}\x1b[0m" if colour else text, err=True)
    raise typer.Exit(int(exit_code))


def say(text: str) -> None:
    """A line for people. It goes to stderr, so that what programs read stays clean."""
    typer.echo(printable(text), err=True)


def show(data: Any, *, as_json: bool, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """`data` as JSON, or the rows as a table."""
    if as_json:
        typer.echo(json.dumps(data, indent=2))
        return
    from rich import box as boxes
    from rich.table import Table
    from rich.text import Text

    looked_at = sys.stdout.isatty()
    table = Table(box=boxes.ROUNDED if looked_at else None, pad_edge=looked_at)
    for column in columns:
        table.add_column(Text(printable(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text("NULL", "dim") if cell is None else Text(printable(str(cell))) for cell in row))
    _print(table)


def show_fields(fields: Mapping[str, Any]) -> None:
    """One thing: a line for each of what is known of it. None and the empty are left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", [], ()):
            table.add_row(Text(printable(name), "bold"), Text(printable(str(value))))
    _print(table)


def _print(table: Table) -> None:
    """As wide as the terminal; in a pipe as wide as it needs, and without spaces at the end of the lines."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_PIPED_COLUMNS, no_color=True)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def print_text(text: bytes) -> None:
    """What somebody else wrote: as it is into a pipe, harmless on a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    for line in text.decode(errors="replace").splitlines():
        typer.echo(printable(line.replace("\t", "    ")))


def ask_name(kind: str, name: str, *, yes: bool) -> None:
    """Before something is deleted for good: its name has to be typed."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"This deletes the {kind} {name} for good. Nobody is there to be asked: say --yes")
    if typer.prompt(f"This deletes the {kind} {name} for good. Type its name to go on", err=True) != name:
        fail("That is not its name: nothing was deleted")


def ask(question: str, *, yes: bool) -> None:
    """Before something that cannot be taken back."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is there to be asked: say --yes")
    if not typer.confirm(printable(question), err=True):
        fail("Nothing was done")


def printable(text: str) -> str:
    """What comes out of a database must not steer the terminal. Line ends and tabs are shown as spaces."""
    return _CONTROL.sub("\ufffd", re.sub(r"[\r\n\t]+", " ", text))


def size(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "?"
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def memory_size(count: int | float) -> str:
    """Memory for people, in the unit of `limits.memory_mb`."""
    return f"{count / 1_048_576:.1f} MiB"


def parse_size(text: str) -> int:
    """`500MB`, `10GiB`, `1000` as bytes. Raises `typer.BadParameter`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter("a size looks like 500MB, 10GiB or 1000 (bytes)")
    power = " kmgt".index((match[2] or " ").lower())
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def parse_seconds(text: str) -> int:
    """`30d`, `12h`, `45m`, `90s`, `2w` as seconds. Raises `typer.BadParameter`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("a time looks like 30d, 12h, 45m or 90s")
    return int(match[1]) * _SECONDS[match[2].lower()]
