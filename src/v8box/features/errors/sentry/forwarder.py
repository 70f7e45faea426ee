"""Hears of errors and sends them on: to the DSN of the worker, else the box's own. Nothing of it is in the request path
but a place in a queue; a DSN that does not answer keeps nobody else's events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from v8box.errors import V8BoxError
from v8box.features.errors.excerpt import Excerpt, ReadSource, excerpt
from v8box.features.errors.fingerprints import fingerprint, kill_fingerprint
from v8box.features.errors.model import ErrorKind, Occurrence
from v8box.features.errors.sentry.events import event_of
from v8box.features.errors.sentry.lane import ForwardingState, Lane
from v8box.features.errors.sentry.post import Sender
from v8box.features.errors.service import Versions
from v8box.features.errors.stacks import Frame, read_frames
from v8box.kit.addresses import is_public
from v8box.kit.sentry_dsn import BadDsn, Dsn, parse_dsn
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

VARIABLE: Final = "SENTRY_DSN"
NOWHERE: Final = "none"
"""A worker's DSN that says: not even to the box's."""
MAX_WAITING: Final = 1_000
_MAX_WORKERS: Final = 2_000
_MAX_LANES: Final = 500
_MAX_FILES: Final = 64
_FRAMES_WITH_CODE: Final = 10

_Key = tuple[str, str, str]


class WorkersDsn(Protocol):
    """What a worker's variables say of where its errors go. `revision` changes when `of` may give something else."""

    def revision(self, project: str, environment: str, worker: str) -> object: ...
    async def of(self, project: str, environment: str, worker: str) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the errors of a worker reach the place that they are sent to."""

    worker: str
    environment: str
    to: str
    """The DSN without its key."""
    of_box: bool
    state: ForwardingState
    problem: str
    sent: int
    dropped: int
    last_sent: float | None


@dataclass(frozen=True, slots=True)
class _Known:
    revision: object
    lane: Lane | None
    of_box: bool


class Forwarder:
    """Let `errors.watch(forwarder.take)`, let `run` run, `stop` it."""

    def __init__(
        self,
        workers: WorkersDsn,
        versions: Versions,
        read_source: ReadSource,
        *,
        box_dsn: str | None = None,
        server_name: str = "localhost",
        allow_private: bool = False,
        allows: Callable[[str], bool] = is_public,
    ) -> None:
        """`box_dsn` may be anywhere; what workers say only at addresses that `allows` lets through, unless
        `allow_private`. Raises `BadDsn`."""
        self._workers = workers
        self._versions = versions
        self._read_source = read_source
        self._server_name = server_name
        self._waiting: deque[Occurrence] = deque()
        self._arrived = asyncio.Event()
        self._anywhere = Sender(None)
        self._guarded = self._anywhere if allow_private else Sender(allows)
        self._tasks = TaskSet()
        self._lanes: OrderedDict[tuple[Dsn, bool], Lane] = OrderedDict()
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._files: OrderedDict[tuple[str, str], bytes | None] = OrderedDict()
        self._box_dsn = None if box_dsn is None else parse_dsn(box_dsn)
        self.dropped = 0
        """How many never got as far as to a DSN."""

    def take(self, occurrence: Occurrence) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(occurrence)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                occurrence = self._waiting.popleft()
                try:
                    await self._forward(occurrence)
                except Exception:
                    self.dropped += 1
                    logger.exception("an error could not be made an event")

    async def _forward(self, occurrence: Occurrence) -> None:
        lane = await self._lane_of(occurrence)
        if lane is None:
            return
        record, kind = occurrence.record, occurrence.kind
        frames = () if kind is ErrorKind.KILL else read_frames(occurrence.stack)
        if kind is ErrorKind.KILL:
            group = kill_fingerprint(record.project, record.worker, occurrence.name)
        else:
            group = fingerprint(record.project, record.worker, occurrence.name, occurrence.message, frames)
        number = await self._versions.number(record.project, record.worker, record.version)
        excerpts = await self._code_of(occurrence, frames)
        lane.offer(event_of(occurrence, group, frames, excerpts, number, self._server_name))

    # ---- where to

    async def _lane_of(self, occurrence: Occurrence) -> Lane | None:
        record = occurrence.record
        key = (record.project, record.environment, record.worker)
        revision = self._workers.revision(*key)
        known = self._known.get(key)
        if known is None or known.revision != revision:
            try:
                known = self._known[key] = await self._find(key, revision)
            except V8BoxError as error:  # its variables cannot be read just now
                logger.info("where errors of %s go cannot be found out: %s", record.worker, error.detail)
                return None if known is None else known.lane
            while len(self._known) > _MAX_WORKERS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return known.lane

    async def _find(self, key: _Key, revision: object) -> _Known:
        project, environment, worker = key
        text = await self._workers.of(*key)
        if text is None or not text.strip():
            if self._box_dsn is None:
                return _Known(revision, None, False)
            return _Known(revision, self._lane(self._box_dsn, "SENTRY_DSN of the box", of_box=True), True)
        if text.strip().lower() == NOWHERE:
            return _Known(revision, None, False)
        whose = f"{VARIABLE} of {worker} in {environment}, project {project}"
        try:
            dsn = parse_dsn(text)
        except BadDsn as error:
            logger.warning("%s cannot be used: %s", whose, error)
            return _Known(revision, None, False)
        return _Known(revision, self._lane(dsn, whose, of_box=False), False)

    def _lane(self, dsn: Dsn, whose: str, *, of_box: bool) -> Lane:
        lane = self._lanes.get((dsn, of_box))
        if lane is None:
            sender = self._anywhere if of_box else self._guarded
            lane = self._lanes[dsn, of_box] = Lane(dsn, whose, sender.post, self._tasks, time.monotonic)
            if len(self._lanes) > _MAX_LANES:
                oldest = next((each for each, other in self._lanes.items() if other.idle and other is not lane), None)
                if oldest is not None:
                    del self._lanes[oldest]
        self._lanes.move_to_end((dsn, of_box))
        return lane

    # ---- the code

    async def _code_of(self, occurrence: Occurrence, frames: Sequence[Frame]) -> dict[Frame, Excerpt]:
        """Around the innermost frames of the user's own."""
        record = occurrence.record
        found: dict[Frame, Excerpt] = {}
        for frame in [each for each in frames if each.own][:_FRAMES_WITH_CODE]:
            source = await self._source(record.project, record.worker, record.version, frame.file)
            code = None if source is None else excerpt(source, frame.file, frame.line)
            if code is not None:
                found[frame] = code
        return found

    async def _source(self, project: str, worker: str, version: str, file: str) -> bytes | None:
        key = (version, file)
        if key not in self._files:
            self._files[key] = await self._read_source(project, worker, version, file)
            while len(self._files) > _MAX_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]

    # ----

    def status(self, project: str) -> list[Status]:
        """Of the project's workers that had an error since the box started, and that sends them somewhere."""
        found = [
            Status(
                worker=worker,
                environment=environment,
                to=known.lane.dsn.shown,
                of_box=known.of_box,
                state=known.lane.state,
                problem=known.lane.problem,
                sent=known.lane.sent,
                dropped=known.lane.dropped,
                last_sent=known.lane.last_sent,
            )
            for (of, environment, worker), known in self._known.items()
            if of == project and known.lane is not None
        ]
        return sorted(found, key=lambda each: (each.worker, each.environment))

    async def stop(self) -> None:
        """What waits is not sent: it is in the box's own groups."""
        await self._tasks.cancel()
        await self._anywhere.stop()
        if self._guarded is not self._anywhere:
            await self._guarded.stop()
