"""Hears of every run, line and death, and tallies what is an error. In the request path: a lookup and a few additions.

What cannot be told apart within the bounds is counted all the same, in one tally for the worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from v8box.errors import StopReason
from v8box.features.errors.model import OVERFLOW_MESSAGE, OVERFLOW_NAME, ErrorKind, Occurrence, Sample, Tally
from v8box.telemetry.records import DeathRecord, LineRecord, RunRecord

MAX_TALLIES: Final = 1_000
"""Between two looks of whoever writes them down."""
WATCHED: Final = 3
_SAMPLES: Final = 5
_MAX_MESSAGE: Final = 1_000
_MAX_STACK: Final = 4_000
_FIRST_FRAME: Final = "\n    at "
_NAMED: Final = re.compile(r"(?:^|(?<=[\s(:]))([A-Z][\w$]{0,100}(?:Error|Exception))(?:: |$)|^(Error): ")
_ORIGINS: Final = (
    ("waitUntil: ", ErrorKind.WAIT_UNTIL),
    ("Uncaught (in promise) ", ErrorKind.UNHANDLED),
    ("Uncaught ", ErrorKind.UNHANDLED),
)
_KILLED_RUNS: Final = frozenset({StopReason.WALL, StopReason.RESPONSE_BYTES, StopReason.STARTUP})
"""Counted by the runs that were ended; the sandbox lives on, or no record tells of its end."""
_IN_WORDS: Final = {
    StopReason.WALL.value: "the run took longer than limits.wall_ms",
    StopReason.RESPONSE_BYTES.value: "the response outgrew limits.response_mb",
}
"""Of those, what the record of the run does not say."""
_KILLED_SANDBOXES: Final = frozenset(
    {
        StopReason.CPU,
        StopReason.MEMORY,
        StopReason.LOG_BYTES,
        StopReason.SUBREQUESTS,
        StopReason.PROTOCOL,
        StopReason.EXIT,
        StopReason.CRASH,
    }
)
"""Counted by the deaths; the runs that went with them are samples."""

_Key = tuple[str, str, str, str, str, str, str]


class Intake:
    """Listens. `take` gives what was tallied since it was last asked."""

    def __init__(self) -> None:
        self._tallies: dict[_Key, Tally] = {}
        self._watchers: tuple[Callable[[Occurrence], None], ...] = ()

    def watch(self, watcher: Callable[[Occurrence], None]) -> None:
        """From now on `watcher` hears of the first `WATCHED` of each error between two looks. It returns at once."""
        self._watchers = (*self._watchers, watcher)

    @property
    def empty(self) -> bool:
        return not self._tallies

    def take(self) -> list[Tally]:
        taken, self._tallies = self._tallies, {}
        return list(taken.values())

    # ---- what the feed tells

    def runs(self, records: Sequence[RunRecord]) -> None:
        for record in records:
            self._run(record)

    def _run(self, record: RunRecord) -> None:
        error, outcome = record.error, record.outcome
        if error is None and outcome == "ok":
            return
        if error is not None and outcome not in _KILLED_SANDBOXES and (outcome != "startup" or error.stack):
            if record.status < 500 and outcome == "exception":
                return  # the worker's way to refuse a caller
            kind = ErrorKind.STARTUP if outcome == "startup" else ErrorKind.EXCEPTION
            self._count(record, kind, error.name, error.message, error.stack, 1, record.id, record.request_id)
        elif outcome in _KILLED_RUNS or outcome in _KILLED_SANDBOXES:
            detail = error.message if error is not None else _IN_WORDS.get(outcome, "")
            weight = 1 if outcome in _KILLED_RUNS else 0
            self._count(record, ErrorKind.KILL, outcome, detail, "", weight, record.id, record.request_id)

    def line(self, record: LineRecord) -> None:
        if record.level != "error" or record.thrown:
            return
        text = record.text
        at = text.find(_FIRST_FRAME)
        if at < 0:
            return
        head, stack = text[:at], text[at + 1 :]
        kind = ErrorKind.LOG
        for prefix, origin in _ORIGINS:
            if head.startswith(prefix):
                kind, head = origin, head[len(prefix) :]
                break
        name, message = read_head(head)
        self._count(record, kind, name, message, stack, 1, record.run or "", "")

    def death(self, record: DeathRecord) -> None:
        if record.reason in _KILLED_SANDBOXES:
            self._count(record, ErrorKind.KILL, record.reason, record.detail, "", 1, "", "")

    # ----

    def _count(
        self,
        record: RunRecord | LineRecord | DeathRecord,
        kind: ErrorKind,
        name: str,
        message: str,
        stack: str,
        weight: int,
        run: str,
        request_id: str,
    ) -> None:
        what = "" if kind is ErrorKind.KILL else stack or message
        key = (record.project, record.environment, record.worker, record.version, kind, name, what)
        tally = self._tallies.get(key) or self._begin(record, key, kind, name, message, stack)
        tally.count += weight
        tally.last = record.time
        if message and not tally.overflow:
            tally.message = message[:_MAX_MESSAGE]
        if weight and tally.count <= WATCHED and self._watchers and not tally.overflow:
            occurrence = Occurrence(
                record=record,
                kind=kind,
                name=tally.name,
                message=message[:_MAX_MESSAGE],
                stack=tally.stack,
                seen=tally.count,
            )
            for watcher in self._watchers:
                watcher(occurrence)
        if run and len(tally.samples) < _SAMPLES:
            tally.samples.append(
                Sample(
                    run=run,
                    request_id=request_id if request_id != run else "",
                    at=record.time,
                    version=record.version,
                    environment=record.environment,
                    message=message[:_MAX_MESSAGE],
                )
            )

    def _begin(
        self,
        record: RunRecord | LineRecord | DeathRecord,
        key: _Key,
        kind: ErrorKind,
        name: str,
        message: str,
        stack: str,
    ) -> Tally:
        overflow = len(self._tallies) >= MAX_TALLIES
        if overflow:
            key = (record.project, record.environment, record.worker, "", "", "", "")
            known = self._tallies.get(key)
            if known is not None:
                return known
            kind, name, message, stack = ErrorKind.LOG, OVERFLOW_NAME, OVERFLOW_MESSAGE, ""
        tally = self._tallies[key] = Tally(
            project=record.project,
            environment=record.environment,
            worker=record.worker,
            version=record.version,
            kind=kind,
            name=name[:200],
            message=message[:_MAX_MESSAGE],
            stack=stack[:_MAX_STACK],
            first=record.time,
            overflow=overflow,
        )
        return tally


def read_head(head: str) -> tuple[str, str]:
    """Name and message of an error, of the text above its frames; there may be words before its name."""
    found = _NAMED.search(head)
    if found is None:
        return "Error", head
    name = found[1] or found[2]
    message = head[found.end() :]
    return name, message or head[: found.start()].rstrip(": ")
