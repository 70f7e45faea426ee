"""Takes captures and keeps them: files in a folder, a row for each, deleted after a day or when there are too many.

A CPU profile is taken of a process of its own, which gets the worker's runs meanwhile; a heap snapshot of a live one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from v8box.catalog.model import Placement
from v8box.errors import NotFound, V8BoxError
from v8box.features.captures.cpuprofile import cpu_profile
from v8box.kit.sourcemap import SourceMap
from v8box.pool.group import Profiled
from v8box.sandbox.interface import StartupFailed
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

logger = logging.getLogger(__name__)

TICKS_US: Final = 1_000
KEPT_SECONDS: Final = 86_400.0
MAX_BYTES: Final = 2 * 1024**3
"""All captures together; the oldest go first."""
MOST: Final = 200
_SWEEP_SECONDS: Final = 300.0

_queries: Final = load_queries("v8box.features.captures")


class CaptureNotFound(NotFound):
    """The project has no capture with this id: they are deleted after a day."""

    code = "capture_not_found"


class NothingCaptured(V8BoxError):
    """The worker did nothing meanwhile, so there is nothing to show. Call it while it is being profiled."""

    status = 409
    code = "nothing_captured"


class CaptureFailed(V8BoxError):
    """The capture could not be taken."""

    status = 409
    code = "capture_failed"


class CaptureKind(StrEnum):
    """What it is: also the ending of its file."""

    CPU_PROFILE = "cpuprofile"
    HEAP_SNAPSHOT = "heapsnapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One file."""

    id: str
    project: str
    environment: str
    worker: str
    version: str
    kind: CaptureKind
    created_at: float
    created_by: str
    bytes: int
    note: str


class Source(Protocol):
    """What captures are taken of: the pool."""

    async def profile(self, placement: Placement, seconds: float, ticks_us: int) -> Profiled: ...
    async def heap_snapshot(self, placement: Placement, write: Callable[[bytes], Awaitable[None]]) -> int: ...


SourceMapOf = Callable[[Placement], Awaitable[SourceMap | None]]


