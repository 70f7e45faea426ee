"""`v8box cache spaces`, `keys`, `get`, `set`, `ttl`, `rename`, `delete`: what workers keep by `cache` and in KV."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import Yes, ask, ask_name, fail, parse_seconds, print_text, size
from v8box.cli.exits import Exit

_MAX_BYTES: Final = 26_214_400
_ADDED: Final = ("list", "set", "zset")

Key = Annotated[str, typer.Argument(metavar="KEY", help="The key.")]
Space = Annotated[str, typer.Option("--space", "-s", help="cache, or kv: and the name of a KV namespace.")]
Ttl = Annotated[str | None, typer.Option("--ttl", help="How long it lasts: 90s, 45m, 12h, 30d; or never.")]


def add_key_commands(app: typer.Typer) -> None:
    """Registers the commands."""
    for name, command in (
        ("spaces", list_spaces),
        ("keys", list_keys),
        ("get", get_value),
        ("set", set_value),
        ("ttl", set_ttl),
        ("rename", rename_key),
        ("delete", delete_keys),
    ):
        app.command(name)(command)


@on_box
def list_spaces(command: Command) -> None:
    """List what workers keep: by `cache` itself, and in each KV namespace."""
    found = command.api.get(command.at("cache", "spaces"))
    rows = [(each["space"], _count(each["keys"]), size(each["bytes"])) for each in found["items"]]
    command.show(found, ("space", "keys", "memory"), rows)
    quota = found["quota_bytes"]
    if found["bytes"] is not None:
        command.say(f"{size(found['bytes'])} of {'any amount' if quota is None else size(quota)}")
    if found["measuring"]:
        command.say("It is being measured: ask again in a moment")
    command.say("Look into one: v8box cache keys --space NAME")


@on_box
def list_keys(
    command: Command,
    prefix: Annotated[str, typer.Argument(help="What they begin with.")] = "",
    space: Space = "cache",
    kind: Annotated[
        str | None, typer.Option("--type", help="Only of this type: string, hash, list, set, zset, stream.")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List keys with what is known of them, not what they hold."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = command.api.get(
            command.at("cache", "keys"), space=space, prefix=prefix, type=kind, limit=min(limit, 500), cursor=cursor
        )
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None or len(items) >= limit:
            break
    more, items = cursor is not None or len(items) > limit, items[:limit]
    items.sort(key=lambda each: _words(each["key"]))
    rows = [
        (_words(each["key"]), each["type"], _lasts(each["ttl_seconds"]), _count(each["length"]), size(each["bytes"]))
        for each in items
    ]
    command.show(items, ("key", "type", "expires in", "length", "memory"), rows)
    if more:
        command.say("There are more: name a longer prefix, or say --limit")
    elif not items:
        command.say("There is none. A worker makes one with: await cache.set('greeting', 'hello', 'EX', 3600)")
    else:
        command.say("See what one holds: v8box cache get KEY")


@on_box
def get_value(
    command: Command,
    key: Key,
    space: Space = "cache",
    field: Annotated[str | None, typer.Option("--field", help="One field of a hash.")] = None,
    limit: Limit = 100,
) -> None:
    """Print what a key holds: a string as it is, anything else as a table."""
    value = _read(command, key, space, limit, field=field)
    if command.as_json:
        command.show(value)
        return
    kind = value["type"]
    if value["cut"] and not sys.stdout.isatty():
        with command.api.download(command.at("cache", "value", "file"), key=key, space=space) as chunks:
            for chunk in chunks:
                print_text(chunk)
        return
    if value["value"] is not None or (field is not None and value["items"]):
        print_text(_data(value["value"] if field is None else value["items"][0]["value"]))
        if sys.stdout.isatty():
            command.say(f"({kind}, expires in {_lasts(value['ttl_seconds'])})")
        if value["cut"] or (field is not None and value["items"][0]["cut"]):
            command.say(f"This is the beginning of {size(value['length'])}. All of it: v8box cache get {key} > FILE")
        return
    columns, rows = _table(kind, value["items"])
    command.show(value, columns, rows)
    rest = "" if value["next_cursor"] is None else "; there are more, say --limit"
    command.say(f"{kind} of {_count(value['length'])}, expires in {_lasts(value['ttl_seconds'])}{rest}")


@on_box
def set_value(
    command: Command,
    key: Key,
    value: Annotated[
        str | None, typer.Argument(help="The value. Left out: it is read from standard input, as a secret should be.")
    ] = None,
    space: Space = "cache",
    ttl: Ttl = None,
    field: Annotated[str | None, typer.Option("--field", help="Set this field of a hash.")] = None,
    add: Annotated[
        str | None, typer.Option("--add", help="Add to a list (at its end), a set or a zset: list, set, zset.")
    ] = None,
    score: Annotated[float | None, typer.Option("--score", help="The score, with --add zset.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Refuse where there is one already.")] = False,
) -> None:
    """Set a string, a value of a namespace, a hash's field; or add to a list, a set, a zset."""
    if add is not None and add not in _ADDED:
        fail("--add takes list, set or zset", Exit.USAGE)
    if (add == "zset") != (score is not None):
        fail("--add zset and --score go together", Exit.USAGE)
    if add is not None and field is not None:
        fail("Say --field or --add, not both", Exit.USAGE)
    given = _given() if value is None else value
    seconds = _seconds(ttl)
    if field is None and add is None:
        body: dict[str, Any] = {"value": given, **({} if ttl is None else {"ttl_seconds": seconds})}
        done = _put(command, key, space, body, new=new)
    else:
        done = command.api.post(
            command.at("cache", "items"), _item(given, field, add, score, new), key=key, space=space
        )
        if ttl is not None:
            command.api.put(command.at("cache", "ttl"), {"ttl_seconds": seconds}, key=key, space=space)
    if command.as_json:
        command.show(done)
    command.say(f"Set. See it: v8box cache get {key}")


