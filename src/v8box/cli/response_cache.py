"""`v8box cache`: the answers that the box keeps (`show`, `purge`); what workers keep is in `cache_keys`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.cache_keys import add_key_commands
from v8box.cli.command import Command, on_box
from v8box.cli.console import fail
from v8box.cli.exits import Exit

app = typer.Typer(
    name="cache", help="What workers keep in the cache, and the answers that the box keeps.", no_args_is_help=True
)
add_key_commands(app)

_COLUMNS = ("kind", "name", "hit", "stale", "collapsed", "revalidated", "miss", "bypass", "entries", "bytes")


@app.command("show")
@on_box
def show_cache(command: Command) -> None:
    """Show how requests were answered from the response cache since the box started, by worker and site."""
    found = command.api.all(command.at("cache"))
    command.show(found, _COLUMNS, [[each[name] for name in _COLUMNS] for each in found])


@app.command("purge")
@on_box
def purge_cache(
    command: Command,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Answers with this Cache-Tag; may be said again.")
    ] = None,
    paths: Annotated[
        list[str] | None, typer.Option("--path", help="Answers at this path, with any query; may be said again.")
    ] = None,
    prefixes: Annotated[
        list[str] | None, typer.Option("--prefix", help="Answers at paths that begin so; may be said again.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only, or all, of this site.")] = None,
    worker: Annotated[str | None, typer.Option("--worker", help="Only, or all, of this worker.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All of the project.")] = False,
) -> None:
    """Throw kept answers out of the response cache, at once."""
    given: dict[str, Any] = {
        "tags": tags,
        "paths": paths,
        "prefixes": prefixes,
        "site": site,
        "worker": worker,
        "everything": everything,
    }
    body = {name: value for name, value in given.items() if value}
    if not body:
        fail("say what to purge: --tag, --path, --prefix, --site, --worker or --everything", Exit.USAGE)
    done = command.api.post(command.at("cache", "purge"), body)
    if command.as_json:
        command.show(done)
    command.say("Purged: from now on nobody gets what was kept before")
