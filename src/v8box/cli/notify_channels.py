"""`v8box notify channels`: the ways by which people are told."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Yes, ask_name, fail, parse_seconds
from v8box.cli.exits import Exit
from v8box.cli.notify_owner import ChannelName, OfBox, channel_id, place, read_secret

app = typer.Typer(name="channels", help="Where messages go: e-mail, Slack, Discord, webhooks.", no_args_is_help=True)

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

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
Sender = Annotated[str | None, typer.Option("--from", help="Whom mails are from; the box's, if not said.")]
Host = Annotated[str | None, typer.Option("--host", help="A mail server of its own; the box's, if not said.")]
Port = Annotated[int | None, typer.Option("--port", help="Of that server; 587, if not said.")]
Security = Annotated[str | None, typer.Option("--security", help="starttls, tls or none; starttls, if not said.")]
Username = Annotated[str | None, typer.Option("--username", help="For that server.")]


@app.command("list")
@on_box
def list_channels(command: Command, box: OfBox = False) -> None:
    """List the channels, and whether they work."""
    found = command.api.all(place(command, box, "channels"))
    rows = [
        (each["name"], each["kind"], each["shows"], quiet_in_words(each["quiet_hours"]), _state(each), each["id"])
        for each in found
    ]
    command.show(found, ("name", "kind", "leads to", "quiet", "state", "id"), rows)
    if not found:
        command.say("No channel yet. Make one: v8box notify channels add NAME --kind slack --url-file FILE")


@app.command("add")
@on_box
def add_channel(
    command: Command,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    kind: Annotated[str, typer.Option("--kind", help="email, slack, discord or webhook.")],
    url_file: UrlFile = None,
    to: Mails = None,
    sender: Sender = None,
    host: Host = None,
    port: Port = None,
    security: Security = None,
    username: Username = None,
    password_file: PasswordFile = None,
    quiet: Quiet = None,
    box: OfBox = False,
) -> None:
    """Make a channel. A webhook's signing secret is shown this once."""
    body: dict[str, Any] = {"name": name, "kind": kind}
    if url_file is not None:
        body["url"] = read_secret(url_file)
    email = _email(to, sender, host, port, security, username, password_file)
    if email:
        body["email"] = email
    if quiet is not None:
        body["quiet_hours"] = read_quiet(quiet)
    made = command.api.create(place(command, box, "channels"), body)
    secret = made.get("signing_secret")
    command.show_fields(made, {"id": made["id"], "leads to": made["shows"], "signing secret": secret})
    if secret:
        command.say("Keep the signing secret now: the receiver checks signatures with it")
    command.say(f"Try it: v8box notify test {name}{' --box' if box else ''}")


@app.command("change")
@on_box
def change_channel(
    command: Command,
    channel: ChannelName,
    name: Annotated[str | None, typer.Option("--name", help="What to call it from now on.")] = None,
    url_file: UrlFile = None,
    to: Mails = None,
    sender: Sender = None,
    host: Host = None,
    port: Port = None,
    security: Security = None,
    username: Username = None,
    password_file: PasswordFile = None,
    quiet: Quiet = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it tells anybody anything.")] = None,
    box: OfBox = False,
) -> None:
    """Change a channel. What is not said stays."""
    url = None if url_file is None else read_secret(url_file)
    body: dict[str, Any] = {"name": name, "enabled": on, "url": url}
    body = {field: value for field, value in body.items() if value is not None}
    if quiet is not None:
        body["quiet_hours"] = read_quiet(quiet)
    email = _email(to, sender, host, port, security, username, password_file)
    if not body and not email:
        fail("Say what to change", Exit.USAGE)
    address = place(command, box, "channels", channel_id(command, box, channel))
    if email:  # the box takes all of it
        body["email"] = {**(command.api.get(address)["email"] or {}), **email}
    changed = command.api.patch(address, body)
    told = {"name": changed["name"], "leads to": changed["shows"], "quiet": quiet_in_words(changed["quiet_hours"])}
    command.show_fields(changed, {**told, "state": _state(changed)})


@app.command("rotate")
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
    address = place(command, box, "channels", channel_id(command, box, channel), "rotate")
    made = command.api.post(address, {"overlap_seconds": parse_seconds(overlap)})
    told = {"signing secret": made["signing_secret"], "the one before is good until": made["previous_valid_until"]}
    command.show_fields(made, told)


@app.command("delete")
@on_box
def delete_channel(command: Command, channel: ChannelName, box: OfBox = False, yes: Yes = False) -> None:
    """Delete a channel that no rule sends to."""
    ask_name("channel", channel, yes=yes)
    command.api.delete(place(command, box, "channels", channel_id(command, box, channel)))
    command.say(f"The channel {channel} is gone")


def _email(
    to: list[str] | None,
    sender: str | None,
    host: str | None,
    port: int | None,
    security: str | None,
    username: str | None,
    password_file: str | None,
) -> dict[str, Any]:
    """What was said of it, as the API takes it."""
    password = None if password_file is None else read_secret(password_file)
    said = {"to": to, "sender": sender, "host": host, "port": port, "security": security, "username": username}
    return {name: value for name, value in {**said, "password": password}.items() if value not in (None, [])}


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


def quiet_in_words(hours: Any) -> str:
    """As it is typed."""
    if hours is None:
        return ""
    return " ".join((f"{hours['start']}-{hours['end']}", hours["timezone"], ",".join(hours["days"]))).strip()


def _state(channel: Any) -> str:
    if not channel["enabled"]:
        return f"off. {channel['note']}" if channel["note"] else "off"
    return f"failing since {channel['failing_since']}" if channel["failing_since"] else "on"
