"""`v8box metrics` and `v8box top`: what workers did, in numbers with a line of the last hour, and what they do now."""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, memory_size, printable, size
from v8box.cli.exits import Exit

app = typer.Typer()

_BARS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = 40
_AGO: Final = re.compile("[0-9]{1,6}[smhdw]")
_CLEAR: Final = "\x1b[H\x1b[2J"
_TOP_SECONDS: Final = 2
_FIELDS: Final = (
    ("requests", "requests", "{:,.0f}"),
    ("errors", "errors", "{:,.0f}"),
    ("p50", "p50_ms", "{:.1f} ms"),
    ("p95", "p95_ms", "{:.1f} ms"),
    ("p99", "p99_ms", "{:.1f} ms"),
    ("cold starts", "cold_starts", "{:,.0f}"),
    ("cold wait", "cold_ms", "{:.1f} ms"),
    ("queue wait", "queue_ms", "{:.1f} ms"),
    ("processor time", "cpu_ms", "{:,.0f} ms"),
    ("memory", "memory_bytes", "MiB"),
    ("in flight", "inflight", "{:,.0f}"),
    ("sent", "bytes_out", ""),
    ("service calls", "binding_calls", "{:,.0f}"),
    ("in services", "binding_ms", "{:,.0f} ms"),
    ("terminations", "terminations", "{:,.0f}"),
)
_BY: Final = ("requests", "errors", "error_rate", "p95_ms", "cpu_ms", "memory_bytes", "bytes_out", "binding_ms")

