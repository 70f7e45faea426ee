"""`v8box notify`: rules that watch, channels that tell people, alerts that fire, and what was sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box, path
from v8box.cli.console import Yes, ask_name, fail, parse_seconds
from v8box.cli.exits import Exit

app = typer.Typer(name="notify", help="Tell people when something is wrong.", no_args_is_help=True)
channels = typer.Typer(
    name="channels", help="Where messages go: e-mail, Slack, Discord, webhooks.", no_args_is_help=True
)
rules = typer.Typer(name="rules", help="What is watched, and whom it tells.", no_args_is_help=True)
app.add_typer(channels)
app.add_typer(rules)

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

OfBox = Annotated[bool, typer.Option("--box", help="Those of the box itself, not of the project.")]
ChannelName = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name or id.")]
RuleName = Annotated[str, typer.Argument(metavar="RULE", help="Its name or id.")]
AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as `v8box notify alerts` shows it.")]
UrlFile = Annotated[
    str | None,
    typer.Option("--url-file", help="A file with the address, - for stdin: it is a secret, so it is not typed here."),
]
PasswordFile = Annotated[
    str | None, typer.Option("--password-file", help="A file with the mail server's password, - for stdin.")
]
Quiet = Annotated[
    str | None,
    typer.Option("--quiet", help="Quiet hours: `22:00-07:00 Europe/Berlin`, with days: `… sat,sun`. `none`: without."),
]
Mails = Annotated[list[str] | None, typer.Option("--to", help="An e-mail address; may be said again.")]


# ---- channels


@channels.command("list")
@on_box
def list_channels(command: Command, box: OfBox = False) -> None:
    """List the channels, and whether they work."""
    found = command.api.all(_at(command, box, "channels"))
    rows = [(each["name"], each["kind"], each["shows"], _state(each), each["id"]) for each in found]
    command.show(found, ("name", "kind", "leads to", "state", "id"), rows)
    if not found:
        command.say("No channel yet. Make one: v8box notify channels add NAME --kind slack --url-file FILE")


@channels.command("add")
@on_box
def add_channel(
    command: Command,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    kind: Annotated[str, typer.Option("--kind", help="email, slack, discord or webhook.")],
    url_file: UrlFile = None,
    to: Mails = None,
    sender: Annotated[str | None, typer.Option("--from", help="Whom mails are from; the box's, if not said.")] = None,
    host: Annotated[str, typer.Option("--host", help="A mail server of its own; the box's, if not said.")] = "",
    port: Annotated[int, typer.Option("--port", help="Of that server.")] = 587,
    security: Annotated[str, typer.Option("--security", help="starttls, tls or none.")] = "starttls",
    username: Annotated[str, typer.Option("--username", help="For that server.")] = "",
    password_file: PasswordFile = None,
    quiet: Quiet = None,
    box: OfBox = False,
) -> None:
    """Make a channel. A webhook's signing secret is shown this once."""
    body: dict[str, Any] = {"name": name, "kind": kind}
    if url_file is not None:
        body["url"] = _read(url_file)
    if to:
        own = {"to": to, "sender": sender, "host": host, "port": port, "security": security, "username": username}
        body["email"] = own if password_file is None else {**own, "password": _read(password_file)}
    if quiet is not None:
        body["quiet_hours"] = read_quiet(quiet)
    made = command.api.create(_at(command, box, "channels"), body)
    secret = made.get("signing_secret")
    command.show_fields(made, {"id": made["id"], "leads to": made["shows"], "signing secret": secret})
    if secret:
        command.say("Keep the signing secret now: the receiver checks signatures with it")
    command.say(f"Try it: v8box notify test {name}{' --box' if box else ''}")


@channels.command("change")
@on_box
def change_channel(
    command: Command,
    channel: ChannelName,
    name: Annotated[str | None, typer.Option("--name", help="What to call it from now on.")] = None,
    url_file: UrlFile = None,
    quiet: Quiet = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it tells anybody anything.")] = None,
    box: OfBox = False,
) -> None:
    """Change a channel. What is not said stays."""
    body: dict[str, Any] = {"name": name, "enabled": on, "url": None if url_file is None else _read(url_file)}
    body = {field: value for field, value in body.items() if value is not None}
    if quiet is not None:
        body["quiet_hours"] = read_quiet(quiet)
    if not body:
        fail("Say what to change", Exit.USAGE)
    changed = command.api.patch(_at(command, box, "channels", _channel(command, box, channel)), body)
    command.show_fields(changed, {"name": changed["name"], "leads to": changed["shows"], "state": _state(changed)})


