"""`v8box pages redirects`, `try` and `settings`: the rules of a site, what a request would get, what is set for it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import fail, printable
from v8box.cli.exits import Exit

app = typer.Typer()

_LISTS: Final = ("proxy_hosts", "optimise", "mounts")
_SWITCHES: Final = {"true": True, "false": False}
_CHANGES_HELP: Final = "security_headers=true, optimise=html,css … Without a value: unset."

Site = Annotated[str, typer.Argument(help="The site's name.")]
OfRelease = Annotated[
    int | None, typer.Option("--release", "-r", min=1, help="A release.", show_default="what is live")
]


@app.command("redirects")
@on_box
def list_redirects(
    command: Command,
    site: Site,
    release: OfRelease = None,
    unused: Annotated[bool, typer.Option("--unused", help="Only rules that were never the one.")] = False,
    limit: Limit = 100,
) -> None:
    """List the redirect rules of a site, and how often each was the one since the box started."""
    at = command.at("sites", site, "redirects")
    found, more = command.api.page(at, limit, release=release, unused="true" if unused else None)
    rows = [
        (each["number"], each["line"], each["hits"], _rule(each), each["to"], _status(each), _when(each))
        for each in found
    ]
    command.show(found, ("rule", "line", "hits", "from", "to", "status", "only if"), rows)
    if more:
        command.say("There are more: --limit")
    if not found and not command.as_json:
        command.say(f"{site} has no {'unused ' if unused else ''}rules. They stand in _redirects, or in its v8box.toml")


@app.command("try")
@on_box
def try_request(
    command: Command,
    site: Site,
    asked: Annotated[str, typer.Argument(metavar="PATH", help="A path with its query, or a whole URL.")],
    release: OfRelease = None,
    method: Annotated[str, typer.Option("--method", "-X", help="GET, POST …")] = "GET",
    country: Annotated[str, typer.Option("--country", help="Where the visitor is: DE, US …")] = "",
    language: Annotated[str, typer.Option("--language", help="As in Accept-Language.")] = "",
    cookies: Annotated[list[str] | None, typer.Option("--cookie", help="The name of a cookie that is set.")] = None,
) -> None:
    """Show what a request would get, and which rule leads there. Nothing is sent, and nothing counted."""
    body: dict[str, Any] = {"url": asked, "method": method.upper(), "country": country, "language": language}
    body["cookies"] = cookies or []
    if release is not None:
        body["release"] = release
    found = command.api.post(command.at("sites", site, "try"), body)
    rule = found["rule"]
    fields = {
        "outcome": found["outcome"].replace("_", " "),
        "status": found["status"],
        "place": found["place"],
        "rule": "" if rule is None else f"line {rule['line']}: {_rule(rule)} {rule['to']} {_status(rule)}",
        **found["headers"],
    }
    command.show_fields(found, fields)


@app.command("settings")
@on_box
def settings(
    command: Command,
    site: Site,
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help=_CHANGES_HELP)] = None,
) -> None:
    """Show what is set for a site beside its files, or set it. What is live gets it at once, as a new release."""
    at = command.at("sites", site, "settings")
    found = command.api.patch(at, _changes(changes)) if changes else command.api.get(at)
    if command.as_json:
        command.show(found)
        return
    live = found["live"] or {}
    names = [*live, *(name for name in found["set"] if name not in live)]
    rows = [
        (
            name,
            _text(live[name]) if name in live else "",
            _text(found["set"][name]) if name in found["set"] else "",
            "v8box.toml" if name in found["own"] else "set here" if name in found["set"] else "",
        )
        for name in names
    ]
    command.show(found, ("setting", f"release {found['release'] or '-'}", "set", "from"), rows)
    if shadowed := sorted(set(found["set"]) & set(found["own"])):
        command.say(f"The site's own v8box.toml goes before what is set: {', '.join(shadowed)}")


def _changes(given: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals:
            fail(f"{printable(each)} is no KEY=VALUE, e.g. security_headers=true", Exit.USAGE)
        found[name] = _value(name, text)
    return found


def _value(name: str, text: str) -> Any:
    """A list may be written with commas, mounts and anything else as JSON."""
    if not text:
        return None
    if text[0] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            fail(f"{printable(name)}: this is no JSON: {printable(text)}", Exit.USAGE)
    if name in _LISTS:
        return [part.strip() for part in text.split(",")]
    return _SWITCHES.get(text, text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _rule(rule: Any) -> str:
    return " ".join([rule["from"], *(f"{name}={value}" for name, value in rule["query"].items())])


def _status(rule: Any) -> str:
    return f"{rule['status']}{'!' if rule['force'] else ''}"


def _when(rule: Any) -> str:
    return " ".join(f"{name}={','.join(values)}" for name, values in rule["conditions"].items())
