"""What `v8box env` and `v8box secret` share: the level of a variable, its address, how a list of them looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command

Worker = Annotated[
    str | None, typer.Option("--worker", "-w", help="For this worker only.", show_default="every worker")
]
Level = Annotated[
    str | None,
    typer.Option(
        "--env", "-e", help="In this environment only: production, staging …", show_default="every environment"
    ),
]
Name = Annotated[str, typer.Argument(help="The variable's name, e.g. DATABASE_URL.")]
Names = Annotated[list[str], typer.Argument(help="Their names.")]


def level_of(worker: str | None, environment: str | None) -> Mapping[str, str | None]:
    """As the query of an address has it."""
    return {"worker": worker, "environment": environment}


def one(command: Command, name: str, *more: str) -> str:
    return command.at("variables", name, *more)


def in_words(worker: str | None, environment: str | None) -> str:
    """For people: `every worker in staging`."""
    return f"{worker or 'every worker'} in {environment or 'every environment'}"


def row(variable: Any) -> tuple[Any, ...]:
    hidden = "(secret)" if variable["secret"] else "(not for you to see)"
    return (
        variable["name"],
        hidden if variable["value"] is None else variable["value"],
        variable["worker"] or "every",
        variable["environment"] or "every",
        f"v{variable['version']}",
        variable["updated_at"],
        variable["updated_by"],
    )


COLUMNS: Final = ("name", "value", "worker", "environment", "version", "set at", "by")


def unset(command: Command, names: list[str], worker: str | None, environment: str | None) -> None:
    """Deletes them all, or none."""
    body = {"variables": dict.fromkeys(names)}
    changed = command.api.post(command.at("variables"), body, **level_of(worker, environment))
    command.show(changed, ("deleted",), [(name,) for name in changed["deleted"]])
    missing = [name for name in names if name not in changed["deleted"]]
    if missing:
        command.say(f"Not set for {in_words(worker, environment)}: {', '.join(missing)}")