@app.command("test")
@on_box
def send_test(command: Command, channel: ChannelName, box: OfBox = False) -> None:
    """Send a message now. Ends with 1 when it was not delivered."""
    sent = command.api.post(_at(command, box, "channels", _channel(command, box, channel), "test"), {})
    attempt = sent["attempts"][-1]
    shown = {"state": sent["state"], "status": attempt["status"], "took": f"{attempt['latency_ms']:.0f} ms"}
    command.show_fields(sent, {**shown, "error": attempt["error"]})
    if sent["state"] != "delivered":
        raise typer.Exit(int(Exit.FAILED))


@channels.command("rotate")
@on_box
def rotate_channel(
    command: Command,
    channel: ChannelName,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How much longer messages are signed with the secret before as well.")
    ] = "1d",
    box: OfBox = False,
) -> None:
    """Give a webhook a new signing secret, shown this once."""
    address = _at(command, box, "channels", _channel(command, box, channel), "rotate")
    made = command.api.post(address, {"overlap_seconds": parse_seconds(overlap)})
    told = {"signing secret": made["signing_secret"], "the one before is good until": made["previous_valid_until"]}
    command.show_fields(made, told)


@channels.command("delete")
@on_box
def delete_channel(command: Command, channel: ChannelName, box: OfBox = False, yes: Yes = False) -> None:
    """Delete a channel that no rule sends to."""
    ask_name("channel", channel, yes=yes)
    command.api.delete(_at(command, box, "channels", _channel(command, box, channel)))
    command.say(f"The channel {channel} is gone")


# ---- rules

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
Lasting = Annotated[str | None, typer.Option("--for", help="How long it has to last: 1m …")]
Worker = Annotated[str | None, typer.Option("--worker", "-w", help="Of this one, or those like shop-*.")]
InEnvironment = Annotated[str | None, typer.Option("--env", "-e", help="In this environment only.")]
Projects = Annotated[str | None, typer.Option("--projects", help="Of these projects: a pattern. For rules of the box.")]
Severity = Annotated[str | None, typer.Option("--severity", help="info, warning or critical.")]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Whom it tells; may be said again.")]
Reminder = Annotated[str | None, typer.Option("--remind", help="Tell again after: 4h …; `none`: only once.")]
Checks = Annotated[list[str] | None, typer.Option("--check", help="Of health: this check only; may be said again.")]
Status = Annotated[str | None, typer.Option("--status", help="Of health: fail, or warn for warnings too.")]
Quotas = Annotated[list[str] | None, typer.Option("--quota", help="Of quota: this one only; may be said again.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Of terminations: this one; may be said again.")]
Which = Annotated[list[str] | None, typer.Option("--change", help="Of errors: new or regressed only.")]


@rules.command("list")
@on_box
def list_rules(command: Command, box: OfBox = False) -> None:
    """List the rules."""
    found = command.api.all(_at(command, box, "rules"))
    names = {each["id"]: each["name"] for each in command.api.all(_at(command, box, "channels"))}
    rows = [
        (
            each["name"],
            each["kind"],
            _about(each),
            each["severity"],
            ", ".join(names.get(channel, channel) for channel in each["channels"]) or "the list only",
            "off"
            if not each["enabled"]
            else f"silent until {each['silenced_until']}"
            if each["silenced_until"]
            else "",
            each["id"],
        )
        for each in found
    ]
    command.show(found, ("name", "watches", "when", "severity", "tells", "", "id"), rows)
    if not found:
        command.say('No rule yet. Make one: v8box notify rules add "errors" --kind error_rate --above 5 --channel NAME')


@rules.command("add")
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
        **_body(above, window, min_requests, lasting, worker, environment, projects, severity, remind),
        **_lists(checks=check, quotas=quota, reasons=reason, changes=change),
    }
    if status is not None:
        body["status"] = status
    if channel:
        body["channels"] = [_channel(command, box, each) for each in channel]
    made = command.api.create(_at(command, box, "rules"), body)
    command.show_fields(made, {"id": made["id"], "watches": made["kind"], "when": _about(made)})
    if not channel:
        command.say("It tells nobody yet, and shows in `v8box notify alerts`. Give it a channel: --channel NAME")


