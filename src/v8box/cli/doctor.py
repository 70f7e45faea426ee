"""`v8box doctor`: what this machine gives and, where the box runs, how it is: in a table, with advice.

A failure is what keeps the box from running. A missing rung of the confinement is a warning: the box runs without it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from v8box.bindings.valkey import find_binary
from v8box.cli.checks import Check, Mark
from v8box.cli.client import find_box
from v8box.cli.exits import CommandFailed
from v8box.cli.servers import ask_libsql, ask_s3, ask_valkey
from v8box.errors import SettingsError, V8BoxError
from v8box.features.health.machine import disk
from v8box.sandbox.rungs import Rung
from v8box.sandbox.runtime import find_deno
from v8box.sandbox.spawner import Confinement, Spawner, SpawnSpec, runtime_paths
from v8box.settings import Settings, ignored, load

_RUN_SECONDS: Final = 10.0
_BOX_SECONDS: Final = 30.0
_MARKS: Final = {"ok": Mark.GOOD, "warn": Mark.WARNING, "fail": Mark.FAILED}


def run(directory: Path) -> int:
    """Prints the table; 1 when the box cannot run here."""
    checks = asyncio.run(look(directory, os.environ))
    table = Table(title="V8Box doctor", title_justify="left")
    for heading in ("", "what", "found", "advice"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        table.add_row(check.mark, *(Text(cell) for cell in (check.name, check.found, check.advice)))
    Console().print(table)
    return 1 if any(check.mark is Mark.FAILED for check in checks) else 0


async def look(directory: Path, environ: Mapping[str, str]) -> Sequence[Check]:
    """Every check, in the order in which the box needs them."""
    checks: list[Check] = []
    settings: Settings | None = None
    try:
        settings = load(directory, environ)
    except SettingsError as error:
        checks.append(Check(Mark.FAILED, "settings", error.detail, "mend what is listed"))
    else:
        checks.append(Check(Mark.GOOD, "settings", f"serving {settings.directory}"))
        checks += [Check(Mark.WARNING, "settings", sentence, "unset it") for sentence in ignored(settings)]
        checks.append(await asyncio.to_thread(_disk, settings))
    deno = None
    try:
        deno = find_deno()
        checks.append(Check(Mark.GOOD, "deno", deno))
    except V8BoxError as error:
        checks.append(Check(Mark.FAILED, "deno", "not found", error.detail))
    if settings is None or settings.valkey.url is None:
        checks.append(_private_valkey())
    if settings is not None:
        asked = (ask_libsql(settings.libsql), ask_valkey(settings.valkey), ask_s3(settings.s3))
        checks += [check for answers in await asyncio.gather(*asked) for check in answers]
    checks += await _sandbox(deno)
    return checks if settings is None else [*checks, *await asyncio.to_thread(_running, directory, environ)]


def _running(directory: Path, environ: Mapping[str, str]) -> Sequence[Check]:
    """What the box that serves the folder says of itself; nothing where none does."""
    import httpx

    try:
        place = find_box(environ.get("V8BOX_URL"), directory, environ.get("V8BOX_TOKEN"), environ)
    except CommandFailed:
        return ()
    try:
        answer = httpx.get(
            f"{place.address}/api/v1/box/health", headers=place.headers, timeout=_BOX_SECONDS, trust_env=False
        )
        answer.raise_for_status()
        told = answer.json()["checks"]
        return [Check(_MARKS[each["status"]], f"box: {each['name']}", each["value"], each["advice"]) for each in told]
    except httpx.HTTPStatusError as error:
        advice = (
            "sign in with a role for the whole box: v8box login" if error.response.status_code in (401, 403) else ""
        )
        return [Check(Mark.WARNING, "box", f"{place.address} answered {error.response.status_code}", advice)]
    except httpx.HTTPError as error:
        found = f"{place.address} does not answer: {type(error).__name__}"
        return [Check(Mark.WARNING, "box", found, "look in its log; if it is gone, start it again")]
    except (ValueError, KeyError, TypeError):
        return [Check(Mark.WARNING, "box", f"what {place.address} answered is no box's", "say where it is: V8BOX_URL")]


def _disk(settings: Settings) -> Check:
    data_directory = settings.data_directory
    place = data_directory
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        advice = "give it to the user that runs the box, or set V8BOX_DATA_DIR"
        return Check(Mark.FAILED, "disk", f"{place} cannot be written", advice)
    wanted = settings.health
    found = disk(place, warn_mb=wanted.disk_warn_mb, critical_mb=wanted.disk_critical_mb)
    return Check(_MARKS[found.status], "disk", f"{found.value} for {data_directory}", found.advice)


def _private_valkey() -> Check:
    try:
        return Check(Mark.GOOD, "valkey", find_binary())
    except V8BoxError as error:
        return Check(Mark.FAILED, "valkey", "not found", error.detail)


async def _sandbox(deno: str | None) -> list[Check]:
    try:
        spawner = await Spawner.start()
    except V8BoxError as error:
        return [Check(Mark.FAILED, "sandbox", error.detail, "processes cannot be started")]
    try:
        checks = [] if deno is None else [await _run_confined(spawner, deno)]
        return checks + [_rung(rung) for rung in spawner.rungs.describe()]
    finally:
        await spawner.stop()


async def _run_confined(spawner: Spawner, deno: str) -> Check:
    """Whether a sandbox's program runs at all under what this machine gives."""
    confinement = Confinement(read_only=runtime_paths(deno))
    spec = SpawnSpec(argv=("deno", "--version"), executable=deno, confinement=confinement)
    output = bytearray()
    try:
        child = await spawner.spawn(spec)
        try:
            child.on_output(output.extend)
            async with asyncio.timeout(_RUN_SECONDS):
                status = await asyncio.shield(child.exited)
                await asyncio.shield(child.output_closed)
        finally:
            child.close()
    except (V8BoxError, TimeoutError) as error:
        found = str(error) or f"it did not end within {_RUN_SECONDS:g} s"
        return Check(Mark.FAILED, "sandbox", found, "Deno does not run under the confinement of this machine")
    first = output.decode(errors="replace").split("\n", 1)[0]
    if status.code != 0:
        how = f"signal {status.signal}" if status.code is None else f"exit code {status.code}"
        return Check(Mark.FAILED, "sandbox", f"{how}: {first}", "Deno does not run under the confinement")
    return Check(Mark.GOOD, "sandbox", f"{first} runs confined")


def _rung(rung: Rung) -> Check:
    mark = Mark.GOOD if rung.active else (Mark.WARNING if rung.advice else Mark.UNUSED)
    return Check(mark, rung.name, rung.detail, rung.advice)
