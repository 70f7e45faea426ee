"""`v8box memory`: what each process of a worker uses, and whether it leaks."""

from __future__ import annotations

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import memory_size, printable
from v8box.cli.workers import Worker

app = typer.Typer()


@app.command("memory")
@on_box
def memory(command: Command, worker: Worker) -> None:
    """Show the memory of a worker's processes, and how much they keep with every request."""
    found = command.api.all(command.at("workers", worker, "memory"))
    rows = [
        (
            each["environment"],
            each["state"],
            each["runs"],
            memory_size(each["memory_bytes"]),
            memory_size(each["peak_bytes"]),
            memory_size(each["limit_bytes"]),
            "no" if each["finding"] is None else f"{each['leak_mb_per_1000_requests']:.1f} MiB per 1,000 requests",
        )
        for each in found
    ]
    command.show(found, ("environment", "state", "runs", "now", "most", "limit", "leaks"), rows)
    if command.as_json:
        return
    for each in found:
        if each["finding"] is not None:
            command.say(printable(f"{worker} {each['finding']}"))
    if not found:
        command.say(f"{worker} has no process now: it sleeps, or it is not there")