@rules.command("change")
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
    silence: Annotated[str | None, typer.Option("--silence", help="Tell nobody for: 2h …; `none`: tell again.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is looked at.")] = None,
    box: OfBox = False,
) -> None:
    """Change a rule, or silence it. What is not said stays."""
    body = _body(above, window, min_requests, lasting, worker, environment, projects, severity, remind)
    if name is not None:
        body["name"] = name
    if on is not None:
        body["enabled"] = on
    if silence is not None:
        body["silence_seconds"] = 0 if silence == "none" else parse_seconds(silence)
    if channel:
        body["channels"] = [] if channel == ["none"] else [_channel(command, box, each) for each in channel]
    if not body:
        fail("Say what to change", Exit.USAGE)
    changed = command.api.patch(_at(command, box, "rules", _rule(command, box, rule)), body)
    told = {"name": changed["name"], "when": _about(changed), "silent until": changed["silenced_until"]}
    command.show_fields(changed, told)


@rules.command("delete")
@on_box
def delete_rule(command: Command, rule: RuleName, box: OfBox = False, yes: Yes = False) -> None:
    """Delete a rule. What it has found is over."""
    ask_name("rule", rule, yes=yes)
    command.api.delete(_at(command, box, "rules", _rule(command, box, rule)))
    command.say(f"The rule {rule} is gone")


# ---- alerts and deliveries


@app.command("alerts")
@on_box
def alerts(
    command: Command,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    limit: Limit = 50,
    box: OfBox = False,
) -> None:
    """Show what fires now, the newest first."""
    address = _at(command, box, "alerts")
    found, _ = command.api.page(address, limit, state="all" if everything else "firing")
    rows = [
        (
            each["severity"],
            each["title"],
            each["fired_at"],
            each["resolved_at"] or "firing",
            f"acknowledged by {each['acknowledged_by']}" if each["acknowledged_at"] else each["advice"],
            each["id"],
        )
        for each in found
    ]
    command.show(found, ("severity", "what", "since", "until", "what to do", "id"), rows)
    if not found:
        command.say("Nothing fires" if not everything else "Nothing has fired yet")


@app.command("ack")
@on_box
def acknowledge(command: Command, alert: AlertId, box: OfBox = False) -> None:
    """Say that you look after an alert: no more reminders."""
    changed = command.api.post(_at(command, box, "alerts", alert, "acknowledge"), {})
    command.show_fields(changed, {"alert": changed["title"], "acknowledged by": changed["acknowledged_by"]})


@app.command("silence")
@on_box
def silence(
    command: Command,
    alert: AlertId,
    lasting: Annotated[str, typer.Option("--for", help="How long: 2h, 1d …; `none`: tell again.")] = "4h",
    box: OfBox = False,
) -> None:
    """Tell nobody of an alert for a while."""
    hours = 0 if lasting == "none" else parse_seconds(lasting) / 3_600
    changed = command.api.post(_at(command, box, "alerts", alert, "silence"), {"hours": hours})
    command.show_fields(changed, {"alert": changed["title"], "silent until": changed["silenced_until"] or "not silent"})