@on_box
def set_ttl(
    command: Command,
    key: Key,
    lasts: Annotated[str | None, typer.Argument(help="From now on: 90s, 45m, 12h, 30d; or never.")] = None,
    space: Space = "cache",
) -> None:
    """Show when a key expires, or set it."""
    if lasts is None:
        found = _described(command, key, space)
    else:
        body = {"ttl_seconds": _seconds(lasts)}
        found = command.api.put(command.at("cache", "ttl"), body, key=key, space=space)
    if command.as_json:
        command.show(found)
        return
    command.show_fields(found, {"key": _words(found["key"]), "expires in": _lasts(found["ttl_seconds"])})


@on_box
def rename_key(
    command: Command,
    key: Key,
    to: Annotated[str, typer.Argument(metavar="TO", help="Its new name.")],
    space: Space = "cache",
) -> None:
    """Give a key another name, unless that is taken."""
    done = command.api.post(command.at("cache", "rename"), {"to": to}, key=key, space=space)
    if command.as_json:
        command.show(done)
    command.say(f"Renamed. See it: v8box cache get {to}")


@on_box
def delete_keys(
    command: Command,
    keys: Annotated[list[str] | None, typer.Argument(help="The keys.")] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", help="All that begin so.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All keys of the space.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    space: Space = "cache",
    yes: Yes = False,
) -> None:
    """Delete keys, or all that begin with a prefix."""
    if sum((bool(keys), bool(prefix), everything)) != 1:
        fail("Say which: keys, --prefix or --everything", Exit.USAGE)
    if keys:
        if dry_run:
            fail("--dry-run goes with --prefix or --everything", Exit.USAGE)
        ask(f"Delete {', '.join(keys)}?", yes=yes)
        for key in keys:
            command.api.delete(command.at("cache", "keys"), key=key, space=space)
        command.say(f"Deleted: {len(keys)}")
        return
    body: dict[str, Any] = {"space": space, "prefix": prefix or ""}
    counted = _remove(command, {**body, "dry_run": True})
    found = f"{counted['keys']} keys {f'begin with {prefix}' if prefix else f'are in {space}'}"
    if dry_run:
        command.show(counted, ("keys",), [(counted["keys"],)])
        command.say(f"{found}. Delete them: the same without --dry-run")
        return
    if counted["keys"]:
        command.say(found)
        ask_name("keys", prefix or space, yes=yes)
    done = _remove(command, {**body, "everything": everything})
    if command.as_json:
        command.show(done)
    command.say(f"Deleted: {done['keys']}")


