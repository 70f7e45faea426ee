"""`v8box runs`: what workers did, one by one; a run with its calls over time and what it printed; exports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import fail, memory_size, parse_seconds, printable, size
from v8box.cli.exits import CommandFailed, Exit
from v8box.cli.groups import OrList
from v8box.cli.logs import in_words

app = typer.Typer(name="runs", cls=OrList, help="What workers did: searched, shown, exported.")

_BAR_COLUMNS: Final = 40
_STOPPED: Final = frozenset(
    {"wall", "cpu", "memory", "log_bytes", "response_bytes", "startup", "exit", "crash", "protocol"}
)
"""Outcomes of which there is a kill report."""
_MAX_PAGES: Final = 100
"""Pages that a search is gone on with before it asks for more to go by."""

OfWorker = Annotated[str | None, typer.Option("--worker", "-w", help="Only of this worker.")]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Only in this environment.")]
Version = Annotated[str | None, typer.Option("--version", help="Only of the version with this id.")]
Since = Annotated[str | None, typer.Option("--since", help="How long back: 10m, 2h …")]
Until = Annotated[str | None, typer.Option("--until", help="Only before then: 5m, 1h ago …")]
Status = Annotated[str | None, typer.Option("--status", help="404, 5xx, 400-499.")]
Outcome = Annotated[str | None, typer.Option("--outcome", help="ok, exception, wall, memory …")]
Failed = Annotated[bool | None, typer.Option("--failed/--not-failed", help="Only what failed, or what did not.")]
MinMs = Annotated[float | None, typer.Option("--min-ms", min=0, help="Only what took so long, or longer.")]
MaxMs = Annotated[float | None, typer.Option("--max-ms", min=0, help="Only what took no longer.")]
Method = Annotated[str | None, typer.Option("--method", help="GET, POST …")]
Trigger = Annotated[str | None, typer.Option("--trigger", help="http, service, schedule …")]
Text = Annotated[str | None, typer.Option("--text", help="In the path, in what was thrown, or in what it printed.")]
Trace = Annotated[str | None, typer.Option("--trace", help="Only of this trace: its id, or a whole traceparent.")]
Request = Annotated[str | None, typer.Option("--request-id", help="The id that the client sent, or the run's.")]


@app.command("list")
@on_box
def list_runs(
    command: Command,
    worker: OfWorker = None,
    environment: Environment = None,
    version: Version = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    outcome: Outcome = None,
    failed: Failed = None,
    min_ms: MinMs = None,
    max_ms: MaxMs = None,
    method: Method = None,
    trigger: Trigger = None,
    text: Text = None,
    request_id: Request = None,
    trace: Trace = None,
    limit: Limit = 20,
) -> None:
    """List runs, the newest first. Just `v8box runs` does the same."""
    wanted = {
        "worker": worker,
        "environment": environment,
        "version": version,
        "since": _ago(since),
        "until": _ago(until),
        "status": status,
        "outcome": outcome,
        "failed": failed,
        "min_ms": min_ms,
        "max_ms": max_ms,
        "method": method,
        "trigger": trigger,
        "text": text,
        "request_id": request_id,
        "trace_id": trace,
    }
    found, more, until_when = _search(command, limit, wanted)
    columns = ("time", "worker", "what", "status", "outcome", "took", "cpu", "calls", "id")
    command.show(found, columns, [_row(each) for each in found])
    if command.as_json:
        return
    if until_when is not None:
        command.say(f"Looked through what is newer than {until_when}. Say --since or --worker, and it is found sooner")
    elif more:
        command.say("There are more: --limit")
    elif not found:
        command.say("There is none. What is kept, and for how long: docs/observability.md")
    else:
        command.say(f"More of one: v8box runs show {found[0]['id']}")


@app.command("show")
@on_box
def show_run(
    command: Command, run: Annotated[str, typer.Argument(help="Its id, or the X-Request-Id of its answer.")]
) -> None:
    """Show a run: where its time went, its calls to services over time, what it threw and printed."""
    found = _find(command, run)
    error = found["error"]
    fields = {
        "run": found["id"],
        "request id": found["request_id"] if found["request_id"] != found["id"] else None,
        "began": found["time"],
        "what": _what(found),
        "worker": f"{found['worker']} {found['version']} ({found['environment']})",
        "answer": f"{found['status'] or 'none'}, {found['outcome']}, {size(found['bytes_out'])}",
        "took": _split(found),
        "cpu": f"{found['cpu_ms']:.1f} ms" if found["cpu_ms"] else None,
        "memory": memory_size(found["memory_bytes"]) if found["memory_bytes"] else None,
        "received": size(found["bytes_in"]) if found["bytes_in"] else None,
        "client": found["client"],
        "trace": found["trace_id"],
        "remarkable": "; ".join(each["text"] for each in found["findings"]) or None,
        "threw": f"{error['name']}: {error['message']}" if error else None,
    }
    command.show_fields(found, {name: printable(str(value)) for name, value in fields.items() if value is not None})
    if command.as_json:
        return
    if found["outcome"] in _STOPPED:
        command.say(f"What stopped it, and what to do: v8box kills list --run {found['id']}")
    if error and error["stack"]:
        for frame in error["stack"].splitlines():
            typer.echo(printable(f"  {frame.strip()}"))
    for line in waterfall(found):
        typer.echo(line)
    if found["lines"]:
        typer.echo("")
    for line in found["lines"]:
        typer.echo(in_words({"kind": "line", **line}, colour=False))
    if found["more_lines"]:
        command.say(f"It printed more: v8box logs {found['worker']} --run {found['id']} -n 1000")


@app.command("export")
@on_box
def export_runs(
    command: Command,
    to: Annotated[Path | None, typer.Option("--to", help="The file to write.", show_default="the terminal")] = None,
    worker: OfWorker = None,
    environment: Environment = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    failed: Failed = None,
    text: Text = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000_000, help="How many at most.")] = 100_000,
) -> None:
    """Write runs with their calls as JSON lines, the newest first."""
    wanted = {
        "worker": worker,
        "environment": environment,
        "since": _ago(since),
        "until": _ago(until),
        "status": status,
        "failed": failed,
        "text": text,
        "limit": limit,
    }
    lines = 0
    with command.api.download(command.at("runs", "export"), **wanted) as chunks:
        if to is None:
            for chunk in chunks:
                lines += chunk.count(b"\n")
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            try:
                with to.open("wb") as file:
                    for chunk in chunks:
                        lines += chunk.count(b"\n")
                        file.write(chunk)
            except OSError as error:
                fail(f"{to} cannot be written: {error.strerror}")
    command.say(f"{lines:,} runs")


def waterfall(run: Any) -> list[str]:
    """The calls of a run as bars over its time, as it is printed."""
    spans = run["spans"]
    if not spans:
        return []
    total = max([run["duration_ms"], *(each["start_ms"] + (each["duration_ms"] or 0) for each in spans)]) or 1.0
    names = [printable(f"{each['binding']}.{each['operation']}") for each in spans]
    width = min(max(map(len, names)), 32)
    lines = ["", f"{'calls':{width}}  0{f'{total:.1f} ms':>{_BAR_COLUMNS}}"]
    for name, each in zip(names, spans, strict=True):
        took = each["duration_ms"]
        first = min(int(each["start_ms"] / total * _BAR_COLUMNS), _BAR_COLUMNS - 1)
        length = max(1, round((took if took is not None else total - each["start_ms"]) / total * _BAR_COLUMNS))
        bar = (" " * first + "█" * length)[:_BAR_COLUMNS]
        more = [f"{took:.1f} ms" if took is not None else "no answer"]
        if each["rows"]:
            more.append(f"{each['rows']} rows")
        if each["error"]:
            more.append(printable(each["error"]))
        lines.append(f"{name[:width]:{width}} ▕{bar:{_BAR_COLUMNS}}▏ {', '.join(more)}")
    hidden = run["calls"] - len(spans)
    if hidden > 0:
        lines.append(f"and {hidden} more calls")
    return lines


def _search(command: Command, limit: int, wanted: dict[str, Any]) -> tuple[list[Any], bool, str | None]:
    """The runs, whether there are more, and how far it was looked when the search was given up."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        size_ = min(200, limit - len(items))
        found = command.api.get(command.at("runs"), limit=size_, cursor=cursor, **wanted)
        items += found["items"]
        cursor = found["next_cursor"]
        if cursor is None or len(items) >= limit:
            return items, cursor is not None, None
    return items, True, found["searched_until"]


