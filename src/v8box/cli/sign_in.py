"""`v8box login`, `logout`, `whoami`: a token of one's own for a box, kept for the commands."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Dir, Json, Url, fail, parse_seconds, say, show, show_fields, told
from v8box.cli.exits import CommandFailed, Exit
from v8box.cli.secret import read_secret
from v8box.cli.user import read_password

if TYPE_CHECKING:
    from v8box.cli.v1 import V1

app = typer.Typer()

OWNER: Final = "admin"
_SCOPES: Final = ("read", "deploy", "data", "secrets", "admin")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@app.command("login")
def login(
    address: Annotated[
        str | None, typer.Argument(help="The box's address: https://admin.example.com.", show_default="the box here")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Who you are.", show_default="asked, admin")] = None,
    with_token: Annotated[
        bool, typer.Option("--with-token", help="Keep a token that there is: asked for, or from standard input.")
    ] = False,
    label: Annotated[
        str | None, typer.Option("--label", help="What the token is called.", show_default="this machine")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="How long the token is good for: 90d, 12h …")] = "90d",
    url: Url = None,
    directory: Dir = Path(),
    as_json: Json = False,
) -> None:
    """Sign in to a box: makes a token for this machine and keeps it in ~/.config/v8box/credentials.json."""
    with told():
        from v8box.cli.client import Place, find_address
        from v8box.cli.credentials import keep
        from v8box.cli.v1 import V1

        place = Place(find_address(address or url, directory))
        _warn_of_the_open(place.address)
        if with_token:
            token = read_secret("Token").strip()
        else:
            with V1(place) as api:
                token = _make_token(api, user, label, parse_seconds(expires))
        with V1(Place(place.address, None, token)) as api:
            myself = api.get("session")
        file = keep(place.address, token)
        name = _name(myself)
        show_fields_or_json(myself, {"user": name, "box": place.address, "kept in": str(file)}, as_json=as_json)


@app.command("logout")
def logout(
    address: Annotated[str | None, typer.Argument(help="The box's address.", show_default="the box here")] = None,
    url: Url = None,
    directory: Dir = Path(),
) -> None:
    """Forget the token that is kept for a box, and end it there."""
    with told():
        from v8box.cli.client import Place, find_address, segment
        from v8box.cli.credentials import forget, kept
        from v8box.cli.v1 import V1

        place = find_address(address or url, directory)
        token = kept(place)
        if token is None:
            fail(f"Nothing is kept for {place}", Exit.NOT_FOUND)
        with suppress(CommandFailed), V1(Place(place, None, token)) as api:
            # `v8b_pat_<id>_<secret>`; a token may end itself
            api.delete(f"tokens/{segment(token.split('_')[2])}")
        forget(place)
        say(f"Signed out of {place}")


@app.command("whoami")
@on_box
def whoami(command: Command) -> None:
    """Show who you are for the box, and what you may do."""
    myself = command.api.get("session")
    roles = [
        f"{role} {'everywhere' if project == '*' else f'in {project}'}" for project, role in myself["roles"].items()
    ]
    fields = {
        "user": _name(myself),
        "signed in with": {"token": "a token", "local": "the machine itself", "user": "a session"}.get(myself["kind"]),
        "roles": ", ".join(roles),
        "scopes": ", ".join(myself["scopes"]),
        "project": myself["project"],
        "projects": ", ".join(myself["projects"]),
        "box": command.place.address,
    }
    command.show_fields(myself, fields)


def show_fields_or_json(data: Any, fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show(data, as_json=True, columns=(), rows=())
    else:
        show_fields(fields)


def _make_token(api: V1, user: str | None, label: str | None, seconds: int) -> str:
    """Signs in with a session, makes the token with it, and ends the session."""
    name = user or (typer.prompt("User", default=OWNER, err=True) if sys.stdin.isatty() else OWNER)
    password = read_secret("Password")
    body = {"username": name, "password": password}
    try:
        myself = api.post("session", body)
    except CommandFailed as error:
        if error.answer != "code_needed" or not sys.stdin.isatty():
            raise
        code = str(typer.prompt("Code of your authenticator app", err=True)).strip()
        myself = api.post("session", {**body, "code": code})
    if myself["must_change_password"]:
        say("The password is a temporary one, and has to be changed now")
        if not sys.stdin.isatty():
            fail("Nobody is there to be asked for a new one: sign in at a terminal", Exit.NOT_ALLOWED)
        api.put("session/password", {"present": password, "password": read_password("New password")})
    made = api.post(
        "tokens", {"label": label or socket.gethostname()[:100], "scopes": _SCOPES, "expires_in_seconds": seconds}
    )
    api.delete("session")
    return str(made["token"])


def _name(myself: Any) -> str:
    return str(myself["user"]["name"]) if myself["user"] else "the local operator"


def _warn_of_the_open(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        say(f"! {address} is not encrypted: others on the way can read the password. Use https where there is a choice")