def _remove(command: Command, body: Mapping[str, Any]) -> Any:
    operation = command.api.post(command.at("cache", "delete"), body)
    return command.api.wait(operation, lambda _: None)["result"]


def _put(command: Command, key: str, space: str, body: Mapping[str, Any], *, new: bool) -> Any:
    return command.api.put(command.at("cache", "value"), body, if_none_match="*" if new else None, key=key, space=space)


def _read(command: Command, key: str, space: str, limit: int, *, field: str | None) -> Any:
    """Pages of items as one value."""
    at = command.at("cache", "value")
    value = command.api.get(at, key=key, space=space, field=field, limit=min(limit, 500))
    cursor = value["next_cursor"]
    while cursor is not None and len(value["items"]) < limit:
        page = command.api.get(at, key=key, space=space, limit=min(limit - len(value["items"]), 500), cursor=cursor)
        value["items"] += page["items"]
        cursor = page["next_cursor"]
    value["next_cursor"] = cursor
    return value


def _described(command: Command, key: str, space: str) -> Any:
    """What is known of one key, which everybody may see; what it holds is not asked for."""
    cursor: str | None = None
    while True:
        page = command.api.get(command.at("cache", "keys"), space=space, prefix=key, limit=500, cursor=cursor)
        for each in page["items"]:
            if each["key"] == key:
                return each
        cursor = page["next_cursor"]
        if cursor is None:
            fail(f"There is no key {key}. See which there are: v8box cache keys")


def _item(value: Any, field: str | None, add: str | None, score: float | None, new: bool) -> dict[str, Any]:
    if field is not None:
        return {"type": "hash", "action": "set", "name": field, "value": value, "new": new}
    if add == "list":
        return {"type": "list", "action": "create" if new else "append", "value": value}
    body = {"type": add, "action": "set", "name": value, "new": new}
    return body if score is None else {**body, "score": score}


def _given() -> str | dict[str, str]:
    """From standard input, one line end at its end left out."""
    if sys.stdin.isatty():
        return str(typer.prompt("Value", err=True))
    data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        fail(f"A value has at most {size(_MAX_BYTES)} here")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _seconds(lasts: str | None) -> int | None:
    return None if lasts is None or lasts == "never" else parse_seconds(lasts)


def _table(kind: str, items: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    match kind:
        case "hash":
            return ("field", "value"), [(_words(each["name"]), _words(each["value"])) for each in items]
        case "list":
            return ("", "item"), [(each["index"], _words(each["value"])) for each in items]
        case "set":
            return ("member",), [(_words(each["name"]),) for each in items]
        case "zset":
            return ("score", "member"), [(each["score"], _words(each["name"])) for each in items]
        case "stream":
            rows = [(each["id"], ", ".join(f"{_words(f)}={_words(v)}" for f, v in each["entry"])) for each in items]
            return ("id", "entry"), rows
    return (), []


def _data(value: str | dict[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def _words(value: str | dict[str, str]) -> str:
    """A name or value in a table; what is no text shows its bytes."""
    return value if isinstance(value, str) else base64.b64decode(value["base64"]).decode("utf-8", "backslashreplace")


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _lasts(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"
