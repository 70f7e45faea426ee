"""`v8box logs`: what a worker printed and which runs it had, and with `-f` each as it comes."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, parse_seconds, printable
from v8box.cli.exits import CommandFailed, Exit

app = typer.Typer()

_COLOURS: Final = {"debug": "2", "warn": "33", "error": "31"}
_KINDS: Final = ("line", "run")
_FIRST_PAUSE_SECONDS: Final = 0.5
_LAST_PAUSE_SECONDS: Final = 10.0


@app.command("logs")
@on_box
def logs(
    command: Command,
    worker: Annotated[str | None, typer.Argument(help="The worker's name.", show_default="all of the project")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many of the last.")] = 100,
    environment: Annotated[str | None, typer.Option("--env", "-e", help="Only of this environment.")] = None,
    level: Annotated[str | None, typer.Option("--level", help="debug, info, warn or error, and worse.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Only what was printed.")] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Only the runs.")] = False,
    run: Annotated[str | None, typer.Option("--run", help="Only of this run, by its id.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="How long back: 10m, 2h …")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Only where this occurs.")] = None,
) -> None:
    """Show the last lines and runs of a worker, or of the whole project, the oldest first. With --json and -f: an
    object on each line."""
    if lines and runs:
        fail("--lines and --runs together leave nothing: say one of them, or none", Exit.USAGE)
    kind = "line" if lines else "run" if runs else None
    shared = {"environment": environment, "level": level, "kind": kind, "text": text}
    if follow:
        if since is not None:
            fail("-f begins with the last ones (-n); leave --since away", Exit.USAGE)
        _follow(command, {**shared, "worker": worker, "request_id": run, "limit": limit})
        return
    wanted = {**shared, "run": run, "since": None if since is None else _ago(parse_seconds(since))}
    address = command.at("logs") if worker is None else command.at("workers", worker, "logs")
    found = command.api.get(address, limit=limit, **wanted)["items"]
    if command.as_json:
        command.show(found)
        return
    for entry in found:
        typer.echo(in_words(entry, colour=_in_colour(), of_worker=worker is None))
    if not found:
        command.say(f"Nothing was logged yet. Call it: v8box run {worker or 'WORKER'}")


def _follow(command: Command, wanted: dict[str, Any]) -> None:
    """Until Ctrl-C. A stream that ends or breaks off is taken up again right after the last event."""
    pause = 0.0
    last: str | None = None
    if wanted["worker"] is not None:
        command.api.get(command.at("workers", wanted["worker"]))  # one that is not there will never say anything
    while True:
        try:
            for event in command.api.events(command.at("tail"), last_id=last, **wanted):
                pause = _FIRST_PAUSE_SECONDS
                last = event.id
                entry = json.loads(event.data)
                if event.kind == "gap":
                    command.say(_gap_in_words(entry["missed"]))
                elif event.kind in _KINDS:
                    shown = json.dumps(entry) if command.as_json else _in_words(entry, wanted)
                    typer.echo(shown)
        except CommandFailed as error:
            if error.exit_code is not Exit.UNREACHABLE or not pause:
                raise
            command.say(f"{error.detail}. Trying again")
        time.sleep(pause)
        pause = min(max(pause, _FIRST_PAUSE_SECONDS) * 2, _LAST_PAUSE_SECONDS)


def _gap_in_words(missed: int | None) -> str:
    if missed is None:
        return "… the box was started anew: something may be missing here"
    return f"… {missed} are missing here: they came faster than they could be shown"


def _in_words(entry: Any, wanted: dict[str, Any]) -> str:
    return in_words(entry, colour=_in_colour(), of_worker=wanted["worker"] is None)


def in_words(entry: Any, *, colour: bool, of_worker: bool = False) -> str:
    """One line of a terminal; `of_worker`: it says which one."""
    at = entry["time"][11:23]
    if of_worker:
        at = f"{at} {entry['worker']}"
    if entry["kind"] == "line":
        fields = entry.get("fields")
        shown = entry.get("text") or ""
        more = "" if fields in (None, {}) else f" {json.dumps(fields, ensure_ascii=False, separators=(',', ':'))}"
        said = f"{at} {entry['level']:5} {shown}{more}"
    else:
        what = f"{entry.get('method') or entry.get('trigger') or ''} {entry.get('path') or ''}".strip()
        cold = f", cold start {entry['cold_ms']:.0f} ms" if entry.get("cold_ms") else ""
        status = entry.get("status") or ""
        said = (
            f"{at} run   {what} {status} {entry.get('outcome') or ''} in {entry.get('duration_ms') or 0:.1f} ms{cold}"
            f"  {entry.get('run') or entry.get('id')}"
        )
    text = printable(said)
    code = _COLOURS.get(entry["level"]) or ("2" if entry["kind"] == "run" else "")
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def _in_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
