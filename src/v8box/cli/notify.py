"""`v8box notify`: what fires, what was sent, whether a channel works; channels and rules have modules of their own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import parse_seconds
from v8box.cli.exits import Exit
from v8box.cli.notify_channels import app as channels
from v8box.cli.notify_owner import ChannelName, OfBox, channel_id, place
from v8box.cli.notify_rules import app as rules

app = typer.Typer(name="notify", help="Tell people when something is wrong.", no_args_is_help=True)
app.add_typer(channels)
app.add_typer(rules)

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as `v8box notify alerts` shows it.")]


@app.command("test")
@on_box
def send_test(command: Command, channel: ChannelName, box: OfBox = False) -> None:
    """Send a message now. Ends with 1 when it was not delivered."""
    sent = command.api.post(place(command, box, "channels", channel_id(command, box, channel), "test"), {})
    attempt = sent["attempts"][-1]
    shown = {"state": sent["state"], "status": attempt["status"], "took": f"{attempt['latency_ms']:.0f} ms"}
    command.show_fields(sent, {**shown, "error": attempt["error"]})
    if sent["state"] != "delivered":
        raise typer.Exit(int(Exit.FAILED))


@app.command("alerts")
@on_box
def alerts(
    command: Command,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    limit: Limit = 50,
    box: OfBox = False,
) -> None:
    """Show what fires now, the newest first."""
    address = place(command, box, "alerts")
    found, more = command.api.page(address, limit, state="all" if everything else "firing")
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
    elif not command.as_json:
        further = "  (there are more: --limit)" if more else ""
        command.say(f"All of one: v8box notify show {found[0]['id']}{' --box' if box else ''}{further}")


@app.command("show")
@on_box
def show_alert(command: Command, alert: AlertId, box: OfBox = False) -> None:
    """Show one alert: what was found, what to do, and who has seen it."""
    found = command.api.get(place(command, box, "alerts", alert))
    value, bound = found["value"], found["threshold"]
    told = {
        "what": f"{found['title']} ({found['severity']})",
        "why": found["text"],
        "what to do": found["advice"],
        "about": found["subject"],
        **{name: each for name, each in found["facts"].items() if name not in ("project", "worker", "environment")},
        "value": "" if value is None else f"{value:,.10g}" + ("" if bound is None else f", the bound is {bound:,.10g}"),
        "rule": found["rule"],
        "since": found["fired_at"],
        "last": f"{found['last_at']}, {found['count']} times" if found["count"] > 1 else None,
        "until": found["resolved_at"] or "it fires",
        "acknowledged by": found["acknowledged_by"],
        "silent until": found["silenced_until"],
    }
    command.show_fields(found, told)


@app.command("ack")
@on_box
def acknowledge(command: Command, alert: AlertId, box: OfBox = False) -> None:
    """Say that you look after an alert: no more reminders."""
    changed = command.api.post(place(command, box, "alerts", alert, "acknowledge"), {})
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
    changed = command.api.post(place(command, box, "alerts", alert, "silence"), {"hours": hours})
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
    wanted = None if channel is None else channel_id(command, box, channel)
    found, _ = command.api.page(place(command, box, "deliveries"), limit, channel=wanted, state=state)
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
    sent = command.api.post(place(command, box, "deliveries", delivery, "redeliver"), {})
    command.show_fields(sent, {"message": sent["title"], "state": sent["state"]})


def _tries(delivery: Any) -> str:
    count = str(len(delivery["attempts"]))
    return f"{count}, next {delivery['next_attempt_at']}" if delivery["next_attempt_at"] else count