def _find(command: Command, run: str) -> Any:
    try:
        return command.api.get(command.at("runs", run))
    except CommandFailed as error:
        if error.exit_code is not Exit.NOT_FOUND:
            raise
        known = command.api.get(command.at("runs"), request_id=run, limit=2)["items"]
        if len(known) != 1:
            raise
        return command.api.get(command.at("runs", known[0]["id"]))


def _row(run: Any) -> Sequence[Any]:
    return (
        run["time"],
        run["worker"] if run["environment"] == "production" else f"{run['worker']} ({run['environment']})",
        _what(run),
        run["status"] or "",
        run["outcome"],
        f"{run['duration_ms']:.1f} ms",
        f"{run['cpu_ms']:.0f} ms" if run["cpu_ms"] else "",
        run["calls"] or "",
        run["id"],
    )


def _what(run: Any) -> str:
    return f"{run['method'] or run['trigger']} {run['path']}".strip()


def _split(run: Any) -> str:
    parts = [
        (run["queue_ms"], "in the queue"),
        (run["cold_ms"], "until its sandbox was there"),
        (run["call_ms"], f"in {run['calls']} calls"),
    ]
    said = [f"{value:.1f} ms {name}" for value, name in parts if value]
    return f"{run['duration_ms']:.1f} ms" + (f" ({', '.join(said)})" if said else "")


def _ago(text: str | None) -> str | None:
    return None if text is None else (datetime.now(UTC) - timedelta(seconds=parse_seconds(text))).isoformat()