Since = Annotated[str, typer.Option("--from", help="How long back: 30m, 24h, 7d; or a moment, now-7d/d.")]
Until = Annotated[str, typer.Option("--to", help="Until when, in the same words.")]
Env = Annotated[str | None, typer.Option("--env", "-e", help="Only of this environment.")]
WholeBox = Annotated[bool, typer.Option("--box", help="Of all projects together.")]
By = Annotated[str, typer.Option("--by", help=f"Who comes first: {', '.join(_BY)}.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=50, help="How many workers at most.")]


@app.command("metrics")
@on_box
def metrics(
    command: Command,
    worker: Annotated[str | None, typer.Argument(help="A worker's name; without it, all of the project.")] = None,
    since: Since = "1h",
    until: Until = "now",
    environment: Env = None,
    version: Annotated[str | None, typer.Option("--version", help="Only of this version: v12, a tag, an id.")] = None,
    custom: Annotated[str | None, typer.Option("--custom", help="One that workers count themselves.")] = None,
    box: WholeBox = False,
    by: By = "requests",
    limit: Limit = 20,
) -> None:
    """Show requests, errors, latency, processor time and more of the last hour, and the busiest workers."""
    if box and (worker or environment or version or custom):
        fail("--box is of all projects and workers: leave the others out", Exit.USAGE)
    if version and not worker:
        fail("--version: say which worker's it is", Exit.USAGE)
    wanted = {"from": _moment(since), "to": _moment(until), "worker": worker, "environment": environment}
    if custom is not None:
        _show_custom(command, command.at("metrics", "custom", custom), wanted)
        return
    at = "box/metrics" if box else command.at("metrics")
    asked = {name: value for name, value in wanted.items() if value is not None}
    chart = command.api.get(at, **asked, **({"version": version} if version else {}))
    top = None if worker else command.api.get(f"{at}/top", **asked, by=_known(by), limit=limit)
    if command.as_json:
        command.show(chart if top is None else {**chart, "top": top["items"]})
        return
    _show_chart(command, chart)
    if top is not None:
        _show_top(command, top["items"], box=box)
    elif not chart["totals"]["requests"]:
        command.say(f"Nothing ran in this time. Call it: v8box run {worker}")


@app.command("top")
@on_box
def top(
    command: Command,
    environment: Env = None,
    box: WholeBox = False,
    by: By = "requests",
    limit: Limit = 20,
    once: Annotated[bool, typer.Option("--once", help="Show it one time, and end.")] = False,
) -> None:
    """Show what workers do now, again every two seconds until Ctrl-C. With --json: an object for each second."""
    if box and environment:
        fail("--box is of all projects and environments: leave --env out", Exit.USAGE)
    at = "box/metrics" if box else command.at("metrics")
    narrow = {} if environment is None else {"environment": environment}
    _known(by)
    past: deque[dict[str, Any]] = deque(maxlen=60)
    for event in command.api.events(f"{at}/live", past=0 if command.as_json else 60, **narrow):
        if event.kind != "second":
            continue
        second = json.loads(event.data)
        if command.as_json:
            typer.echo(json.dumps(second))
            if once:
                return
            continue
        fresh = not past or second["time"] > past[-1]["time"]
        past.append(second)
        if fresh and (once or len(past) % _TOP_SECONDS == 0 or len(past) == past.maxlen):
            busiest = command.api.get(f"{at}/top", **{"from": "now-1m", "by": by, "limit": limit, **narrow})["items"]
            _show_now(command, past, busiest, box=box)
            if once:
                return


def _known(by: str) -> str:
    if by not in _BY:
        fail(f"--by: {printable(by)} is none of {', '.join(_BY)}", Exit.USAGE)
    return by


def _moment(text: str) -> str:
    return f"now-{text}" if _AGO.fullmatch(text) else text


def _show_chart(command: Command, chart: Mapping[str, Any]) -> None:
    totals, series = chart["totals"], chart["series"]
    rows = [
        (name, _told(totals[field], form), sparkline(series[field]))
        for name, field, form in _FIELDS
        if totals[field] or field in ("requests", "errors")
    ]
    rows += [(f"  {name}", f"{count:,}", "") for name, count in totals["outcomes"].items()]
    command.show(None, ("", f"{chart['from'][11:16]} to {chart['to'][11:16]} UTC", ""), rows)
    for marker in chart["markers"]:
        number = f"v{marker['version_number']}" if marker["version_number"] else marker["version"][:8]
        message = f": {marker['message']}" if marker["message"] else ""
        command.say(
            f"{marker['at'][:16].replace('T', ' ')} {marker['worker']} in {marker['environment']} was "
            f"{marker['change'].replace('_', ' ')} ({number}) by {marker['by']}{message}"
        )


def _show_top(command: Command, items: Sequence[Mapping[str, Any]], *, box: bool) -> None:
    columns = ("worker", "environment", "requests", "errors", "p50", "p95", "p99", "cold", "cpu", "memory", "sent")
    rows = [
        (
            *((each["project"],) if box else ()),
            each["worker"],
            each["environment"],
            f"{each['requests']:,}",
            _percent(each["error_rate"]),
            _told(each["p50_ms"], "{:.1f} ms"),
            _told(each["p95_ms"], "{:.1f} ms"),
            _told(each["p99_ms"], "{:.1f} ms"),
            _percent(each["cold_ratio"]),
            _told(each["cpu_ms"], "{:,.0f} ms"),
            memory_size(each["memory_bytes"]) if each["memory_bytes"] else "",
            size(each["bytes_out"]),
        )
        for each in items
    ]
    if rows:
        command.show(None, (*(("project",) if box else ()), *columns), rows)
    else:
        command.say("Nothing ran in this time. Call a worker: v8box run <worker>")


def _show_now(
    command: Command, past: Iterable[Mapping[str, Any]], busiest: Sequence[Mapping[str, Any]], *, box: bool
) -> None:
    seconds = list(past)
    last = seconds[-1]
    if sys.stdout.isatty():
        typer.echo(_CLEAR, nl=False)
    typer.echo(
        f"{last['time'][11:19]} UTC   {last['requests']} requests/s   {last['errors']} errors   "
        f"p95 {_told(last['p95_ms'], '{:.1f} ms') or '-'}   {_told(last['inflight'], '{:.0f}') or '0'} in flight"
    )
    typer.echo(f"{sparkline([each['requests'] for each in seconds], 60)}  the last minute")
    _show_top(command, busiest, box=box)


def _show_custom(command: Command, at: str, wanted: Mapping[str, Any]) -> None:
    found = command.api.get(at, **{name: value for name, value in wanted.items() if value is not None})
    rows = []
    for each in found["items"]:
        known = [value for value in each["values"] if value is not None]
        if each["kind"] == "counter":
            told = f"{sum(known):,g}"
        elif each["kind"] == "gauge":
            told = f"{known[-1]:,g}" if known else ""
        else:
            told = f"{sum(each['counts']):,g} values"
        labels = ", ".join(f"{name}={value}" for name, value in each["labels"].items())
        rows.append((each["worker"], each["environment"], labels, each["kind"], told, sparkline(each["values"])))
    command.show(found, ("worker", "environment", "labels", "kind", found["name"], ""), rows)
    if found["left_out"]:
        command.say(f"{found['left_out']} more time series are not shown: say a worker")


def sparkline(values: Sequence[float | None], columns: int = _COLUMNS) -> str:
    """A line of bars, as many as fit; a gap where there is no value."""
    if not any(values):
        return ""
    width = max(1, -(-len(values) // columns))
    cells = [
        max((value for value in values[start : start + width] if value is not None), default=None)
        for start in range(0, len(values), width)
    ]
    most = max(value for value in cells if value is not None)
    return "".join(" " if value is None else _BARS[_height(value, most)] for value in cells)


def _height(value: float, most: float) -> int:
    return 0 if most <= 0 or value <= 0 else min(len(_BARS) - 1, round(value / most * (len(_BARS) - 1)))


def _told(value: float | None, form: str) -> str:
    if value is None:
        return ""
    if form == "MiB":
        return memory_size(value)
    return form.format(value) if form else size(round(value))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f} %"
