"""`v8box inbox`: what wants attention, in all projects that one may see."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box

app = typer.Typer()


@app.command("inbox")
@on_box
def inbox(
    command: Command,
    every: Annotated[bool, typer.Option("--all", help="Of all projects and of the box, not only of this one.")] = False,
) -> None:
    """What wants attention: alerts that fire, errors that are new or back, long work that failed."""
    found = command.api.get("inbox", **({} if every else {"project": command.project}))
    if command.as_json:
        command.show(found)
        return
    items: list[Any] = found["items"]
    columns = ("since", "what", "project", "severity", "title", "text", "id")
    rows = [
        (
            each["at"],
            each["kind"],
            each["project"] or "the box",
            each["severity"],
            each["title"],
            each["text"],
            each["id"],
        )
        for each in items
    ]
    command.show(items, columns, rows)
    if found["running"]:
        command.say(f"Going on: {found['running']} operations.")
    if not items:
        command.say("Nothing wants attention." if every else "Nothing wants attention here. Everywhere: --all")
        return
    first = items[0]
    place = "" if first["project"] is None else f" --project {first['project']}"
    last = {"alert": "v8box notify alerts" + (place or " --box"), "error": f"v8box errors show {first['id']}{place}"}
    command.say(f"More of the newest: {last.get(first['kind'], 'its text, and the page System of the dashboard')}")