class Captures:
    """`open` it; `sweep_forever` deletes what is old."""

    def __init__(
        self, database: Database, folder: Path, source: Source, source_map: SourceMapOf, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._folder = folder
        self._source = source
        self._source_map = source_map
        self._clock = clock
        self._captures: dict[str, Capture] = {}

    @classmethod
    async def open(
        cls,
        database: Database,
        folder: Path,
        source: Source,
        source_map: SourceMapOf,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Captures:
        """Brings the table up to date, and deletes files that nothing is known of."""
        await database.migrate("captures", load_migrations("v8box.features.captures"))
        captures = cls(database, folder, source, source_map, clock)
        for row in await database.read(lambda sql: sql.rows(_queries["all"])):
            capture = _read(row)
            captures._captures[capture.id] = capture
        known = {captures.file(each).name for each in captures._captures.values()}
        await asyncio.to_thread(_clear, folder, known)
        return captures

    # ---- looking

    def list(self, project: str) -> Sequence[Capture]:
        """Those of the project."""
        return [each for each in self._captures.values() if each.project == project]

    def get(self, project: str, capture_id: str) -> Capture:
        """Raises `CaptureNotFound`."""
        capture = self._captures.get(capture_id)
        if capture is None or capture.project != project:
            raise CaptureNotFound
        return capture

    def file(self, capture: Capture) -> Path:
        return self._folder / f"{capture.id}.{capture.kind}"

    # ---- taking

    async def profile(self, placement: Placement, seconds: float, actor: Actor) -> Capture:
        """A CPU profile of so many seconds. Raises `NothingCaptured`, `CaptureFailed`, and what the pool raises."""
        try:
            profiled = await self._source.profile(placement, seconds, TICKS_US)
        except StartupFailed as error:
            raise CaptureFailed(f"The worker could not be started: {error.message}") from error
        if not len(profiled.recording):
            raise NothingCaptured
        source_map = await self._source_map(placement)
        data = await asyncio.to_thread(cpu_profile, profiled.recording, source_map, TICKS_US)
        note = f"{profiled.runs} runs, {len(profiled.recording)} samples"
        if profiled.death is not None:
            note += f"; the process ended early ({profiled.death.reason}): {profiled.death.detail}"
        draft = await asyncio.to_thread(_Draft, self._folder)
        try:
            await draft.write(data)
            return await self._keep(placement, CaptureKind.CPU_PROFILE, draft, note, actor)
        finally:
            draft.close()

    async def heap_snapshot(self, placement: Placement, actor: Actor) -> Capture:
        """A snapshot of the heap of a live process. Raises what the pool raises."""
        draft = await asyncio.to_thread(_Draft, self._folder)
        try:
            await self._source.heap_snapshot(placement, draft.write)
            note = "of the process that had most in use; it is replaced"
            return await self._keep(placement, CaptureKind.HEAP_SNAPSHOT, draft, note, actor)
        finally:
            draft.close()

    async def _keep(self, placement: Placement, kind: CaptureKind, draft: _Draft, note: str, actor: Actor) -> Capture:
        capture = Capture(
            id=f"{int(self._clock() * 1000):012x}{secrets.token_hex(6)}",
            project=placement.project,
            environment=placement.environment,
            worker=placement.worker,
            version=placement.id,
            kind=kind,
            created_at=self._clock(),
            created_by=actor.name,
            bytes=draft.bytes,
            note=note[:500],
        )
        await draft.keep(self.file(capture))
        event = _event("worker.profile" if kind is CaptureKind.CPU_PROFILE else "worker.heap_snapshot", capture, actor)
        await self._database.write(lambda sql: _insert(sql, capture, event))
        self._captures[capture.id] = capture
        await self.sweep()
        return capture

    # ---- deleting

    async def delete(self, project: str, capture_id: str, actor: Actor) -> None:
        """Raises `CaptureNotFound`."""
        capture = self.get(project, capture_id)
        await self._delete([capture], _event("capture.delete", capture, actor))

    async def _delete(self, captures: Sequence[Capture], event: Event | None = None) -> None:
        for capture in captures:
            self._captures.pop(capture.id, None)
        ids = [capture.id for capture in captures]
        await self._database.write(lambda sql: _remove(sql, ids, event))
        await asyncio.to_thread(_unlink, [self.file(capture) for capture in captures])

    async def forget_project(self, project: str) -> None:
        """With the project go its captures."""
        await self._delete(self.list(project))

    async def sweep(self) -> None:
        """Deletes what is old, and the oldest of what is too much."""
        gone, total = [], 0
        newest_first = sorted(self._captures.values(), key=lambda each: -each.created_at)
        for index, capture in enumerate(newest_first):
            total += capture.bytes
            if (index and (total > MAX_BYTES or index >= MOST)) or self._clock() - capture.created_at > KEPT_SECONDS:
                gone.append(capture)
        if gone:
            await self._delete(gone)

    async def sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except V8BoxError as error:
                logger.error("old captures cannot be deleted: %s", error)


def _event(action: str, capture: Capture, actor: Actor) -> Event:
    after = {
        "id": capture.id,
        "kind": str(capture.kind),
        "environment": capture.environment,
        "version": capture.version,
    }
    return Event(action=action, resource=f"worker/{capture.worker}", project=capture.project, actor=actor, after=after)


def _insert(sql: Transaction, capture: Capture, event: Event) -> None:
    row = {name: getattr(capture, name) for name in Capture.__slots__}
    sql.execute(_queries["insert"], {**row, "kind": str(capture.kind)})
    append(sql, event)


def _remove(sql: Transaction, ids: Sequence[str], event: Event | None) -> None:
    for each in ids:
        sql.execute(_queries["delete"], {"id": each})
    if event is not None:
        append(sql, event)


def _read(row: Row) -> Capture:
    capture_id, project, environment, worker, version, kind, created_at, created_by, size, note = map(str, row)
    return Capture(
        id=capture_id,
        project=project,
        environment=environment,
        worker=worker,
        version=version,
        kind=CaptureKind(kind),
        created_at=float(created_at),
        created_by=created_by,
        bytes=int(size),
        note=note,
    )


# ---- the folder; in a thread


class _Draft:
    """A file that is being written: whole or not at all, and for nobody else to read, since what is in the memory of a
    worker may be secret. A full disk is told as what it is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{secrets.token_hex(8)}.tmp"
        self._file = open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self.bytes = 0

    async def write(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self._file.write, data)
        except OSError as error:
            raise CaptureFailed(f"The capture cannot be written: {error.strerror or error}") from error
        self.bytes += len(data)

    async def keep(self, file: Path) -> None:
        try:
            await asyncio.to_thread(self._file.close)
        except OSError as error:
            raise CaptureFailed(f"The capture cannot be written: {error.strerror or error}") from error
        self._path.rename(file)

    def close(self) -> None:
        """Deletes what was not kept."""
        with contextlib.suppress(OSError):
            self._file.close()
        _unlink([self._path])


def _unlink(files: Sequence[Path]) -> None:
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def _clear(folder: Path, known: set[str]) -> None:
    if folder.is_dir():
        _unlink([file for file in folder.iterdir() if file.name not in known])
