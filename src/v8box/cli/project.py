"""`v8box project`: projects, their quotas, what they use, and who is in them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box, path
from v8box.cli.console import Yes, ask_name, fail
from v8box.cli.exits import Exit

app = typer.Typer(name="project", help="Projects, their quotas and members.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The project's name.")]
Quota = Annotated[
    list[str] | None,
    typer.Option("--quota", help="NAME=NUMBER, or NAME=none for no bound; may be said again. `usage` lists the names."),
]
Title = Annotated[str | None, typer.Option("--title", help="What people call it.")]
QUOTAS: Final = (
    "workers",
    "requests_per_day",
    "cpu_seconds_per_day",
    "storage_mb",
    "databases",
    "buckets",
    "sites",
    "variables",
)


@app.command("list")
@on_box
def list_projects(command: Command) -> None:
    """List the projects that you have a role in."""
    found = command.api.all("projects")
    rows = [(each["name"], each["title"], each["state"], each["created_at"]) for each in found]
    command.show(found, ("project", "title", "state", "made"), rows)


@app.command("create")
@on_box
def create_project(command: Command, name: Name, title: Title = None, quota: Quota = None) -> None:
    """Make a project: workers, databases, buckets, cache, variables and members of its own."""
    body: dict[str, Any] = {"name": name, "quotas": _quotas(quota)}
    if title is not None:
        body["title"] = title
    made = command.api.create("projects", body)
    _show(command, made)
    command.say(f"Use it with --project {name}, or V8BOX_PROJECT={name}")


@app.command("show")
@on_box
def show_project(command: Command, name: Name) -> None:
    """Show a project and its quotas."""
    _show(command, command.api.get(path("projects", name)))


@app.command("change")
@on_box
def change_project(command: Command, name: Name, title: Title = None, quota: Quota = None) -> None:
    """Change a project's title or quotas."""
    body: dict[str, Any] = {}
    if title is not None:
        body["title"] = title
    if quota:
        body["quotas"] = _quotas(quota)
    if not body:
        fail("Say what to change: --title or --quota", Exit.USAGE)
    _show(command, command.api.patch(path("projects", name), body))


@app.command("usage")
@on_box
def usage(
    command: Command,
    name: Name,
    days: Annotated[int, typer.Option("--days", min=1, max=92, help="Requests of how many days.")] = 7,
) -> None:
    """Show what a project has and uses today, with its quotas."""
    found = command.api.get(path("projects", name, "usage"), days=days)
    rows = [
        (quota, f"{found[quota]['used']:g}", "no bound" if found[quota]["limit"] is None else found[quota]["limit"])
        for quota in QUOTAS
    ]
    command.show(found, ("", "used", "quota"), rows)
    if not command.as_json:
        days_used = [(each["day"], each["requests"], f"{each['cpu_seconds']:g}") for each in found["days"]]
        command.show(None, ("day", "requests", "CPU seconds"), days_used)


@app.command("members")
@on_box
def members(command: Command, name: Name) -> None:
    """List who has a role in the project itself. `v8box user role` changes it."""
    found = command.api.all(path("projects", name, "members"))
    rows = [(each["name"], each["role"], "disabled" if each["disabled"] else "") for each in found]
    command.show(found, ("user", "role", ""), rows)


@app.command("delete")
@on_box
def delete_project(command: Command, name: Name, yes: Yes = False) -> None:
    """Delete a project with all that it owns."""
    ask_name("project", name, yes=yes)
    operation = command.api.delete(path("projects", name), confirm=name)
    ended = command.api.wait(operation, lambda each: command.say(f"  {each['progress']['step'] or each['state']}"))
    command.show(ended, ("deleted",), [(name,)])


def _show(command: Command, project: Any) -> None:
    quotas = {f"quota {name}": _bound(project["quotas"][name]) for name in QUOTAS}
    known = {"project": project["name"], "title": project["title"], "state": project["state"]}
    command.show_fields(project, {**known, "made": project["created_at"], **quotas})


def _bound(limit: int | None) -> str:
    return "no bound" if limit is None else str(limit)


def _quotas(given: list[str] | None) -> dict[str, int | None]:
    quotas: dict[str, int | None] = {}
    for each in given or ():
        name, equals, number = each.partition("=")
        if not equals or (number != "none" and not (number.isascii() and number.isdigit())):
            fail(f"{each} is no quota: it looks like workers=10, or workers=none", Exit.USAGE)
        quotas[name] = None if number == "none" else int(number)
    return quotas
