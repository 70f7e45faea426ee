"""`v8box audit`: who changed what, when, and from where."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import fail, parse_seconds, size
from v8box.cli.exits import CommandFailed, Exit

app = typer.Typer(name="audit", help="The audit log: who changed what.", no_args_is_help=True)

Only = Annotated[str | None, typer.Option("--only", help="Only what is of this project.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Only what this user or token did.")]
Action = Annotated[str | None, typer.Option("--action", help="Only actions that begin so: worker. or user.create")]
Resource = Annotated[str | None, typer.Option("--resource", help="Only what was done to this: worker/hello")]
Since = Annotated[
    str | None, typer.Option("--since", help="From then on: 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 7d ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Before then.")]
Text = Annotated[str | None, typer.Option("--text", help="Only where this occurs.")]


@app.command("list")
@on_box
def list_entries(
    command: Command,
    only: Only = None,
    actor: Actor = None,
    action: Action = None,
    resource: Resource = None,
    since: Since = None,
    until: Until = None,
    text: Text = None,
    limit: Limit = 50,
) -> None:
    """List changes, the newest first: what was before, what after."""
    wanted = _filter(only, actor, action, resource, since, until, text)
    found, more = command.api.page("audit", limit, **wanted)
    rows = [
        (
            each["number"],
            each["at"],
            each["actor"]["name"],
            each["action"],
            each["resource"],
            each["project"] or "",
            _change(each),
            each["address"] or "",
        )
        for each in found
    ]
    command.show(found, ("", "at", "who", "did", "to", "project", "before → after", "from"), rows)
    if more:
        command.say("There are more: --limit, or v8box audit export")


@app.command("export")
@on_box
def export(
    command: Command,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="standard output")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="CSV for spreadsheets, instead of JSON lines.")] = False,
    only: Only = None,
    actor: Actor = None,
    action: Action = None,
    resource: Resource = None,
    since: Since = None,
    until: Until = None,
    text: Text = None,
) -> None:
    """Write all that match into a file, the oldest first."""
    wanted = _filter(only, actor, action, resource, since, until, text)
    if target is not None and target.exists():
        fail(f"{target} is there already: nothing was written", Exit.CONFLICT)
    written = 0
    with command.api.download("audit/export", format="csv" if csv else "jsonl", **wanted) as chunks:
        try:
            with nullcontext(sys.stdout.buffer) if target is None else open(target, "xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    written += len(chunk)
                file.flush()
        except OSError as error:
            raise CommandFailed(f"{target} cannot be written: {error.strerror or error}") from error
    if target is not None:
        command.show({"path": str(target), "bytes": written}, ("written", ""), [(target, size(written))])


@app.command("verify")
@on_box
def verify(command: Command) -> None:
    """Look through the whole chain for entries that were altered or taken out. Ends with 1 when there are any."""
    found = command.api.get("audit/verify")
    fields = {
        "whole": "yes" if found["ok"] else "NO",
        "entries": found["entries"],
        "newest": found["head"],
        "its hash": found["head_hash"],
        "first bad": found["first_bad"],
        "why": found["reason"],
    }
    command.show_fields(found, fields)
    if not found["ok"]:
        raise typer.Exit(int(Exit.FAILED))


def _filter(
    only: str | None,
    actor: str | None,
    action: str | None,
    resource: str | None,
    since: str | None,
    until: str | None,
    text: str | None,
) -> dict[str, str | None]:
    return {
        "project": only,
        "actor": actor,
        "action": action,
        "resource": resource,
        "since": None if since is None else _time(since),
        "until": None if until is None else _time(until),
        "text": text,
    }


def _time(text: str) -> str:
    """A moment, or how long ago it was."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.now(UTC) - timedelta(seconds=parse_seconds(text))
        except (typer.BadParameter, OverflowError):
            fail(f"{text} is no time: it looks like 2026-01-31, 2026-01-31T12:00:00Z, or 2h", Exit.USAGE)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _change(entry: Any) -> str:
    before, after = (_short(entry[side]) for side in ("before", "after"))
    return f"{before} → {after}" if before and after else f"→ {after}" if after else f"{before} →" if before else ""


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
