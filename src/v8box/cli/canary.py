"""`v8box canary`: a version that gets more of the requests step by step, and none when it does worse than it may."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, parse_seconds
from v8box.cli.exits import Exit
from v8box.cli.workers import PRODUCTION, Environment, Version, Worker

app = typer.Typer(name="canary", help="Try a version on a growing part of the requests.", no_args_is_help=True)

_UNDER_WAY: Final = ("running", "paused")
_LOOK_SECONDS: Final = 2.0
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Tell each step until it has ended; ends with 1 when the version was taken back."),
]


@app.command("start")
@on_box
def start(
    command: Command,
    worker: Worker,
    version: Version,
    steps: Annotated[
        str | None, typer.Option("--steps", help="Per cents that grow, 100 the last.", show_default="1,5,25,50,100")
    ] = None,
    every: Annotated[str, typer.Option("--every", help="How long a step takes at least: 30s, 5m …")] = "1m",
    max_errors: Annotated[
        str | None, typer.Option("--max-errors", help="Of its requests at most: 2%, or `any`.", show_default="5%")
    ] = None,
    max_more_errors: Annotated[
        str | None, typer.Option("--max-more-errors", help="More than the old version's at most: 1%.")
    ] = None,
    max_p95: Annotated[float | None, typer.Option("--max-p95", help="Milliseconds that 95% of them keep to.")] = None,
    max_slower: Annotated[
        float | None, typer.Option("--max-slower", help="Times the old version's 95th percentile: 1.5")
    ] = None,
    min_requests: Annotated[
        int, typer.Option("--min-requests", min=0, help="Before so many nothing is judged, and no step done.")
    ] = 20,
    environment: Environment = PRODUCTION,
    watch: Watch = False,
) -> None:
    """Start a canary. When a guard is broken, the version before gets all requests back, by itself."""
    guards: dict[str, Any] = {"min_requests": min_requests}
    if max_errors is not None:
        guards["max_error_rate"] = None if max_errors == "any" else _part(max_errors)
    if max_more_errors is not None:
        guards["max_error_rate_increase"] = _part(max_more_errors)
    if max_p95 is not None:
        guards["max_p95_ms"] = max_p95
    if max_slower is not None:
        guards["max_p95_ratio"] = max_slower
    body: dict[str, Any] = {"version": version, "interval_seconds": parse_seconds(every), "guards": guards}
    if steps is not None:
        body["steps"] = _steps(steps)
    _shown(command, command.api.create(_address(command, worker, environment), body), watch)


@app.command("status")
@on_box
def status(command: Command, worker: Worker, environment: Environment = PRODUCTION, watch: Watch = False) -> None:
    """Show the canary that is under way, or the last there was."""
    _shown(command, command.api.get(_address(command, worker, environment)), watch)


@app.command("pause")
@on_box
def pause(command: Command, worker: Worker, environment: Environment = PRODUCTION) -> None:
    """Let it stay at its step. The guards still watch."""
    _show(command, command.api.post(f"{_address(command, worker, environment)}/pause"))


@app.command("resume")
@on_box
def resume(command: Command, worker: Worker, environment: Environment = PRODUCTION) -> None:
    """Let it go on, at the beginning of its step."""
    _show(command, command.api.post(f"{_address(command, worker, environment)}/resume"))


@app.command("abort")
@on_box
def abort(command: Command, worker: Worker, environment: Environment = PRODUCTION) -> None:
    """Give all requests back to the version before."""
    _show(command, command.api.delete(_address(command, worker, environment)))


def _address(command: Command, worker: str, environment: str) -> str:
    return command.at("workers", worker, "deployments", environment, "canary")


def _shown(command: Command, canary: Any, watch: bool) -> None:
    """Shows it; when watched, tells what changes until it has ended."""
    if watch:
        address = _address(command, canary["worker"], canary["environment"])
        last: tuple[Any, ...] = ()
        while canary["state"] in _UNDER_WAY:
            if (now := (canary["state"], canary["weight"])) != last:
                last = now
                command.say(f"v{canary['new']['number']} has {canary['weight']}% of the requests ({canary['state']})")
            time.sleep(_LOOK_SECONDS)
            canary = command.api.get(address)
    _show(command, canary)
    if watch and canary["state"] != "succeeded":
        raise typer.Exit(int(Exit.FAILED))


def _show(command: Command, canary: Any) -> None:
    fields = {
        "worker": f"{canary['worker']} in {canary['environment']}",
        "state": canary["state"],
        "why": canary["reason"],
        "weight": f"{canary['weight']}% of {', '.join(str(each) for each in canary['steps'])}",
        "a step takes": f"{canary['interval_seconds']:g} s, and {canary['guards']['min_requests']} requests",
        f"new, v{canary['new']['number']}": _figures(canary["new"]),
        f"old, v{canary['old']['number']}": _figures(canary["old"]),
        "started": f"{canary['started_at']} by {canary['started_by']}",
        "ended": canary["ended_at"],
    }
    command.show_fields(canary, fields)


def _figures(version: Any) -> str:
    return (
        f"{version['requests']} requests in the last minute, {version['error_rate']:.1%} errors, "
        f"p95 {version['p95_ms']:g} ms"
    )


def _part(text: str) -> float:
    """`5%` as 0.05."""
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        fail(f"{text} is no part of requests: it looks like 5%", Exit.USAGE)


def _steps(text: str) -> list[int]:
    parts = [part.strip().removesuffix("%") for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        fail(f"{text} are no steps: they look like 1,10,50,100", Exit.USAGE)
    return [int(part) for part in parts]
