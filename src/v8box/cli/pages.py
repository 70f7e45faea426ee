"""`v8box pages`: sites, their releases, previews and host names."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated, Any

import typer

from v8box.cli import site_deploy, site_releases, site_rules
from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import Yes, ask_name, fail, parse_seconds, printable, size
from v8box.cli.exits import Exit
from v8box.cli.site_deploy import tell_report

app = typer.Typer(
    name="pages", help="Sites: static files with releases, previews and host names.", no_args_is_help=True
)
previews = typer.Typer(name="preview", help="Releases shown under a name.", no_args_is_help=True)
domains = typer.Typer(name="domain", help="Host names of your own.", no_args_is_help=True)
app.add_typer(previews)
app.add_typer(domains)
for each in (site_deploy, site_releases, site_rules):
    app.add_typer(each.app)

Site = Annotated[str, typer.Argument(help="The site's name.")]
Number = Annotated[int, typer.Argument(min=1, metavar="RELEASE", help="A release's number.")]
Label = Annotated[str, typer.Argument(metavar="NAME", help="The preview's name.")]
HostName = Annotated[str, typer.Argument(metavar="HOST", help="A host name, e.g. www.example.com.")]
Message = Annotated[str, typer.Option("--message", "-m", help="Why, for those who read the history.")]


@app.command("list")
@on_box
def list_sites(command: Command) -> None:
    """List the sites of the project."""
    found = command.api.all(command.at("sites"))
    rows = [
        (
            each["name"],
            each["url"],
            each["live_release"] or "nothing yet",
            "pages/" if each["from_folder"] else "the API",
            each["changed_at"],
        )
        for each in found
    ]
    command.show(found, ("site", "address", "live", "from", "changed"), rows)
    if not found and not command.as_json:
        command.say(f"The project {command.project} has no sites. `v8box pages deploy dist --site NAME` makes one")


@app.command("show")
@on_box
def show(
    command: Command,
    site: Site,
    release: Annotated[int | None, typer.Argument(min=1, help="One release of it, with its files.")] = None,
) -> None:
    """Show a site, or one release of it with its files and what its deploy had to say."""
    if release is None:
        found = command.api.get(command.at("sites", site))
        fields = {
            "site": found["name"],
            "project": found["project"],
            "url": found["url"],
            "live": found["live_release"],
            "from": "the served folder" if found["from_folder"] else "the API",
            "changed": found["changed_at"],
        }
        command.show_fields(found, fields)
        return
    at = command.at("sites", site, "releases", str(release))
    found = command.api.get(at)
    files = command.api.all(f"{at}/files")
    if command.as_json:
        command.show({**found, "file_list": files})
        return
    fields = {
        "release": f"{found['number']} of {found['site']}{', live' if found['live'] else ''}",
        "url": found["url"],
        "message": found["message"],
        "made": f"{found['created_at']} by {found['created_by']}",
        "pinned": "yes" if found["pinned"] else "",
        "files": f"{found['files']}, {size(found['bytes'])}",
    }
    command.show_fields(found, fields)
    rows = [(each["path"], size(each["bytes"]), each["type"], ", ".join(sorted(each["encodings"]))) for each in files]
    command.show(files, ("path", "size", "type", "compressed"), rows)
    tell_report(command, found["report"])


@app.command("releases")
@on_box
def list_releases(command: Command, site: Site, limit: Limit = 20) -> None:
    """List the releases of a site, the newest first."""
    found, more = command.api.page(command.at("sites", site, "releases"), limit)
    rows = [
        (
            each["number"],
            "live" if each["live"] else "",
            each["files"],
            size(each["bytes"]),
            each["created_at"],
            each["created_by"],
            each["message"] + (" (pinned)" if each["pinned"] else ""),
            each["url"],
        )
        for each in found
    ]
    command.show(found, ("release", "", "files", "size", "made", "by", "message", "address"), rows)
    if more:
        command.say("There are more: --limit")


@app.command("rollback")
@on_box
def roll_back(
    command: Command,
    site: Site,
    to: Annotated[int | None, typer.Option("--to", min=1, help="A release.", show_default="the one before")] = None,
    message: Message = "",
) -> None:
    """Go back to what was live before, or to a release. No visitor notices but by what he sees."""
    body: dict[str, Any] = {"message": message}
    if to is not None:
        body["to"] = to
    _show_changed(command, command.api.post(command.at("sites", site, "rollback"), body))


@app.command("promote")
@on_box
def promote(command: Command, site: Site, release: Number, message: Message = "") -> None:
    """Make a release the live one, e.g. a draft that was looked at."""
    body = {"release": release, "message": message}
    _show_changed(command, command.api.put(command.at("sites", site, "live"), body))


@app.command("diff")
@on_box
def diff(
    command: Command,
    site: Site,
    a: Annotated[int, typer.Argument(min=1, metavar="A", help="A release.")],
    b: Annotated[int, typer.Argument(min=1, metavar="B", help="The release to compare with it.")],
    path: Annotated[str | None, typer.Argument(metavar="FILE", help="Show what is different in this file.")] = None,
) -> None:
    """Show which files came, went or have other bytes in release B, or the lines that differ in one of them."""
    at = command.at("sites", site, "releases", str(a), "diff", str(b))
    if path is not None:
        _show_lines(command, command.api.get(f"{at}/file", path=f"/{path.removeprefix('/')}"), a, b)
        return
    found = command.api.get(at)
    signs = {"added": "+", "removed": "-", "changed": "~"}
    rows = [(sign, path) for kind, sign in signs.items() for path in found[kind]]
    command.show(found, ("", "file"), sorted(rows, key=lambda row: row[1]))
    if not command.as_json:
        more = found["bytes"]
        command.say(f"{len(rows)} files differ, {'+' if more >= 0 else '-'}{size(abs(more))}")
        if found["rules"]:
            command.say(f"Not the same either: {', '.join(found['rules'])}")


@app.command("delete")
@on_box
def delete(
    command: Command,
    site: Site,
    release: Annotated[int | None, typer.Argument(min=1, help="Only this release.")] = None,
    yes: Yes = False,
) -> None:
    """Delete a site with its releases, previews and host names, or one release of it."""
    if release is not None:
        ask_name("release", str(release), yes=yes)
        command.api.delete(command.at("sites", site, "releases", str(release)))
        command.say(f"The release {release} of {site} is deleted")
        return
    ask_name("site", site, yes=yes)
    command.api.delete(command.at("sites", site))
    command.say(f"{site} is deleted")


@app.command("open")
@on_box
def open_in_browser(
    command: Command,
    site: Site,
    release: Annotated[int | None, typer.Option("--release", "-r", min=1, help="This release of it.")] = None,
    preview: Annotated[str | None, typer.Option("--preview", help="The preview of this name.")] = None,
) -> None:
    """Open a site in the browser, and print its address."""
    if preview is not None:
        found = [each for each in command.api.all(command.at("sites", site, "previews")) if each["label"] == preview]
        if not found:
            fail(f"{site} has no preview called {preview}", Exit.NOT_FOUND)
        url = found[0]["url"]
    elif release is not None:
        url = command.api.get(command.at("sites", site, "releases", str(release)))["url"]
    else:
        url = command.api.get(command.at("sites", site))["url"]
    if command.as_json:
        command.show({"url": url})
    else:
        typer.echo(printable(url))
    if sys.stdout.isatty():
        typer.launch(url)


# ---- previews


@previews.command("list")
@on_box
def list_previews(command: Command, site: Site) -> None:
    """List the named previews of a site."""
    found = command.api.all(command.at("sites", site, "previews"))
    rows = [
        (
            each["label"],
            each["release"],
            each["url"],
            "asks for one" if each["password"] else "",
            each["expires_at"] or "never",
        )
        for each in found
    ]
    command.show(found, ("preview", "release", "address", "password", "expires"), rows)


@previews.command("set")
@on_box
def set_preview(
    command: Command,
    site: Site,
    name: Label,
    release: Number,
    password: Annotated[
        bool | None,
        typer.Option(
            "--password/--no-password",
            help="Ask visitors for a password: it is asked for, or read from standard input. Or no longer.",
            show_default="as it was",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="How long it is there: 7d, 12h …, or never.", show_default="as it was"),
    ] = None,
) -> None:
    """Show a release under a name. The same name again shows another one there, for the same people and as long."""
    body: dict[str, Any] = {"release": release}
    if password is not None:
        body["password"] = _new_password() if password else None
    if expires is not None:
        body["expires_in_seconds"] = None if expires == "never" else parse_seconds(expires)
    made = command.api.put(command.at("sites", site, "previews", name), body)
    fields = {
        "preview": made["label"],
        "release": made["release"],
        "url": made["url"],
        "password": "asked for" if made["password"] else "",
        "expires": made["expires_at"],
    }
    command.show_fields(made, fields)


@previews.command("rm")
@on_box
def remove_preview(command: Command, site: Site, name: Label) -> None:
    """Remove a preview. Its release stays."""
    command.api.delete(command.at("sites", site, "previews", name))
    command.say(f"Nothing answers at the preview {name} any more")


# ---- host names


@domains.command("list")
@on_box
def list_domains(command: Command, site: Site) -> None:
    """List the host names of a site."""
    found = command.api.all(command.at("sites", site, "domains"))
    rows = [(each["host"], each["verified_at"] or "not yet", each["dns_record"]) for each in found]
    command.show(found, ("host", "verified", "record"), rows)


@domains.command("add")
@on_box
def add_domain(command: Command, site: Site, host: HostName) -> None:
    """Add a host name, and say how to prove that it is yours."""
    made = command.api.create(command.at("sites", site, "domains"), {"host": host})
    command.show_fields(made, {"host": made["host"], "record": made["dns_record"], "or": made["http_file"]})
    command.say(f"Set the record, or point {host} to the box; then: v8box pages domain verify {site} {host}")


@domains.command("verify")
@on_box
def verify_domain(command: Command, site: Site, host: HostName) -> None:
    """Look for the proof, and let the host name answer."""
    made = command.api.post(command.at("sites", site, "domains", host, "verify"))
    command.show_fields(made, {"host": made["host"], "verified": made["verified_at"]})


@domains.command("rm")
@on_box
def remove_domain(command: Command, site: Site, host: HostName) -> None:
    """Remove a host name: it answers no more."""
    command.api.delete(command.at("sites", site, "domains", host))
    command.say(f"{host} does not answer any more")


# ---- what is said


def _show_changed(command: Command, site: Any) -> None:
    command.show_fields(site, {"site": site["name"], "live": f"release {site['live_release']}", "url": site["url"]})


def _show_lines(command: Command, found: Any, a: int, b: int) -> None:
    if command.as_json:
        command.show(found)
        return
    texts = [[] if each is None else each["text"] for each in (found["before"], found["after"])]
    if None in texts:
        command.say(f"{found['path']} is no text, or longer than 256 KB")
        return
    before, after = ("".join(each).splitlines() for each in texts)
    for line in difflib.unified_diff(before, after, f"{found['path']} in {a}", f"{found['path']} in {b}", lineterm=""):
        typer.echo(printable(line))


def _new_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password for visitors", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
