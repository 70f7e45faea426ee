"""`v8box kills`: what was stopped for a limit or crashed, and why; with a curve of its last minute in text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import memory_size, parse_seconds, printable
from v8box.cli.groups import OrList

app = typer.Typer(name="kills", cls=OrList, help="What was stopped for a limit or crashed, and why.")

_COLUMNS: Final = 60
_BARS: Final = " ▁▂▃▄▅▆▇█"

Worker = Annotated[str | None, typer.Option("--worker", "-w", help="Only of this worker.")]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Only in this environment.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only for this: cpu, memory, wall, crash …")]
Since = Annotated[str | None, typer.Option("--since", help="How long back: 10m, 2h …")]
Run = Annotated[str | None, typer.Option("--run", help="The one that ended this run, by the run's id.")]


@app.command("list")
@on_box
def list_kills(
    command: Command,
    worker: Worker = None,
    environment: Environment = None,
    reason: Reason = None,
    since: Since = None,
    run: Run = None,
    limit: Limit = 20,
) -> None:
    """List what was stopped or crashed, the newest first. The same again and again is one line with a count."""
    wanted = {
        "worker": worker,
        "environment": environment,
        "reason": reason,
        "since": None if since is None else (datetime.now(UTC) - timedelta(seconds=parse_seconds(since))).isoformat(),
        "run": run,
    }
    found, more = command.api.page(command.at("kills"), limit, **wanted)
    rows = [
        (
            each["id"],
            each["at"],
            each["worker"],
            each["environment"],
            each["reason"],
            each["count"],
            measured(each["limit"], each["unit"]),
            measured(each["used"], each["unit"]),
            each["detail"],
        )
        for each in found
    ]
    columns = ("id", "at", "worker", "environment", "reason", "times", "limit", "used", "why")
    command.show(found, columns, rows)
    if found:
        command.say(
            f"What to do about it: v8box kills show {found[0]['id']}{'  (there are more: --limit)' if more else ''}"
        )
    elif not command.as_json:
        command.say("Nothing was stopped or crashed.")


@app.command("show")
@on_box
def show_kill(
    command: Command, kill_id: Annotated[str, typer.Argument(metavar="ID", help="As `v8box kills list` shows it.")]
) -> None:
    """Show one report: what was used, the last minute as a curve, the runs and lines before, and what to do."""
    found = command.api.get(command.at("kills", kill_id))
    if command.as_json:
        command.show(found)
        return
    for line in in_words(found):
        typer.echo(line)


def in_words(report: Any) -> list[str]:
    """A report for people."""
    what = "The process was stopped" if report["whole"] else "A run was stopped"
    times = f", {report['count']} times since {report['first_at']}" if report["count"] > 1 else ""
    lines = [
        f"{report['worker']} ({report['environment']}, {report['version']})",
        f"{what}: {report['reason']}{times}, at {report['at']}",
        report["detail"],
        "",
    ]
    if report["limit"] is not None:
        unit, named = report["unit"], f" (limits.{report['limit_name']})" if report["limit_name"] else ""
        used = "nobody knows how much" if report["used"] is None else measured(report["used"], unit)
        lines.append(f"limit {measured(report['limit'], unit)}{named}, used {used}")
    lines.append(
        f"processor {report['cpu_seconds']:.2f} s in its life, memory up to {memory_size(report['peak_memory_bytes'])}"
    )
    lines += curves(report["curve"])
    if report["runs"]:
        lines += ["", f"Going on ({report['run_count']}):"]
        lines += [f"  {_run(run)}" for run in report["runs"]]
    if report["stack"]:
        lines += ["", "Shortly before:", *(f"  {line}" for line in report["stack"].splitlines())]
    if report["lines"]:
        lines += ["", "Last lines:"]
        lines += [f"  {line['time'][11:23]} {line['level']:5} {line['text']}" for line in report["lines"][-10:]]
    if report["last_output"]:
        lines += ["", "Last output:", *(f"  {line}" for line in report["last_output"].splitlines()[-10:])]
    lines += ["", "What to do:", *(f"  - {each}" for each in report["advice"])]
    if report["suggestion"] is not None:
        lines += ["", "Or allow more, in v8box.toml:", *report["suggestion"]["manifest"].splitlines()]
    return [printable(line) for line in lines]


def measured(value: float | None, unit: str | None) -> str:
    """`128 MiB`; empty where there is nothing to measure."""
    return "" if value is None else f"{value:,.10g} {unit or ''}".rstrip()


def _run(run: Any) -> str:
    waiting = f", waiting for {', '.join(run['waiting_for'])}" if run["waiting_for"] else ""
    what = f"{run['method']} {run['path']}".strip()
    return f"{what} for {run['elapsed_ms']:.0f} ms, {run['cpu_ms']:.0f} ms of processor time{waiting}  {run['id']}"


def curves(points: Sequence[Any]) -> list[str]:
    """Memory and processor time over the last minute, a line each."""
    if len(points) < 2:
        return []
    first, last = points[0]["at_ms"], points[-1]["at_ms"]
    span = max(1.0, last - first)
    memory, cpu = [0.0] * _COLUMNS, [0.0] * _COLUMNS
    filled = [False] * _COLUMNS
    for point in points:
        column = min(_COLUMNS - 1, int((point["at_ms"] - first) / span * _COLUMNS))
        memory[column] = max(memory[column], point["memory_bytes"])
        cpu[column] = max(cpu[column], point["cpu"])
        filled[column] = True
    for column in range(1, _COLUMNS):
        if not filled[column]:
            memory[column], cpu[column] = memory[column - 1], cpu[column - 1]
    return [
        "",
        f"memory     {_bars(memory)} up to {memory_size(max(memory))}",
        f"processor  {_bars(cpu)} up to {max(cpu) * 100:.0f} %",
        f"           {f'{first / 1000:.1f} s':<{_COLUMNS - 5}}the end",
    ]


def _bars(values: Sequence[float]) -> str:
    most = max(values)
    if most <= 0:
        return " " * len(values)
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] for value in values)
