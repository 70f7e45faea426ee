"""`v8box user`: who may sign in, and with which role in which project."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box, path
from v8box.cli.console import Yes, ask, ask_name, fail
from v8box.cli.exits import Exit
from v8box.cli.secret import read_secret

app = typer.Typer(name="user", help="Users of the box and their roles.", no_args_is_help=True)

EVERYWHERE = "*"
User = Annotated[str, typer.Argument(help="The user's name.")]
Role = Annotated[
    list[str] | None,
    typer.Option(
        "--role", help="viewer, developer, admin or owner, in every project; or PROJECT=ROLE. May be said again."
    ),
]


@app.command("list")
@on_box
def list_users(command: Command) -> None:
    """List the users."""
    found = command.api.all("users")
    rows = [
        (
            each["name"],
            _roles(each["roles"]),
            each["email"] or "",
            "yes" if each["second_factor"] else "",
            each["seen_at"] or "never",
            "disabled" if each["disabled"] else "temporary password" if each["password_is_temporary"] else "",
        )
        for each in found
    ]
    command.show(found, ("user", "roles", "email", "second factor", "seen", ""), rows)


@app.command("create")
@on_box
def create_user(
    command: Command,
    name: User,
    roles: Role = None,
    email: Annotated[str | None, typer.Option("--email", help="An email address.")] = None,
    ask_password: Annotated[
        bool, typer.Option("--password", help="Ask for a password, or read it from standard input.")
    ] = False,
) -> None:
    """Make a user. Without --password a temporary password is made up, and shown this once."""
    body: dict[str, Any] = {"name": name, "roles": dict(_role(each) for each in roles or ())}
    if email is not None:
        body["email"] = email
    if ask_password:
        body["password"] = read_password(f"Password of {name}")
    made = command.api.create("users", body)
    fields = _fields(made) | {"temporary password": made["temporary_password"]}
    command.show_fields(made, fields)
    if made["temporary_password"]:
        command.say(f"It is shown this once, and has to be changed: v8box login {command.place.address} --user {name}")


@app.command("show")
@on_box
def show_user(command: Command, name: User) -> None:
    """Show a user."""
    found = command.api.get(path("users", name))
    command.show_fields(found, _fields(found))


@app.command("role")
@on_box
def set_role(
    command: Command,
    name: User,
    role: Annotated[str, typer.Argument(help="viewer, developer, admin, owner, or none.")],
    everywhere: Annotated[bool, typer.Option("--everywhere", help="In every project, and the box itself.")] = False,
) -> None:
    """Give a user a role in --project, or everywhere, in the place of the one before; `none` takes it away."""
    where = EVERYWHERE if everywhere else command.project
    address = path("users", name, "roles", where)
    if role == "none":
        command.api.delete(address)
        command.say(f"{name} has no role {'everywhere' if everywhere else f'in {where}'} any more")
        return
    changed = command.api.put(address, {"role": role})
    command.show_fields(changed, _fields(changed))


@app.command("disable")
@on_box
def disable_user(
    command: Command, name: User, undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False
) -> None:
    """Keep a user and their tokens out, without deleting anything."""
    changed = command.api.patch(path("users", name), {"disabled": not undo})
    command.show_fields(changed, _fields(changed))


@app.command("reset-password")
@on_box
def reset_password(command: Command, name: User, yes: Yes = False) -> None:
    """Give a user a temporary password, shown this once. Their sessions end."""
    ask(f"Reset the password of {name}?", yes=yes)
    made = command.api.post(path("users", name, "password"))
    command.show_fields(made, {"temporary password": made["temporary_password"]})


@app.command("delete")
@on_box
def delete_user(command: Command, name: User, yes: Yes = False) -> None:
    """Delete a user with their sessions, tokens and roles."""
    ask_name("user", name, yes=yes)
    command.api.delete(path("users", name))
    command.say(f"The user {name} is deleted")


def read_password(question: str) -> str:
    """A new password: twice at a terminal, else from standard input."""
    first = read_secret(question)
    if sys.stdin.isatty() and read_secret("The same again") != first:
        fail("They are not the same: nothing was done")
    return first


def _role(text: str) -> tuple[str, str]:
    project, equals, role = text.rpartition("=")
    if equals and not project:
        fail(f"{text} is no role: it looks like developer, or shop=developer", Exit.USAGE)
    return project or EVERYWHERE, role


def _roles(roles: Any) -> str:
    return ", ".join(
        f"{role} {'everywhere' if project == EVERYWHERE else f'in {project}'}" for project, role in roles.items()
    )


def _fields(user: Any) -> dict[str, Any]:
    return {
        "user": user["name"],
        "id": user["id"],
        "email": user["email"],
        "roles": _roles(user["roles"]) or "none",
        "second factor": "yes" if user["second_factor"] else "",
        "disabled": "yes" if user["disabled"] else "",
        "made": user["created_at"],
        "seen": user["seen_at"],
    }
