"""`v8box pages deploy`: a release of a folder, of which only new files are sent, or of an archive."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, printable, size
from v8box.cli.exits import CommandFailed, Exit

app = typer.Typer()

_MAX_TOLD: Final = 20
_GONE_MEANWHILE: Final = "files_missing"
_SOURCE_HELP: Final = "The folder with the site, e.g. dist; or a .zip, .tar.gz or .tar of it."

Message = Annotated[str, typer.Option("--message", "-m", help="Why, for those who read the history.")]


@app.command("deploy")
@on_box
def deploy(
    command: Command,
    source: Annotated[Path, typer.Argument(metavar="DIR", help=_SOURCE_HELP)],
    site: Annotated[str, typer.Option("--site", "-s", envvar="V8BOX_SITE", show_envvar=True, help="Which site it is.")],
    functions: Annotated[
        Path | None,
        typer.Option("--functions", metavar="DIR", help="The site's functions/, where DIR does not hold it."),
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Do not make it live: it answers at its own address.")] = False,
    preview: Annotated[
        str | None,
        typer.Option("--preview", metavar="NAME", help="A draft, shown at NAME--SITE, e.g. pr-7; the same name moves."),
    ] = None,
    message: Message = "",
) -> None:
    """Make a release of a folder, and make it live at once. Only files that the box does not have are sent."""
    began = time.perf_counter()
    live = not draft and preview is None
    if source.is_file():
        if functions is not None:
            fail("--functions goes with a folder: an archive holds its own functions/", Exit.USAGE)
        release, sent = _send_archive(command, site, source, message, live)
    else:
        release, sent = _send_folder(command, site, source, functions, message, live)
    if preview is not None:
        release["preview_url"] = _move_preview(command, site, preview, release["number"])
    milliseconds = (time.perf_counter() - began) * 1_000
    _show_deployed(command, site, release, sent, milliseconds)


def _send_folder(
    command: Command, site: str, folder: Path, functions: Path | None, message: str, live: bool
) -> tuple[Any, int]:
    """The release, and how many bytes were sent for it."""
    from v8box.cli import site_files

    files = site_files.read_site(folder, functions)
    at = command.at("sites", site)
    listed = {"files": site_files.manifest(files)}
    wanted = {**listed, "message": message, "live": live}
    sent = 0
    for attempt in (1, 2):  # what was there when it was asked for may be gone when it is named
        missing = set(command.api.post(f"{at}/missing", listed)["missing"])
        new = list({each.sha256: each for each in files if each.sha256 in missing}.values())
        total = sum(each.bytes for each in new)
        with _progress(f"{len(new)} of {len(files)} files", total) as on_bytes:
            site_files.send(command.api, at, new, on_bytes)
        sent += total
        try:
            return command.api.post(f"{at}/releases", wanted), sent
        except CommandFailed as error:
            if error.answer != _GONE_MEANWHILE or attempt == 2:
                raise
    raise AssertionError("the second attempt is the last")


def _send_archive(command: Command, site: str, archive: Path, message: str, live: bool) -> tuple[Any, int]:
    """The same of an archive, which is sent as it is."""
    fields = {"message": message, "live": "true" if live else "false"}
    total = archive.stat().st_size
    with archive.open("rb") as file, _progress(archive.name, total) as on_bytes:
        at = f"/api/v1/{command.at('sites', site)}/releases"
        return command.api.upload(at, fields, file, archive.name, on_bytes), total


def _show_deployed(command: Command, site: str, release: Any, sent: int, milliseconds: float) -> None:
    if command.as_json:
        command.show({**release, "sent_bytes": sent, "milliseconds": round(milliseconds)})
        return
    if release["live"]:
        url = command.api.get(command.at("sites", site))["url"]
        typer.echo(printable(f"✓ release {release['number']} of {site} is live: {url}"))
    elif url := release.get("preview_url"):
        typer.echo(printable(f"✓ release {release['number']} of {site} is shown at {url}"))
    else:
        typer.echo(printable(f"✓ release {release['number']} of {site} is a draft: {release['url']}"))
    command.say(f"{release['files']} files, {size(release['bytes'])}, {size(sent)} sent, in {milliseconds:.0f} ms")
    for each in release["report"].get("functions", ())[:_MAX_TOLD]:
        command.say(f"  {each['path']} is answered by the worker {each['worker']}, {each['file']}")
    tell_report(command, release["report"])
    if release["live"]:
        command.say(f"Go back: v8box pages rollback {site}")
    else:
        command.say(f"Make it live: v8box pages promote {site} {release['number']}")


def tell_report(command: Command, report: Any) -> None:
    """Lines that count for nothing, and warnings."""
    ignored = report.get("ignored", ())
    for each in ignored[:_MAX_TOLD]:
        command.say(f"! {str(each['file']).lstrip('/')}:{each['line']}: {each['reason']}")
    more = report.get("ignored_count", len(ignored)) - min(len(ignored), _MAX_TOLD)
    if more > 0:
        command.say(f"! {more} more lines are no rules")
    if (made := report.get("optimisation", {})).get("state") == "done":
        command.say(f"Files made smaller save visitors {size(made['saved_bytes'])}, {made['files']} files")
    for warning in report.get("warnings", ()):
        command.say(f"! {warning}")


def _move_preview(command: Command, site: str, name: str, release: int) -> str:
    """Shows the release there. A preview that asks for a password goes on to ask for it."""
    return str(command.api.put(command.at("sites", site, "previews", name), {"release": release})["url"])


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal while it is sent."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"sending {what}", total=total)
        yield lambda more: progress.advance(task, more)
