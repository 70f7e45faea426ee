"""`v8box key`: API keys, which open workers whose manifest asks for one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Yes, ask_name, fail, parse_seconds
from v8box.cli.exits import Exit

app = typer.Typer(
    name="key", help="API keys: what callers of workers need, where a manifest asks.", no_args_is_help=True
)

_RATE: Final = re.compile(r"([0-9]{1,10})/([0-9]*[smhd])", re.IGNORECASE)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `v8box key list` shows it.")]
Workers = Annotated[
    list[str] | None, typer.Option("--worker", "-w", help="Opens this one, or those like shop-*; may be said again.")
]
Methods = Annotated[list[str] | None, typer.Option("--method", "-X", help="For this method only; may be said again.")]
Paths = Annotated[list[str] | None, typer.Option("--path", help="For paths that begin so; may be said again.")]
Environments = Annotated[
    list[str] | None, typer.Option("--env", "-e", help="In this environment only; may be said again.")
]
Addresses = Annotated[
    list[str] | None, typer.Option("--from", help="From this address or range only; may be said again.")
]
Rate = Annotated[str | None, typer.Option("--rate", help="How often at most: 100/m, 10/s, 5000/1d.")]
Expires = Annotated[str | None, typer.Option("--expires", help="How long it is good for: 30d, 12h …")]


@app.command("list")
@on_box
def list_keys(command: Command) -> None:
    """List the keys of the project, without their texts."""
    found = command.api.all(command.at("api-keys"))
    rows = [
        (
            each["id"],
            each["name"],
            ", ".join(each["workers"]) or "all",
            _limits(each),
            _rate(each["rate_limit"]),
            "expired" if each["expired"] else each["expires_at"] or "never",
            each["last_used_at"] or "never",
        )
        for each in found
    ]
    command.show(found, ("id", "name", "workers", "only", "rate", "expires", "used"), rows)


@app.command("create")
@on_box
def create_key(
    command: Command,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    workers: Workers = None,
    methods: Methods = None,
    paths: Paths = None,
    environments: Environments = None,
    addresses: Addresses = None,
    rate: Rate = None,
    expires: Expires = None,
) -> None:
    """Make a key. It is shown this once. Without options it opens every worker of the project."""
    body = {"name": name, **_body(workers, methods, paths, environments, addresses, rate, expires)}
    made = command.api.create(command.at("api-keys"), body)
    command.show_fields(made, {"key": made["key"], **_fields(made)})
    command.say("Keep the key now: only a hash is stored. Callers send it as Authorization: Bearer, or X-API-Key")


@app.command("show")
@on_box
def show_key(command: Command, key_id: Id) -> None:
    """Show what a key opens."""
    found = command.api.get(command.at("api-keys", key_id))
    command.show_fields(found, _fields(found))


@app.command("change")
@on_box
def change_key(
    command: Command,
    key_id: Id,
    name: Annotated[str | None, typer.Option("--name", help="What it is for.")] = None,
    workers: Workers = None,
    methods: Methods = None,
    paths: Paths = None,
    environments: Environments = None,
    addresses: Addresses = None,
    rate: Rate = None,
    expires: Expires = None,
) -> None:
    """Change what a key opens, from the next request on. What is not said stays."""
    body = _body(workers, methods, paths, environments, addresses, rate, expires)
    if name is not None:
        body["name"] = name
    if not body:
        fail("Say what to change", Exit.USAGE)
    changed = command.api.patch(command.at("api-keys", key_id), body)
    command.show_fields(changed, _fields(changed))


@app.command("rotate")
@on_box
def rotate_key(
    command: Command,
    key_id: Id,
    overlap: Annotated[
        str | None, typer.Option("--overlap", help="How much longer the text before is good: 1d …", show_default="not")
    ] = None,
) -> None:
    """Give a key a new text, shown this once."""
    seconds = 0 if overlap is None else parse_seconds(overlap)
    made = command.api.post(command.at("api-keys", key_id, "rotate"), {"overlap_seconds": seconds})
    command.show_fields(made, {"key": made["key"], "the one before is good until": made["previous_valid_until"]})


@app.command("delete")
@on_box
def delete_key(command: Command, key_id: Id, yes: Yes = False) -> None:
    """Delete a key. It opens nothing from the next request on."""
    ask_name("key", key_id, yes=yes)
    command.api.delete(command.at("api-keys", key_id))
    command.say(f"The key {key_id} opens nothing any more")


def _body(
    workers: list[str] | None,
    methods: list[str] | None,
    paths: list[str] | None,
    environments: list[str] | None,
    addresses: list[str] | None,
    rate: str | None,
    expires: str | None,
) -> dict[str, Any]:
    """What was said, as the API takes it."""
    body: dict[str, Any] = {
        "workers": workers,
        "methods": None if methods is None else [method.upper() for method in methods],
        "paths": paths,
        "environments": environments,
        "allow_ips": addresses,
        "rate_limit": None if rate is None else read_rate(rate),
    }
    if expires is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=parse_seconds(expires))).isoformat()
    return {name: value for name, value in body.items() if value is not None}


def read_rate(text: str) -> dict[str, int]:
    """`100/m` as 100 in 60 seconds. Ends the command when it is none."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        fail(f"{text} is no rate: it looks like 100/m, 10/s or 5000/1d", Exit.USAGE)
    window = match[2] if match[2][0].isdigit() else f"1{match[2]}"
    return {"limit": int(match[1]), "window_seconds": parse_seconds(window)}


def _rate(limit: Any) -> str:
    return f"{limit['limit']} in {limit['window_seconds']} s" if limit else ""


def _limits(key: Any) -> str:
    return "; ".join(", ".join(key[name]) for name in ("methods", "paths", "environments", "allow_ips") if key[name])


def _fields(key: Any) -> dict[str, Any]:
    return {
        "id": key["id"],
        "name": key["name"],
        "workers": ", ".join(key["workers"]) or "all of the project",
        "methods": ", ".join(key["methods"]),
        "paths": ", ".join(key["paths"]),
        "environments": ", ".join(key["environments"]),
        "from": ", ".join(key["allow_ips"]),
        "rate": _rate(key["rate_limit"]),
        "expires": key["expires_at"],
        "made": f"{key['created_at']} by {key['created_by']}",
        "used": key["last_used_at"],
        "the one before is good until": key["previous_valid_until"],
    }
