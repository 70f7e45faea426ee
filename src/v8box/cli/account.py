"""`v8box account`: one's own password, second factor and sessions. What changes how somebody signs in takes their
password, never a token.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box, path
from v8box.cli.console import Dir, Json, Url, Yes, fail, printable, say, show, show_fields, told
from v8box.cli.exits import CommandFailed, Exit
from v8box.cli.user import read_password

if TYPE_CHECKING:
    from v8box.cli.v1 import V1

app = typer.Typer(name="account", help="Your own password, second factor and sessions.", no_args_is_help=True)
factor = typer.Typer(name="totp", help="A second factor: codes of an authenticator app.", no_args_is_help=True)
app.add_typer(factor)

OWNER: Final = "admin"
_MAX_LINE: Final = 4_096
Who = Annotated[str | None, typer.Option("--user", "-u", help="Who you are.", show_default="asked, admin")]


class Answers:
    """What only its owner knows: asked for at a terminal, else the lines of standard input, one after the other."""

    def __init__(self) -> None:
        self._asks = sys.stdin.isatty()

    def secret(self, question: str) -> str:
        return str(typer.prompt(question, hide_input=True, err=True)) if self._asks else _line(question)

    def new_password(self) -> str:
        return read_password("New password") if self._asks else _line("New password")

    def code(self, question: str) -> str:
        return str(typer.prompt(question, err=True)).strip() if self._asks else _line(question)


def _line(what: str) -> str:
    line = sys.stdin.readline(_MAX_LINE)
    if not line:
        fail(f"{what}: standard input has no line for it", Exit.USAGE)
    return line.removesuffix("\n").removesuffix("\r")


@contextmanager
def _signed_in(url: str | None, directory: Path, user: str | None) -> Iterator[tuple[V1, str, Answers]]:
    """A session for one command, with the password that it began with."""
    from v8box.cli.client import Place, find_address
    from v8box.cli.v1 import V1

    answers = Answers()
    name = user or (typer.prompt("User", default=OWNER, err=True) if sys.stdin.isatty() else OWNER)
    with V1(Place(find_address(url, directory))) as api:
        password = answers.secret("Password")
        body = {"username": name, "password": password}
        try:
            api.post("session", body)
        except CommandFailed as error:
            if error.answer != "code_needed":
                raise
            api.post("session", {**body, "code": answers.code("Code of your authenticator app, or a recovery code")})
        try:
            yield api, password, answers
        finally:
            with suppress(CommandFailed):
                api.delete("session")


@app.command("password")
def change_password(user: Who = None, url: Url = None, directory: Dir = Path()) -> None:
    """Set another password of your own. All your sessions end; tokens stay. Piped in: the present one, the new one."""
    with told(), _signed_in(url, directory, user) as (api, password, answers):
        api.put("session/password", {"present": password, "password": answers.new_password()})
        say("Your password is another one. Whoever was signed in as you is signed out")


@factor.command("status")
def show_factor(user: Who = None, url: Url = None, directory: Dir = Path(), as_json: Json = False) -> None:
    """Show whether a sign-in takes a code, and how many recovery codes are left."""
    with told(), _signed_in(url, directory, user) as (api, _, _answers):
        found = api.get("session/totp")
        if as_json:
            show(found, as_json=True, columns=(), rows=())
            return
        show_fields({"second factor": "on" if found["active"] else "off", "codes left": found["recovery_codes_left"]})
        if not found["active"]:
            say("Turn it on: v8box account totp enable")


@factor.command("enable")
def enable_factor(user: Who = None, url: Url = None, directory: Dir = Path()) -> None:
    """Turn it on: shows the secret for your app, asks for a code of it, and shows the recovery codes, this once."""
    with told(), _signed_in(url, directory, user) as (api, password, answers):
        made = api.post("session/totp", {"password": password})
        say(f"Put this into your authenticator app: {printable(made['secret'])}")
        say(f"or open it there: {printable(made['uri'])}")
        codes = api.post("session/totp/confirm", {"code": answers.code("Code that it shows")})
        _show_codes(codes)


@factor.command("recovery-codes")
def renew_codes(user: Who = None, url: Url = None, directory: Dir = Path()) -> None:
    """Make new recovery codes; those of before end."""
    with told(), _signed_in(url, directory, user) as (api, password, _):
        _show_codes(api.post("session/totp/recovery-codes", {"password": password}))


@factor.command("disable")
def disable_factor(user: Who = None, url: Url = None, directory: Dir = Path()) -> None:
    """Turn it off: the password is enough from then on."""
    with told(), _signed_in(url, directory, user) as (api, password, _):
        api.post("session/totp/remove", {"password": password})
        say("A sign-in takes the password only")


@app.command("sessions")
@on_box
def list_sessions(command: Command) -> None:
    """List where you are signed in, the last used first."""
    found = command.api.get("sessions")["items"]
    columns = ("id", "from", "with", "began", "last used", "ends", "")
    rows = [
        (
            each["id"],
            each["address"] or "",
            printable(each["user_agent"] or "")[:60],
            each["created_at"],
            each["used_at"],
            each["expires_at"],
            "this one" if each["current"] else "",
        )
        for each in found
    ]
    command.show(found, columns, rows)
    if found and not command.as_json:
        command.say("End one: v8box account end ID, all of them: v8box account end --all")


@app.command("end")
@on_box
def end_sessions(
    command: Command,
    session: Annotated[str | None, typer.Argument(metavar="ID", help="Of `v8box account sessions`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Yes = False,
) -> None:
    """End a session, or all of them: whoever has it is signed out."""
    if (session is None) is not every:
        fail("Say which session, or --all", Exit.USAGE)
    if session is not None:
        command.api.delete(path("sessions", session))
        command.say("It is ended")
        return
    if not yes and sys.stdin.isatty() and not typer.confirm("Sign out everywhere?", err=True):
        fail("Nothing was done")
    command.api.delete("sessions")
    command.say("You are signed out everywhere. Tokens stay: v8box token list")


def _show_codes(codes: Any) -> None:
    for code in codes["recovery_codes"]:
        typer.echo(code)
    say("Keep these where your phone is not: each opens the account once, and they are not shown again")