@app.command("log")
@on_box
def log(
    command: Command,
    channel: Annotated[str | None, typer.Option("--channel", help="Only through this one.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="pending, delivered or failed only.")] = None,
    limit: Limit = 50,
    box: OfBox = False,
) -> None:
    """Show what was sent and how that went, the newest first."""
    wanted = None if channel is None else _channel(command, box, channel)
    found, _ = command.api.page(_at(command, box, "deliveries"), limit, channel=wanted, state=state)
    rows = []
    for each in found:
        last = each["attempts"][-1] if each["attempts"] else {"status": None, "latency_ms": 0.0, "error": ""}
        took = f"{last['latency_ms']:.0f} ms" if each["attempts"] else ""
        where = each["channel"] or each["channel_id"]
        how = (last["status"] or "", took, _tries(each), last["error"])
        rows.append((each["created_at"], where, each["title"], each["state"], *how, each["id"]))
    command.show(found, ("time", "channel", "message", "state", "status", "took", "tries", "error", "id"), rows)
    if not found:
        command.say("Nothing was sent yet. Try a channel: v8box notify test NAME")


@app.command("redeliver")
@on_box
def redeliver(
    command: Command,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, as `v8box notify log` shows it.")],
    box: OfBox = False,
) -> None:
    """Send a message once more."""
    sent = command.api.post(_at(command, box, "deliveries", delivery, "redeliver"), {})
    command.show_fields(sent, {"message": sent["title"], "state": sent["state"]})


# ---- reading what was typed


def read_quiet(text: str) -> dict[str, Any] | None:
    """`22:00-07:00 Europe/Berlin sat,sun` as the API takes it; the zone and the days may be left out. Ends the command
    when it is none."""
    if text == "none":
        return None
    words = text.split()
    times = words[0].split("-") if words else []
    if len(times) != 2 or len(words) > 3:
        fail("Quiet hours look like 22:00-07:00, or 22:00-07:00 Europe/Berlin sat,sun", Exit.USAGE)
    found: dict[str, Any] = {"start": times[0], "end": times[1]}
    for word in words[1:]:
        days = word.lower().split(",")
        if all(day in _DAYS for day in days):
            found["days"] = days
        else:
            found["timezone"] = word
    return found


def _read(file: str) -> str:
    """A secret from a file, never from the arguments: others on this machine see those."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}", Exit.USAGE)
    return text.strip()


def _at(command: Command, box: bool, *parts: str) -> str:
    return path("box", "notifications", *parts) if box else command.at("notifications", *parts)


def _channel(command: Command, box: bool, named: str) -> str:
    return _id(command, _at(command, box, "channels"), named, "channel")


def _rule(command: Command, box: bool, named: str) -> str:
    return _id(command, _at(command, box, "rules"), named, "rule")


def _id(command: Command, address: str, named: str, kind: str) -> str:
    """The id of what is called so. Ends the command when nothing is."""
    for each in command.api.all(address):
        if named in (each["name"], each["id"]):
            return str(each["id"])
    fail(f"There is no {kind} called {named}. `v8box notify {kind}s list` shows them; those of the box with --box")


def _body(
    above: float | None,
    window: str | None,
    min_requests: int | None,
    lasting: str | None,
    worker: str | None,
    environment: str | None,
    projects: str | None,
    severity: str | None,
    remind: str | None,
) -> dict[str, Any]:
    """What was said, as the API takes it."""
    body: dict[str, Any] = {
        "threshold": above,
        "window_seconds": None if window is None else parse_seconds(window),
        "min_requests": min_requests,
        "for_seconds": None if lasting is None else parse_seconds(lasting),
        "worker": worker,
        "environment": environment,
        "projects": projects,
        "severity": severity,
        "reminder_seconds": None if remind is None else 0 if remind == "none" else parse_seconds(remind),
    }
    return {name: value for name, value in body.items() if value is not None}


def _lists(**lists: list[str] | None) -> dict[str, list[str]]:
    return {name: value for name, value in lists.items() if value}


def _tries(delivery: Any) -> str:
    count = str(len(delivery["attempts"]))
    return f"{count}, next {delivery['next_attempt_at']}" if delivery["next_attempt_at"] else count


def _state(channel: Any) -> str:
    if not channel["enabled"]:
        return f"off. {channel['note']}" if channel["note"] else "off"
    return f"failing since {channel['failing_since']}" if channel["failing_since"] else "on"


def _silence(rule: Any) -> str:
    if not rule["enabled"]:
        return "off"
    return f"silent until {rule['silenced_until']}" if rule["silenced_until"] else ""


def _about(rule: Any) -> str:
    """When it fires, in a few words."""
    kind = rule["kind"]
    where = "" if rule["worker"] == "*" else f" of {rule['worker']}"
    where += "" if rule["environment"] == "*" else f" in {rule['environment']}"
    lasting = f" for {rule['for_seconds']} s" if rule["for_seconds"] else ""
    window = f" in {rule['window_seconds']} s"
    match kind:
        case "error_rate":
            return f"more than {rule['threshold']:g} %{where}{window}{lasting}"
        case "latency_p95":
            return f"more than {rule['threshold']:g} ms{where}{window}{lasting}"
        case "terminations":
            reasons = f" ({', '.join(rule['reasons'])})" if rule["reasons"] else ""
            return f"{max(1, rule['threshold']):g} or more{where}{window}{reasons}{lasting}"
        case "quota":
            return f"{rule['threshold']:g} % of {', '.join(rule['quotas']) or 'any'} or more{lasting}"
        case "health":
            return f"{', '.join(rule['checks']) or 'any check'}: {rule['status']}{lasting}"
        case _:
            return f"at once{where}"
