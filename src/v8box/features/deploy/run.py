"""How a tool of a deploy is run: to its end, with its output, confined by whoever gives the `Run`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

MAX_OUTPUT_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process ended: `code` is its exit code, negative for a signal. `output`: both its streams, as they came."""

    code: int
    output: bytes


class Run(Protocol):
    """Runs a process to its end, confined as far as the box can, and kills it when cancelled.

    It may read and execute `argv[0]` and `read_only`, read and write `read_write`; standard input is empty. A bundler
    may start processes and reach the network besides. At most `MAX_OUTPUT_BYTES` of output are kept, the rest is read
    and dropped.
    """

    async def __call__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        read_only: Sequence[Path],
        read_write: Sequence[Path],
    ) -> Completed: ...


async def run_unconfined(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
) -> Completed:
    """`Run` without any confinement: for tests and for tools on the developer's own machine."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    kept = bytearray()
    try:
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        while chunk := await process.stdout.read(65_536):
            kept += chunk[: MAX_OUTPUT_BYTES - len(kept)]
        return Completed(await process.wait(), bytes(kept))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the process group: it has helpers
            await process.wait()
