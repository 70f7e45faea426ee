"""`v8box pages create`, `history`, `pin` and `optimise`: a site before its first release, and what there is to do with
releases that are there.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, Limit, on_box

app = typer.Typer()

Site = Annotated[str, typer.Argument(help="The site's name.")]
Number = Annotated[int, typer.Argument(min=1, metavar="RELEASE", help="A release's number.")]


@app.command("create")
@on_box
def create(command: Command, site: Site) -> None:
    """Make a site without a release, to set what it wants before the first. A deploy makes the site by itself."""
    made = command.api.create(command.at("sites"), {"name": site})
    command.show_fields(made, {"site": made["name"], "project": made["project"], "url": made["url"]})
    command.say(f"Deploy to it: v8box pages deploy dist --site {site}")


@app.command("history")
@on_box
def history(command: Command, site: Site, limit: Limit = 20) -> None:
    """Show what was live when, the newest first, who did it and why."""
    found, more = command.api.page(command.at("sites", site, "history"), limit)
    rows = [(each["at"], f"release {each['release']}", each["change"], each["by"], each["message"]) for each in found]
    command.show(found, ("when", "live", "change", "by", "message"), rows)
    if more:
        command.say("There are more: --limit")


@app.command("pin")
@on_box
def pin(
    command: Command,
    site: Site,
    release: Number,
    off: Annotated[bool, typer.Option("--off", help="Take the pin off.")] = False,
    message: Annotated[str | None, typer.Option("--message", "-m", help="What it is, for those who read it.")] = None,
) -> None:
    """Keep a release for ever, whatever is deployed later."""
    body: dict[str, Any] = {"pinned": not off}
    if message is not None:
        body["message"] = message
    found = command.api.patch(command.at("sites", site, "releases", str(release)), body)
    fields = {"release": found["number"], "pinned": "yes" if found["pinned"] else "no", "message": found["message"]}
    command.show_fields(found, fields)


@app.command("optimise")
@on_box
def optimise(
    command: Command,
    site: Site,
    release: Number,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop it, or take it out of the queue.")] = False,
) -> None:
    """Make the files of a release smaller that is not live, or once more. Live ones are done by themselves."""
    if cancel:
        command.api.delete(command.at("sites", site, "releases", str(release), "optimise"))
        command.say("It is stopped: the release is served as it is")
        return
    asked = command.api.post(command.at("sites", site, "releases", str(release), "optimise"))
    if command.as_json:
        command.show(asked)
    command.say(f"It will be done. What came of it: v8box pages show {site} {release}")
