"""`v8box errors`: what workers throw and are killed for, grouped; resolved, ignored, opened again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import fail, parse_seconds, printable
from v8box.cli.exits import Exit
from v8box.cli.groups import OrList

_BARS: Final = "▁▂▃▄▅▆▇█"
_STATES: Final = ("open", "regressed", "ignored", "resolved")
_SORTS: Final = ("last_seen", "first_seen", "count")

app = typer.Typer(
    name="errors", cls=OrList, help="Errors of workers: what they throw, and what they are killed for, grouped."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `v8box errors` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `v8box errors` shows them.")]
OfWorker = Annotated[str | None, typer.Option("--worker", "-w", help="All open and regressed ones of this worker.")]


@app.command("list")
@on_box
def list_errors(
    command: Command,
    worker: Annotated[str | None, typer.Argument(help="Only of this worker.")] = None,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", help="open, regressed, ignored, resolved or all; may be said again."),
    ] = None,
    environment: Annotated[str | None, typer.Option("--env", "-e", help="Only seen in this environment.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="Only seen in this version: v3, or an id.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Only where this occurs.")] = None,
    sort: Annotated[str, typer.Option("--sort", help="last_seen, first_seen or count.")] = "last_seen",
    limit: Limit = 50,
) -> None:
    """List errors that are open or came back, those seen last first. Just `v8box errors [WORKER]` does the same."""
    wanted = states or ["open", "regressed"]
    if any(state not in (*_STATES, "all") for state in wanted):
        fail(f"--state is one of {', '.join(_STATES)}, all", Exit.USAGE)
    if sort not in _SORTS:
        fail(f"--sort is one of {', '.join(_SORTS)}", Exit.USAGE)
    found, more = command.api.page(
        command.at("errors"),
        limit,
        worker=worker,
        state=None if "all" in wanted else wanted,
        environment=environment,
        version=version,
        q=text,
        sort=sort,
    )
    rows = [
        (
            each["id"],
            each["state"],
            each["worker"],
            _what(each),
            _place(each["top"]),
            each["count"],
            _chart(each["hours"]),
            _version(each["new_in"]),
            each["last_seen"],
        )
        for each in found
    ]
    columns = ("id", "state", "worker", "error", "in", "times", "last 24 h", "new in", "last seen")
    command.show(found, columns, rows)
    if not found and not command.as_json:
        command.say("Nothing is open. With --state all: what was resolved or ignored, too")
    elif more:
        command.say("There are more: --limit, --text, or a worker's name")
    elif found:
        command.say("More of one: v8box errors show ID")


@app.command("show")
@on_box
def show_error(command: Command, error_id: Id) -> None:
    """Show an error: its stack, the code around it, its versions and the runs it happened in."""
    found = command.api.get(command.at("errors", error_id))
    if command.as_json:
        command.show(found)
        return
    command.show_fields(found, _fields(found))
    _print_code(found["excerpt"])
    if found["stack"]:
        typer.echo("\n" + _printable_lines(found["stack"]))
    rows = [
        (each["at"], each["run"] or "", _version(each["version"]), each["environment"], each["message"][:100])
        for each in found["samples"]
    ]
    typer.echo()
    command.show(found, ("at", "run", "version", "environment", "message"), rows)
    if found["kind"] == "kill":
        command.say(f"Why, and what to do: v8box kills --worker {found['worker']} --reason {found['name']}")
    if any(each["run"] for each in found["samples"]):
        command.say(f"What a run printed: v8box logs {found['worker']} --run RUN")
    command.say(f"When it is mended: v8box errors resolve {error_id}")


@app.command("resolve")
@on_box
def resolve(command: Command, ids: Ids = None, worker: OfWorker = None) -> None:
    """Say that errors are mended. One that comes back in a newer version is `regressed`."""
    _change(command, "resolved", ids, worker)


@app.command("ignore")
@on_box
def ignore(
    command: Command,
    ids: Ids = None,
    worker: OfWorker = None,
    time: Annotated[
        str | None, typer.Option("--for", help="For so long: 2h, 7d …; then it is open again.", show_default="for good")
    ] = None,
) -> None:
    """Look away from errors, for good or for some time. They are counted all the same."""
    until = None if time is None else (datetime.now(UTC) + timedelta(seconds=parse_seconds(time))).isoformat()
    _change(command, "ignored", ids, worker, until)


@app.command("reopen")
@on_box
def reopen(command: Command, ids: Ids = None) -> None:
    """Open errors again that were resolved or ignored."""
    _change(command, "open", ids, None)


def _change(command: Command, state: str, ids: list[str] | None, worker: str | None, until: str | None = None) -> None:
    if bool(ids) == (worker is not None):
        said = "ids" if state == "open" else "ids, or --worker NAME for all of a worker, one of the two"
        fail(f"Say which: {said}", Exit.USAGE)
    body: dict[str, Any] = {"state": state}
    if until is not None:
        body["ignored_until"] = until
    total = 0
    for start in range(0, max(len(ids or ()), 1), 200):
        which: dict[str, Any] = (
            {"worker": worker} if worker is not None else {"ids": list(ids or ())[start : start + 200]}
        )
        more = True
        while more:
            changed = command.api.post(command.at("errors", "states"), {**body, **which})
            total += changed["changed"]
            more = changed["more"]
    command.show({"changed": total}, (state, ""), [(total, "")])


def _what(error: Any) -> str:
    message = " ".join(error["message"].split())
    shown = f"killed: {error['name']}" if error["kind"] == "kill" else error["name"]
    return f"{shown}: {message}"[:100] if message else shown


def _place(top: Any) -> str:
    if top is None:
        return ""
    where = f"{top['file']}:{top['line']}"
    return f"{top['function']} ({where})" if top["function"] else where


def _version(version: Any) -> str:
    return f"v{version['number']}" if version["number"] else version["id"][:8]


def _chart(hours: Any) -> str:
    """A bar for each hour."""
    counts = [hour["count"] for hour in hours]
    most = max(counts, default=0)
    if not most:
        return ""
    return "".join(" " if not each else _BARS[(each * (len(_BARS) - 1) + most - 1) // most] for each in counts)


def _fields(error: Any) -> dict[str, Any]:
    state = error["state"]
    if error["ignored_until"]:
        state += f" until {error['ignored_until']}"
    if error["changed_by"]:
        state += f", by {error['changed_by']}"
    seen = [f"{_version(each['version'])} in {each['environment']}: {each['count']}" for each in error["versions"][:10]]
    return {
        "error": _what(error),
        "kind": error["kind"],
        "worker": error["worker"],
        "in": _place(error["top"]),
        "state": state,
        "times": error["count"],
        "first seen": error["first_seen"],
        "last seen": error["last_seen"],
        "new in": _version(error["new_in"]),
        "versions": ", ".join(seen),
        "resolved": error["resolved_at"],
        "came back": error["regressed_at"],
    }


def _print_code(excerpt: Any) -> None:
    if excerpt is None:
        return
    typer.echo(f"\n{printable(excerpt['file'])}")
    for number, line in enumerate(excerpt["lines"], excerpt["first"]):
        mark = ">" if number == excerpt["line"] else " "
        typer.echo(f"{mark} {number:5} | {printable(line)}")


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
