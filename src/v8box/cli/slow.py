"""`v8box slow`: which addresses take long or ask the same again and again, and where the time goes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import printable

app = typer.Typer()


@app.command("slow")
@on_box
def slow(
    command: Command,
    worker: Annotated[str | None, typer.Option("--worker", "-w", help="Only of this worker.")] = None,
    environment: Annotated[str | None, typer.Option("--env", "-e", help="Only in this environment.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=14, help="How many days back, today included.")] = 2,
    limit: Limit = 20,
) -> None:
    """Show what takes long or asks the same again and again, what took longest altogether first."""
    found, more = command.api.page(command.at("slow"), limit, worker=worker, environment=environment, days=days)
    rows = [
        (
            each["worker"],
            each["environment"],
            f"{each['method']} {each['pattern']}".strip(),
            each["runs"],
            f"{each['p50_ms']:.0f} ms",
            f"{each['p95_ms']:.0f} ms",
            f"{each['worst']['duration_ms']:.0f} ms",
            shares(each["split"]),
            each["worst"]["id"],
        )
        for each in found
    ]
    columns = ("worker", "environment", "what", "runs", "p50", "p95", "worst", "where the time goes", "worst run")
    command.show(found, columns, rows)
    if command.as_json:
        return
    for each in found:
        for repeated in each["repeated"][:3]:
            where = f"{each['worker']} {each['pattern']}"
            command.say(printable(f"{where}: {repeated['text']} (in {repeated['runs']} runs)"))
    if more:
        command.say("There are more: --limit")
    if not found:
        command.say("Nothing was slow. What counts as slow: observability.slow_ms in v8box.toml")


def shares(split: Any) -> str:
    """`db 80 %, code 20 %`: what has a share worth naming."""
    total = sum(split.values())
    if total <= 0:
        return ""
    largest = sorted(split.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value / total * 100:.0f} %" for name, value in largest if value / total >= 0.05)
