"""`v8box promote`, `rollback`, `split`: what is live of a worker in an environment."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail
from v8box.cli.exits import Exit
from v8box.cli.workers import PRODUCTION, Environment, Worker, live

app = typer.Typer()

Message = Annotated[str, typer.Option("--message", "-m", help="Why, for those who read the history.")]


@app.command("promote")
@on_box
def promote(
    command: Command,
    worker: Worker,
    source: Annotated[str, typer.Option("--from", help="The environment whose newest version it is.")] = "staging",
    target: Annotated[str, typer.Option("--to", help="Where to make it live.")] = PRODUCTION,
    message: Message = "",
) -> None:
    """Make what is live in staging live in production: the same bytes, not another build."""
    _change(command, worker, target, "promote", {"from": source, "message": message})


@app.command("rollback")
@on_box
def roll_back(
    command: Command,
    worker: Worker,
    to: Annotated[
        str | None, typer.Option("--to", help="A version: v3, a tag, its id.", show_default="the one before")
    ] = None,
    environment: Environment = PRODUCTION,
    message: Message = "",
) -> None:
    """Go back to what was live before, or to a version. No request is lost."""
    body: dict[str, Any] = {"message": message}
    if to is not None:
        body["to"] = to
    _change(command, worker, environment, "rollback", body)


@app.command("split")
@on_box
def split(
    command: Command,
    worker: Worker,
    shares: Annotated[
        list[str], typer.Argument(metavar="VERSION=PERCENT...", help="One version, or two: v3=90 v4=10.")
    ],
    sticky: Annotated[
        str | None,
        typer.Option(
            "--sticky", help="What keeps a caller on one version: ip, header:<name>, cookie:<name>; '' for nothing."
        ),
    ] = None,
    environment: Environment = PRODUCTION,
    message: Message = "",
) -> None:
    """Share the requests between two versions, or give all of them to one."""
    body: dict[str, Any] = {"versions": [_share(each) for each in shares], "message": message}
    if sticky is not None:
        body["sticky"] = sticky
    began = time.perf_counter()
    changed = command.api.put(command.at("workers", worker, "deployments", environment), body)
    show_deployment(command, changed, time.perf_counter() - began)


def show_deployment(command: Command, deployment: Any, seconds: float) -> None:
    fields = {
        "worker": deployment["worker"],
        "live": live(deployment),
        "sticky": deployment["sticky"],
        "url": deployment["url"],
        "changed": f"{deployment['changed_at']} by {deployment['changed_by']}, in {seconds * 1_000:.0f} ms",
    }
    command.show_fields(deployment, fields)


def _change(command: Command, worker: str, environment: str, what: str, body: Any) -> None:
    began = time.perf_counter()
    changed = command.api.post(command.at("workers", worker, "deployments", environment, what), body)
    show_deployment(command, changed, time.perf_counter() - began)


def _share(text: str) -> dict[str, Any]:
    version, _, weight = text.rpartition("=")
    percent = weight.removesuffix("%")
    if not version or not percent.isascii() or not percent.isdigit():
        fail(f"{text} is no share: it looks like v3=90", Exit.USAGE)
    return {"version": version, "weight": int(percent)}
