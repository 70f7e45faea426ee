"""`v8box token`: personal tokens, with which programs sign in."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box, path
from v8box.cli.console import parse_seconds

app = typer.Typer(name="token", help="Personal tokens, for programs and CI.", no_args_is_help=True)

SCOPES: Final = ("read", "deploy", "data", "secrets", "admin")


@app.command("list")
@on_box
def list_tokens(
    command: Command, user: Annotated[str | None, typer.Option("--user", help="Somebody else's, for admins.")] = None
) -> None:
    """List your tokens, without their texts."""
    found = command.api.all("tokens", user=user)
    rows = [
        (
            each["id"],
            each["label"],
            ", ".join(each["scopes"]),
            each["project"] or "all",
            each["expires_at"] or "never",
            each["used_at"] or "never",
        )
        for each in found
    ]
    command.show(found, ("id", "label", "scopes", "project", "expires", "used"), rows)


@app.command("create")
@on_box
def create_token(
    command: Command,
    label: Annotated[str, typer.Argument(help="What it is for.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", help=f"What it may be used for: {', '.join(SCOPES)}; may be said again. Else read and deploy."
        ),
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="Only for this project.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="How long it is good for: 90d, 12h …")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Whose it is; only on the box's machine.")] = None,
) -> None:
    """Make a token for a program, e.g. CI. It is shown this once."""
    body: dict[str, Any] = {"label": label, "scopes": scopes or ["read", "deploy"]}
    if only is not None:
        body["project"] = only
    if expires is not None:
        body["expires_in_seconds"] = parse_seconds(expires)
    if user is not None:
        body["user"] = user
    made = command.api.create("tokens", body)
    command.show_fields(made, {"token": made["token"], "id": made["id"], "scopes": ", ".join(made["scopes"])})
    command.say("Keep the token now: only a hash is stored. Programs take it from V8BOX_TOKEN")


@app.command("revoke")
@on_box
def revoke_token(
    command: Command, token_id: Annotated[str, typer.Argument(metavar="ID", help="As `v8box token list` shows it.")]
) -> None:
    """End a token at once."""
    command.api.delete(path("tokens", token_id))
    command.say(f"The token {token_id} opens nothing any more")
