"""`v8box list`, `show`, `versions`, `history`, `diff`, `download`, `tag`, `delete`: what there is of workers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, Limit, on_box
from v8box.cli.console import Yes, ask_name, fail, print_text, printable, size
from v8box.cli.exits import Exit

app = typer.Typer()

PRODUCTION: Final = "production"
_SOURCES: Final = {"folder": "the served folder", "site": "functions/ of the site {}", "api": "the API"}
_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}

Worker = Annotated[str, typer.Argument(help="The worker's name.")]
Version = Annotated[str, typer.Argument(help="A version: v3, a tag, or the beginning of its id.")]
Environment = Annotated[
    str, typer.Option("--env", "-e", help="In which environment: production, staging, or a preview's name.")
]


@app.command("list")
@on_box
def list_workers(
    command: Command,
    search: Annotated[str | None, typer.Argument(help="Only those whose name or tag has this in it.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="Only those with this tag; again: both.")] = None,
    environment: Annotated[str | None, typer.Option("--env", "-e", help="Only those that are live there.")] = None,
) -> None:
    """List the workers of the project, and what is live of each, where."""
    found = command.api.all(command.at("workers"), search=search, tag=tag or None, environment=environment)
    rows = [
        (
            each["name"],
            ", ".join(live(one) for one in each["environments"]) or _not_live(each),
            ", ".join(each["tags"]),
            each["source"],
            each["deployed_at"] or "",
            _fault(each["error"]),
        )
        for each in found
    ]
    command.show(found, ("worker", "live", "tags", "from", "deployed", "error"), rows)
    if not found and not command.as_json and (search or tag or environment):
        command.say(f"No worker of the project {command.project} fits. `v8box worker tags` shows which tags there are")
    elif not found and not command.as_json:
        command.say(
            f"The project {command.project} has no workers. `v8box init` makes one, `v8box deploy` puts it here"
        )


def _not_live(worker: Any) -> str:
    """A function answers with the releases of its site."""
    return f"at the site {', '.join(worker['sites'])}" if worker["sites"] else "not live"


@app.command("show")
@on_box
def show_worker(
    command: Command,
    worker: Worker,
    version: Annotated[str | None, typer.Argument(help="One version of it: v3, a tag, its id.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="Print this file of the version.")] = None,
) -> None:
    """Show a worker, or one version of it: its manifest, its files, where it is live."""
    if version is None:
        if file is not None:
            fail("A file belongs to a version: say which, e.g. v3", Exit.USAGE)
        _show(command, command.api.get(command.at("workers", worker)))
    elif file is None:
        _show_version(command, command.api.get(command.at("workers", worker, "versions", version)))
    else:
        address = command.at("workers", worker, "versions", version, "files") + "/" + _path(file)
        with command.api.download(address) as chunks:
            text = b"".join(chunks)
        if command.as_json:
            command.show({"path": file, "text": text.decode(errors="replace")})
        else:
            print_text(text)


@app.command("versions")
@on_box
def list_versions(command: Command, worker: Worker, limit: Limit = 20) -> None:
    """List the versions of a worker, the newest first."""
    found, more = command.api.page(command.at("workers", worker, "versions"), limit)
    rows = [
        (
            f"v{each['number']}",
            each["id"][:8],
            ", ".join(_share(one) for one in each["live_in"]),
            ", ".join(each["tags"]) + (" pinned" if each["pinned"] else ""),
            each["created_at"],
            each["created_by"],
            each["message"],
        )
        for each in found
    ]
    command.show(found, ("version", "id", "live in", "tags", "made", "by", "message"), rows)
    if more:
        command.say("There are more: --limit")


@app.command("history")
@on_box
def history(command: Command, worker: Worker, environment: Environment = PRODUCTION, limit: Limit = 20) -> None:
    """List what was changed in an environment: deploys, splits, rollbacks, promotions."""
    address = command.at("workers", worker, "deployments", environment, "history")
    found, more = command.api.page(address, limit)
    rows = [
        (
            each["change"],
            ", ".join(f"{one['version'][:8]} {one['weight']}%" for one in each["versions"]),
            each["at"],
            each["by"],
            each["message"],
        )
        for each in found
    ]
    command.show(found, ("change", "live from then on", "at", "by", "message"), rows)
    if more:
        command.say("There are more: --limit")


@app.command("diff")
@on_box
def diff(
    command: Command,
    worker: Worker,
    a: Annotated[str, typer.Argument(metavar="A", help="A version: v3, a tag, its id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The version to compare with it.")],
) -> None:
    """Show what is different in version B: files, packages, keys of the manifest."""
    found = command.api.get(command.at("workers", worker, "versions", a, "diff", b))
    if command.as_json:
        command.show(found)
        return
    lines: list[str] = []
    for each in found["files"]:
        lines += (each["diff"] or f"@@ {each['path']}: {each['status']}, not shown").splitlines()
    for each in found["packages"]:
        name = f"{each['registry']}:{each['name']}"
        lines += [f"- {name}@{one}" for one in each["before"]] + [f"+ {name}@{one}" for one in each["after"]]
    for each in found["manifest"]:
        lines += [
            f"{sign} {each['key']} = {json.dumps(each[side])}"
            for sign, side in (("-", "before"), ("+", "after"))
            if each[side] is not None
        ]
    _print_diff(lines)
    if not lines:
        command.say("They are the same")
    if found["truncated"]:
        command.say("There is more that differs than is shown")


@app.command("download")
@on_box
def download(
    command: Command,
    worker: Worker,
    version: Version,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; - for standard output.")
    ] = None,
    bundle: Annotated[bool, typer.Option("--bundle", help="The one module that runs, instead of the sources.")] = False,
) -> None:
    """Download the sources of a version as a zip."""
    place = target or Path(f"{worker}-{version}.{'js' if bundle else 'zip'}")
    if str(place) != "-" and place.exists():
        fail(f"{place} is there already: nothing was written", Exit.CONFLICT)
    name = "bundle.js" if bundle else "source.zip"
    with command.api.download(command.at("workers", worker, "versions", version, name)) as chunks:
        content = b"".join(chunks)
    if str(place) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        place.write_bytes(content)
    except OSError as error:
        fail(f"{place} cannot be written: {error.strerror or error}")
    command.show({"path": str(place), "bytes": len(content)}, ("written", ""), [(place, size(len(content)))])


@app.command("tag")
@on_box
def tag(
    command: Command,
    worker: Worker,
    version: Version,
    tags: Annotated[
        list[str] | None, typer.Argument(help="Tags to put on it; one that is elsewhere moves here.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take off; may be said again.")] = None,
    pin: Annotated[bool | None, typer.Option("--pin/--unpin", help="Whether retention has to leave it.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="What the version is.")] = None,
) -> None:
    """Put tags on a version, pin it, or say what it is. Tagged and pinned versions are kept."""
    address = command.at("workers", worker, "versions", version)
    known, etag = command.api.tagged(address)
    body: dict[str, Any] = {}
    if tags or remove:
        wanted = [*known["tags"], *(tags or ())]
        body["tags"] = sorted(set(wanted) - set(remove or ()))
    if pin is not None:
        body["pinned"] = pin
    if message is not None:
        body["message"] = message
    if not body:
        fail("Say what to change: TAGS, --remove, --pin, --unpin or --message", Exit.USAGE)
    _show_version(command, command.api.patch(address, body, if_match=etag or None))


@app.command("delete")
@on_box
def delete(
    command: Command,
    worker: Worker,
    version: Annotated[str | None, typer.Argument(help="Only this version.")] = None,
    environment: Annotated[str | None, typer.Option("--env", "-e", help="Only take it off this environment.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Delete its files in the served folder, too.")] = False,
    yes: Yes = False,
) -> None:
    """Delete a worker with all its versions, or one version; with --env take it off an environment."""
    if environment is not None:
        command.api.delete(command.at("workers", worker, "deployments", environment))
        command.say(f"{worker} is not live in {environment} any more. A rollback brings it back")
    elif version is not None:
        ask_name("version", version, yes=yes)
        command.api.delete(command.at("workers", worker, "versions", version))
        command.say(f"{version} of {worker} is deleted")
    else:
        ask_name("worker", worker, yes=yes)
        command.api.delete(command.at("workers", worker), files=files or None)
        command.say(f"{worker} is deleted")


def live(deployment: Any) -> str:
    """`production v3`, or `production v3 90% + v4 10%`."""
    versions = deployment["versions"]
    if len(versions) == 1:
        return f"{deployment['environment']} v{versions[0]['number']}"
    shares = " + ".join(f"v{each['number']} {each['weight']}%" for each in versions)
    return f"{deployment['environment']} {shares}"


def _show(command: Command, worker: Any) -> None:
    newest = worker["newest"]
    fields: dict[str, Any] = {
        "worker": worker["name"],
        "project": worker["project"],
        "url": worker["url"],
        "tags": ", ".join(worker["tags"]),
        "from": _SOURCES[worker["source"]].format(", ".join(worker["sites"])),
        "newest": f"v{newest['number']} ({newest['version'][:8]}), made {newest['created_at']}" if newest else "",
        "versions": worker["versions"],
        "error": _fault(worker["error"]),
    }
    for each in worker["environments"]:
        fields[each["environment"]] = (
            f"{live(each).partition(' ')[2]}, {each['url']}, {each['changed_at']} by {each['changed_by']}"
        )
    command.show_fields(worker, fields)


def _show_version(command: Command, version: Any) -> None:
    fields: dict[str, Any] = {
        "version": f"v{version['number']} of {version['worker']}",
        "id": version["id"],
        "live in": ", ".join(_share(each) for each in version["live_in"]),
        "tags": ", ".join(version["tags"]),
        "pinned": "yes" if version["pinned"] else "",
        "message": version["message"],
        "made": f"{version['created_at']} by {version['created_by']}",
        "bundle": size(version["bundle_bytes"]),
        "manifest": json.dumps(version["manifest"], ensure_ascii=False) if "manifest" in version else "",
        "files": ", ".join(f"{each['path']} ({size(each['bytes'])})" for each in version.get("files", ())),
    }
    command.show_fields(version, fields)


def _share(place: Any) -> str:
    return place["environment"] if place["weight"] == 100 else f"{place['environment']} {place['weight']}%"


def _fault(error: Any) -> str:
    if not error:
        return ""
    place = ":".join(str(error[each]) for each in ("file", "line", "column") if error[each] is not None)
    return f"{place}: {error['message']}" if place else str(error["message"])


def _path(file: str) -> str:
    from v8box.cli.client import segment

    return "/".join(segment(part) for part in file.split("/"))


def _print_diff(lines: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text(printable(line.replace("\t", "    ")), _COLOURS.get(line[:1], "")))
