"""`v8box deploy`: a worker, or all of a folder, onto a box."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, say, size
from v8box.cli.source import Source, find_source

app = typer.Typer()

PRODUCTION: Final = "production"


@app.command("deploy")
@on_box
def deploy(
    command: Command,
    path: Annotated[
        Path, typer.Argument(help="A worker's file, its folder, or a folder of workers.", show_default="here")
    ] = Path(),
    environment: Annotated[
        str, typer.Option("--env", "-e", help="Where to make it live: production, staging, or a preview's name.")
    ] = PRODUCTION,
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for those who read the history.")] = "",
    name: Annotated[str | None, typer.Option("--name", help="What the worker is called; else like its file.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the types first, and send nothing if they are wrong.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
) -> None:
    """Deploy a worker, or every worker of a folder: all of them or none. No request is lost."""
    from v8box.cli.bundle_files import files_to_send
    from v8box.cli.packing import pack
    from v8box.sandbox.runtime import find_deno

    source = find_source(path, name)
    if check:
        _check_types(source)
    files = files_to_send(source, single=path.is_file(), deno=find_deno())
    packed = pack(source.root, files)
    if dry_run:
        shown = {"worker": source.worker, "files": list(packed.names), "bytes": len(packed.content)}
        command.show(shown, ("file",), [(each,) for each in packed.names])
        return
    fields = {"project": command.project, "environment": environment, "message": message}
    if source.worker is not None:
        fields["worker"] = source.worker
    began = time.perf_counter()
    what = source.worker or source.root.name
    with _progress(what, len(packed.content)) as on_bytes:
        file = io.BytesIO(packed.content)
        done = command.api.upload("/api/deploy", fields, file, f"{source.root.name}.zip", on_bytes)
    _show(command, done, environment, (time.perf_counter() - began) * 1_000)


def _check_types(source: Source) -> None:
    import asyncio

    from v8box.cli.typecheck import check
    from v8box.sandbox.runtime import find_deno

    mains = [source.entry] if source.entry is not None else _mains(source.root)
    faults = asyncio.run(check(source.root, mains, find_deno(), {**os.environ, "NO_COLOR": "1"})) if mains else []
    if faults:
        fail("The types are wrong, and nothing was sent:\n" + "\n".join(str(fault) for fault in faults[:50]))


def _mains(root: Path) -> list[str]:
    """The main files of a folder of workers."""
    from v8box.features.deploy.discovery import Discovery

    return [manifest.entry for manifest in Discovery(root, root / "data").look().workers.values()]


def _show(command: Command, done: Any, environment: str, milliseconds: float) -> None:
    if command.as_json:
        command.show({**done, "milliseconds": round(milliseconds)})
        return
    for each in done["workers"]:
        typer.echo(
            f"✓ {each['name']} v{each['number']} ({each['version'][:8]}) is live in {environment}: {each['url']}"
        )
    say(f"Deployed in {milliseconds:.0f} ms")
    one = done["workers"][0]["name"] if done["workers"] else ""
    where = "" if environment == PRODUCTION else f" --env {environment}"
    say(f"Try it: v8box run {one}{where}")
    if environment == PRODUCTION:
        say(f"Go back: v8box rollback {one}")
    else:
        say(f"To production, the same bytes: v8box promote {one} --from {environment}")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal while it is sent, then a clock while the box bundles it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    sent = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"sending {what} ({size(total)})", total=total)

        def on_bytes(more: int) -> None:
            nonlocal sent
            sent += more
            progress.update(task, completed=min(sent, total))
            if sent >= total:
                progress.update(task, description=f"the box bundles {what}", total=None)

        yield on_bytes
