"""`v8box notify rules`: what is watched, and whom it tells."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Yes, ask_name, fail, parse_seconds
from v8box.cli.exits import Exit
from v8box.cli.notify_owner import OfBox, channel_id, place, rule_id

app = typer.Typer(name="rules", help="What is watched, and whom it tells.", no_args_is_help=True)

RuleName = Annotated[str, typer.Argument(metavar="RULE", help="Its name or id.")]
Kind = Annotated[
    str,
    typer.Option(
        "--kind",
        help="error_rate, latency_p95, terminations, health, quota, errors, deploy_failed or canary_rolled_back.",
    ),
]
Above = Annotated[
    float | None,
    typer.Option("--above", help="Per cent (error_rate, quota), milliseconds (latency_p95), a number (terminations)."),
]
Window = Annotated[str | None, typer.Option("--window", help="Of which time: 5m, 30s … an hour at most.")]
MinRequests = Annotated[int | None, typer.Option("--min-requests", help="With fewer it says nothing.")]
Lasting = Annotated[str | None, typer.Option("--for", help="How long it has to last: 1m …; `none`: not at all.")]
Worker = Annotated[str | None, typer.Option("--worker", "-w", help="Of this one, or those like shop-*.")]
InEnvironment = Annotated[str | None, typer.Option("--env", "-e", help="In this environment only.")]
Projects = Annotated[str | None, typer.Option("--projects", help="Of these projects: a pattern. For rules of the box.")]
Severity = Annotated[str | None, typer.Option("--severity", help="info, warning or critical.")]
Channels = Annotated[
    list[str] | None, typer.Option("--channel", help="Whom it tells; may be said again. `none`: nobody.")
]
Reminder = Annotated[str | None, typer.Option("--remind", help="Tell again after: 4h …; `none`: only once.")]
Checks = Annotated[
    list[str] | None, typer.Option("--check", help="Of health: this check only; may be said again. `none`: any.")
]
Status = Annotated[str | None, typer.Option("--status", help="Of health: fail, or warn for warnings too.")]
Quotas = Annotated[
    list[str] | None, typer.Option("--quota", help="Of quota: this one only; may be said again. `none`: any.")
]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Of terminations: this one; may be said again. `none`: any.")
]
Which = Annotated[list[str] | None, typer.Option("--change", help="Of errors: new or regressed only. `none`: both.")]


@app.command("list")
@on_box
def list_rules(command: Command, box: OfBox = False) -> None:
    """List the rules."""
    found = command.api.all(place(command, box, "rules"))
    names = {each["id"]: each["name"] for each in command.api.all(place(command, box, "channels"))}
    rows = [
        (
            each["name"],
            each["kind"],
            when(each),
            each["severity"],
            ", ".join(names.get(channel, channel) for channel in each["channels"]) or "the list only",
            _silence(each),
            each["id"],
        )
        for each in found
    ]
    command.show(found, ("name", "watches", "when", "severity", "tells", "", "id"), rows)
    if not found:
        command.say('No rule yet. Make one: v8box notify rules add "errors" --kind error_rate --above 5 --channel NAME')


@app.command("add")
@on_box
def add_rule(
    command: Command,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    kind: Kind,
    above: Above = None,
    window: Window = None,
    min_requests: MinRequests = None,
    lasting: Lasting = None,
    worker: Worker = None,
    environment: InEnvironment = None,
    projects: Projects = None,
    severity: Severity = None,
    channel: Channels = None,
    remind: Reminder = None,
    check: Checks = None,
    status: Status = None,
    quota: Quotas = None,
    reason: Reasons = None,
    change: Which = None,
    box: OfBox = False,
) -> None:
    """Make a rule. It is looked at from now on, every ten seconds."""
    body = {
        "name": name,
        "kind": kind,
        **_times(window=window, lasting=lasting, remind=remind),
        **_said(threshold=above, min_requests=min_requests, worker=worker, environment=environment),
        **_said(projects=projects, severity=severity, status=status),
        **_lists(checks=check, quotas=quota, reasons=reason, changes=change),
        **_channels(command, box, channel),
    }
    made = command.api.create(place(command, box, "rules"), body)
    command.show_fields(made, {"id": made["id"], "watches": made["kind"], "when": when(made)})
    if not made["channels"]:
        command.say("It tells nobody yet, and shows in `v8box notify alerts`. Give it a channel: --channel NAME")


@app.command("change")
@on_box
def change_rule(
    command: Command,
    rule: RuleName,
    name: Annotated[str | None, typer.Option("--name", help="What to call it from now on.")] = None,
    above: Above = None,
    window: Window = None,
    min_requests: MinRequests = None,
    lasting: Lasting = None,
    worker: Worker = None,
    environment: InEnvironment = None,
    projects: Projects = None,
    severity: Severity = None,
    channel: Channels = None,
    remind: Reminder = None,
    check: Checks = None,
    status: Status = None,
    quota: Quotas = None,
    reason: Reasons = None,
    change: Which = None,
    silence: Annotated[str | None, typer.Option("--silence", help="Tell nobody for: 2h …; `none`: tell again.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is looked at.")] = None,
    box: OfBox = False,
) -> None:
    """Change a rule, or silence it. What is not said stays."""
    body = {
        **_times(window=window, lasting=lasting, remind=remind, silence=silence),
        **_said(name=name, threshold=above, min_requests=min_requests, worker=worker, environment=environment),
        **_said(projects=projects, severity=severity, status=status, enabled=on),
        **_lists(checks=check, quotas=quota, reasons=reason, changes=change),
        **_channels(command, box, channel),
    }
    if not body:
        fail("Say what to change", Exit.USAGE)
    changed = command.api.patch(place(command, box, "rules", rule_id(command, box, rule)), body)
    told = {"name": changed["name"], "when": when(changed), "state": _silence(changed)}
    command.show_fields(changed, told)


@app.command("delete")
@on_box
def delete_rule(command: Command, rule: RuleName, box: OfBox = False, yes: Yes = False) -> None:
    """Delete a rule. What it has found is over."""
    ask_name("rule", rule, yes=yes)
    command.api.delete(place(command, box, "rules", rule_id(command, box, rule)))
    command.say(f"The rule {rule} is gone")


# ---- reading what was typed, as the API takes it: what was not said is left out

_FIELD_OF = {"window": "window_seconds", "lasting": "for_seconds", "remind": "reminder_seconds"}


def _times(**said: str | None) -> dict[str, int]:
    return {
        _FIELD_OF.get(name, f"{name}_seconds"): 0 if text == "none" else parse_seconds(text)
        for name, text in said.items()
        if text is not None
    }


def _said(**said: Any) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _lists(**said: list[str] | None) -> dict[str, list[str]]:
    return {name: [] if value == ["none"] else value for name, value in said.items() if value}


def _channels(command: Command, box: bool, named: list[str] | None) -> dict[str, list[str]]:
    return _lists(channels=named and [each if each == "none" else channel_id(command, box, each) for each in named])


# ---- showing


def _silence(rule: Any) -> str:
    if not rule["enabled"]:
        return "off"
    return f"silent until {rule['silenced_until']}" if rule["silenced_until"] else ""


def when(rule: Any) -> str:
    """When it fires, in a few words."""
    where = "" if rule["worker"] == "*" else f" of {rule['worker']}"
    where += "" if rule["environment"] == "*" else f" in {rule['environment']}"
    where += "" if rule["projects"] == "*" else f" in projects {rule['projects']}"
    lasting = f" for {rule['for_seconds']} s" if rule["for_seconds"] else ""
    window = f" in {rule['window_seconds']} s"
    match rule["kind"]:
        case "error_rate":
            return f"more than {rule['threshold']:g} %{where}{window}{lasting}"
        case "latency_p95":
            return f"more than {rule['threshold']:g} ms{where}{window}{lasting}"
        case "terminations":
            reasons = f" ({', '.join(rule['reasons'])})" if rule["reasons"] else ""
            return f"{max(1, rule['threshold']):g} or more{where}{window}{reasons}{lasting}"
        case "quota":
            return f"{rule['threshold']:g} % of {', '.join(rule['quotas']) or 'any'} or more{where}{lasting}"
        case "health":
            return f"{', '.join(rule['checks']) or 'any check'}: {rule['status']}{lasting}"
        case _:
            changes = f" ({', '.join(rule['changes'])})" if rule["changes"] else ""
            return f"at once{where}{changes}"
