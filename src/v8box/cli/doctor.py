"""`v8box doctor`: what this machine gives, in a table, with advice where something is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table

from v8box.errors import SettingsError, V8BoxError
from v8box.sandbox.interface import StartupFailed
from v8box.sandbox.rungs import Rung
from v8box.sandbox.runtime import find_deno
from v8box.sandbox.spawner import Spawner
from v8box.settings import load

_MIN_FREE_BYTES = 1024**3


def run(directory: Path) -> int:
    """Prints the table; 1 when something must be mended before the box can run well."""
    checks = [*_folder(directory), *_programs(), *asyncio.run(_confinement())]
    table = Table(title="V8Box doctor", title_justify="left")
    for heading in ("", "what", "found", "advice"):
        table.add_column(heading)
    for check in checks:
        table.add_row("✓" if check.active else ("✗" if check.advice else "-"), check.name, check.detail, check.advice)
    Console().print(table)
    return 1 if any(not check.active and check.advice for check in checks) else 0


def _folder(directory: Path) -> list[Rung]:
    try:
        settings = load(directory, os.environ)
    except SettingsError as error:
        return [Rung("settings", False, error.detail, "mend what is listed")]
    place = settings.data_directory
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return [
        Rung("settings", True, f"serving {settings.directory}"),
        Rung(
            "disk",
            free > _MIN_FREE_BYTES,
            f"{free / 1024**3:.1f} GB free for {settings.data_directory}",
            "" if free > _MIN_FREE_BYTES else "make room: databases, objects and logs grow here",
        ),
    ]


def _programs() -> list[Rung]:
    try:
        return [Rung("deno", True, find_deno())]
    except StartupFailed as error:
        return [Rung("deno", False, "not found", error.message)]


async def _confinement() -> list[Rung]:
    try:
        spawner = await Spawner.start()
    except V8BoxError as error:
        return [Rung("sandbox", False, error.detail, "processes cannot be started")]
    try:
        return list(spawner.rungs.describe())
    finally:
        await spawner.stop()
