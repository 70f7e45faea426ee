"""`v8box worker`: the tags on workers, by which those that belong together are found."""

from __future__ import annotations

from typing import Annotated

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail
from v8box.cli.exits import Exit
from v8box.cli.groups import OrList
from v8box.cli.workers import list_workers

app = typer.Typer(name="worker", cls=OrList, help="Workers: list them, put tags on them.")
app.command("list")(list_workers)


@app.command("tag")
@on_box
def tag_workers(
    command: Command,
    workers: Annotated[list[str], typer.Argument(help="Names of workers.")],
    add: Annotated[list[str] | None, typer.Option("--add", "-a", help="A tag to put on; may be said again.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", help="A tag to take off; may be said again.")
    ] = None,
) -> None:
    """Put tags on workers, or take them off: on all that are named, or on none. Nothing is deployed."""
    if not add and not remove:
        fail("Say which: --add TAG or --remove TAG", Exit.USAGE)
    body = {"workers": workers, "add": add or [], "remove": remove or []}
    command.api.post(command.at("worker-tags"), body)
    count = "1 worker" if len(workers) == 1 else f"{len(workers)} workers"
    command.say(f"Done on {count}. `v8box worker list --tag {(add or ['TAG'])[0]}` lists those that have a tag")


@app.command("tags")
@on_box
def list_tags(command: Command) -> None:
    """List the tags that workers of the project have."""
    found = command.api.all(command.at("worker-tags"))
    command.show(found, ("tag", "workers"), [(each["tag"], each["workers"]) for each in found])
    if not found and not command.as_json:
        command.say("No worker has a tag. `v8box worker tag hello --add shop` puts one on")
