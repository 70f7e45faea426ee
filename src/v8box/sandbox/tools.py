"""The box's own helper processes, started by the same spawner so that they end with the box: Valkey, database engines,
the bundler, the optimiser of sites."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import v8box
from v8box.sandbox.spawner import Child, Confinement, Spawner, SpawnSpec, runtime_paths

_OPTIMISER_BYTES: Final = 1536 * 1024 * 1024
"""Enough for a picture of fifty million points, twice over."""


class HelperProcess:
    """A long-running helper; what it prints goes to the box's log."""

    def __init__(self, child: Child) -> None:
        self._child = child
        child.on_output(_to_stderr)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def cpu_seconds(self) -> float:
        """Its own processor time so far."""
        return self._child.usage().cpu_seconds

    def kill(self) -> None:
        self._child.kill(signal.SIGKILL)

    def terminate(self) -> None:
        self._child.kill(signal.SIGTERM)

    async def wait(self) -> int:
        """The exit code, negative for a signal."""
        status = await asyncio.shield(self._child.exited)
        self._child.close()
        return status.code if status.code is not None else -(status.signal or 0)


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


def _python_paths() -> tuple[str, ...]:
    """What a Python process of this environment reads to run our modules."""
    package = str(Path(v8box.__file__).parent)
    return (os.path.realpath(sys.executable), sys.prefix, sys.base_prefix, package, *filter(os.path.isdir, sys.path))


class Helpers:
    """Starts helpers."""

    def __init__(self, spawner: Spawner, deno: str) -> None:
        self._spawner = spawner
        self._deno = deno

    async def launch(self, argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> HelperProcess:
        """A trusted server of the box, e.g. Valkey: not confined, but it dies with the box."""
        child = await self._spawner.spawn(
            SpawnSpec(argv=tuple(argv), env=env, stdin=stdin, executable=argv[0], confinement=None)
        )
        return HelperProcess(child)

    async def launch_engine(
        self, argv: Sequence[str], stdin: int | None, env: Mapping[str, str], *, data: Path
    ) -> HelperProcess:
        """A database engine: it runs users' SQL, so it has its files and nothing else; no network, no processes."""
        confinement = Confinement(
            read_only=(*_python_paths(), *runtime_paths(self._deno)[1:4], "/dev/urandom"),
            read_write=(str(data),),
            allow_network=False,
            drop_privileges=False,  # the files belong to the box's own user
            open_files=4096,
            nice=1,
        )
        spec = SpawnSpec(argv=tuple(argv), env=env, stdin=stdin, executable=argv[0], confinement=confinement)
        return HelperProcess(await self._spawner.spawn(spec))

    async def launch_optimiser(
        self, argv: Sequence[str], stdin: int | None, env: Mapping[str, str], *, store: Path
    ) -> HelperProcess:
        """What unpacks users' pictures and parses their pages: it reads the sites' files, writes nothing, reaches
        nobody, and runs when no other process wants to."""
        confinement = Confinement(
            read_only=(*_python_paths(), *runtime_paths(self._deno)[1:4], "/dev/urandom", str(store)),
            allow_network=False,
            allow_unix=False,
            drop_privileges=False,  # the files belong to the box's own user
            open_files=64,
            file_size_bytes=0,
            oom_score_adj=900,
            nice=19,
        )
        spec = SpawnSpec(argv=tuple(argv), env=env, stdin=stdin, executable=argv[0], confinement=confinement)
        child = await self._spawner.spawn(spec)
        child.demote()
        child.limit_data_bytes(_OPTIMISER_BYTES)
        return HelperProcess(child)

    async def run_bundler(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        read_only: Sequence[Path],
        read_write: Sequence[Path],
        *,
        max_output_bytes: int,
    ) -> tuple[int, bytes]:
        """Runs a bundler to its end: it sees the sources and its own cache. Gives exit code and output.

        What goes beyond `max_output_bytes` is read and dropped.
        """
        confinement = Confinement(
            read_only=(*map(str, read_only), *runtime_paths(argv[0]), "/etc/ssl", "/usr/share/ca-certificates"),
            read_write=tuple(map(str, read_write)),
            allow_ipv6=True,
            allow_subprocess=True,
            drop_privileges=False,  # its cache belongs to the box's own user
            open_files=4096,
            nice=5,
        )
        return await self._to_the_end(argv, env, cwd, confinement, max_output_bytes)

    async def run_sealed(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        read_only: Sequence[Path],
        read_write: Sequence[Path],
        *,
        max_output_bytes: int,
    ) -> tuple[int, bytes]:
        """As `run_bundler`, for what runs a user's code at deploy: without network and processes of its own."""
        confinement = Confinement(
            read_only=(*map(str, read_only), *runtime_paths(argv[0])),
            read_write=tuple(map(str, read_write)),
            allow_network=False,
            allow_unix=False,
            drop_privileges=False,  # the bundle it reads belongs to the box's own user
            nice=5,
        )
        return await self._to_the_end(argv, env, cwd, confinement, max_output_bytes)

    async def _to_the_end(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        confinement: Confinement,
        max_output_bytes: int,
    ) -> tuple[int, bytes]:
        child = await self._spawner.spawn(
            SpawnSpec(argv=tuple(argv), env=env, cwd=str(cwd), executable=argv[0], confinement=confinement)
        )
        kept = bytearray()

        def keep(data: bytes) -> None:
            kept.extend(data[: max_output_bytes - len(kept)])

        child.on_output(keep)
        try:
            status = await asyncio.shield(child.exited)
            await asyncio.wait([child.output_closed], timeout=1.0)
        finally:
            child.close()
        return status.code if status.code is not None else -(status.signal or 0), bytes(kept)
