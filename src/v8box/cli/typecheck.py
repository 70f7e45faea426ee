"""`deno check` beside a box that serves a folder: what the types say of the workers' files, told when it changes."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from v8box.features.deploy import run_unconfined

TYPES: Final = "v8box.d.ts"
_TYPE_ERROR: Final = re.compile(r"(TS[0-9]+) \[ERROR\]: (.*)")
_OTHER_ERROR: Final = re.compile(r"error: ((?!Type checking failed).*)")
_AT: Final = re.compile(r"    at file://(\S+):([0-9]+):([0-9]+)")
_MAX_TOLD: Final = 50


@dataclass(frozen=True, slots=True)
class TypeFault:
    """One thing that the types say is wrong. Line and column count from 1."""

    file: str | None
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" if self.file else self.message


def read_faults(output: str, directory: Path) -> list[TypeFault]:
    """What `deno check` wrote, file names relative to `directory` where they are in it."""
    faults: list[TypeFault] = []
    message: str | None = None
    for line in output.splitlines():
        if match := _TYPE_ERROR.match(line):
            if message is not None:
                faults.append(TypeFault(None, 0, 0, message))
            message = f"{match[2]} ({match[1]})"
        elif message is None and (match := _OTHER_ERROR.match(line)):
            message = match[1]
        elif message is not None and (match := _AT.fullmatch(line)):
            path = os.path.relpath(unquote(match[1]), directory)
            shown = unquote(match[1]) if path.startswith("..") else path
            faults.append(TypeFault(shown, int(match[2]), int(match[3]), message))
            message = None
    if message is not None:
        faults.append(TypeFault(None, 0, 0, message))
    return list(dict.fromkeys(faults))


class TypeChecks:
    """Checks one folder, one check at a time; what changes during one is looked at by the next."""

    def __init__(
        self,
        directory: Path,
        deno: str,
        deno_dir: Path,
        tell: Callable[[Sequence[TypeFault]], None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._directory = directory
        self._deno = deno
        self._environ = {**environ, "DENO_DIR": str(deno_dir), "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
        self._tell = tell
        self._mains: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._told: list[TypeFault] = []

    def notice(self, main: str) -> None:
        """The worker whose main file this is has been changed. On the loop."""
        self._mains.add(main)
        if self._task is not None and not self._task.done():
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), name="type checks")

    def forget(self, main: str) -> None:
        self._mains.discard(main)

    async def _run(self) -> None:
        while True:
            self._again = False
            faults = await self._check()
            if faults != self._told:
                self._told = faults
                self._tell(faults[:_MAX_TOLD])
            if not self._again:
                return

    async def _check(self) -> list[TypeFault]:
        mains = [main for main in sorted(self._mains) if (self._directory / main).is_file()]
        return await check(self._directory, mains, self._deno, self._environ) if mains else []


async def check(directory: Path, mains: Sequence[str], deno: str, environ: Mapping[str, str]) -> list[TypeFault]:
    """One check of these main files. It runs nothing of them."""
    with as_file(files("v8box") / "runtime" / "types" / TYPES) as types:
        own = [] if (directory / TYPES).is_file() else [str(types)]
        command = [deno, "check", "--quiet", "--no-lock", *_config(directory), *mains, *own]
        done = await run_unconfined(command, environ, directory, (), ())
    return [] if done.code == 0 else read_faults(done.output.decode(errors="replace"), directory)


def _config(directory: Path) -> list[str]:
    """Only the folder's own deno.json counts, as for a deploy; Deno would look for one above it."""
    return [] if any((directory / name).is_file() for name in ("deno.json", "deno.jsonc")) else ["--no-config"]
