"""What somebody wants of runs and lines: said once, for the store in SQL and for a record at hand in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from v8box.storage.sql import load_queries
from v8box.telemetry.records import LineRecord, RunRecord, rank
from v8box.telemetry.store.rows import id_of

SLOW_MILLISECONDS: Final = 1_000.0
"""Slower runs have an index of their own."""
_where: Final = load_queries("v8box.telemetry.store", "conditions.sql")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """None: any. Times are Unix time, durations milliseconds."""

    project: str | None = None
    worker: str | None = None
    environment: str | None = None
    version: str | None = None
    since: float | None = None
    """Not before this moment."""
    until: float | None = None
    """Before this moment."""
    text: str | None = None
    """In whatever case, as far as ASCII goes."""

    def here(self, record: RunRecord | LineRecord) -> bool:
        """Whether it is of the workers and the time that are meant."""
        return (
            self.worker in (None, record.worker)
            and self.project in (None, record.project)
            and self.environment in (None, record.environment)
            and self.version in (None, record.version)
            and (self.since is None or record.time >= self.since)
            and (self.until is None or record.time < self.until)
        )

    def has_source(self, worker: str, project: str, environment: str) -> bool:
        return (
            self.worker in (None, worker)
            and self.project in (None, project)
            and self.environment in (None, environment)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery(Query):
    """Which runs. `text` is in the path, in what was thrown, or in a line that the run printed."""

    run: str | None = None
    request: str | None = None
    """The id that the client gave, or that of the run."""
    trace: str | None = None
    """The W3C trace that it is a part of: 32 hex digits."""
    status: tuple[int, int] | None = None
    """From, to."""
    outcome: str | None = None
    trigger: str | None = None
    method: str | None = None
    failed: bool | None = None
    min_duration: float | None = None
    max_duration: float | None = None

    def matches(self, record: RunRecord) -> bool:
        """Whether it is wanted; of the text, only what the record itself has."""
        return (
            self.here(record)
            and self.run in (None, record.id)
            and self.request in (None, record.id, record.request_id)
            and self.trace in (None, record.trace)
            and (self.status is None or self.status[0] <= record.status <= self.status[1])
            and self.outcome in (None, record.outcome)
            and self.trigger in (None, record.trigger)
            and self.method in (None, record.method)
            and self.failed in (None, record.failed)
            and (self.min_duration is None or record.duration >= self.min_duration)
            and (self.max_duration is None or record.duration <= self.max_duration)
            and (self.text is None or run_says(record, self.text))
        )

    def conditions(self) -> tuple[str, str, dict[str, Any]]:
        """The index to go by (its name begins with the table's), the conditions, and their values."""
        names: list[str] = []
        values: dict[str, Any] = {}

        def add(name: str, **bound: Any) -> None:
            names.append(name)
            values.update(bound)

        if self.version is not None:
            add("version", version=self.version)
        if self.run is not None:
            add("run", run=id_of(self.run))
        if self.status is not None:
            add("status", status_low=self.status[0], status_high=self.status[1])
        if self.outcome is not None:
            add("outcome", outcome=self.outcome)
        if self.trigger is not None:
            add("trigger", trigger=self.trigger)
        if self.method is not None:
            add("method", method=self.method)
        if self.trace is not None:
            add("trace", trace=self.trace)
        if self.failed is False:
            add("not_failed")
        if self.min_duration is not None:
            add("min_duration", min_duration=round(self.min_duration * 1000))
        if self.max_duration is not None:
            add("max_duration", max_duration=round(self.max_duration * 1000))
        if self.text is not None:
            add("run_text", text=pattern(self.text))
        index = self._index()
        if index != "by_source":
            names.append(index)
        return index, "\n".join(_where[name] for name in names), values

    def _index(self) -> str:
        if self.failed:
            return "failed"
        if (
            (self.status is not None and self.status[0] >= 400)
            or self.outcome not in (None, "ok")
            or self.trigger not in (None, "http")
        ):
            return "rare"
        if self.min_duration is not None and self.min_duration >= SLOW_MILLISECONDS:
            return "slow"
        return "by_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuery(Query):
    """Which lines."""

    runs: tuple[str, ...] | None = None
    """Only those that these printed."""
    level: str | None = None
    """This one or a worse one."""

    def matches(self, record: LineRecord) -> bool:
        return (
            self.here(record)
            and (self.runs is None or record.run in self.runs)
            and (self.level is None or rank(record.level) >= rank(self.level))
            and (self.text is None or contains(record.text, self.text))
        )

    def conditions(self) -> tuple[str, str, dict[str, Any]]:
        names: list[str] = []
        values: dict[str, Any] = {}
        if self.version is not None:
            names.append("version")
            values["version"] = self.version
        if self.runs is not None:
            names.append("line_runs")
            values["runs"] = tuple(map(id_of, self.runs)) or (b"",)
        if self.level is not None:
            names.append("level")
            values["level"] = rank(self.level)
        if self.text is not None:
            names.append("line_text")
            values["text"] = pattern(self.text)
        index = "bad" if self.level is not None and rank(self.level) >= 2 else "by_source"
        if index != "by_source":
            names.append(index)
        return index, "\n".join(_where[name] for name in names), values


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The newest first. `resume`: where the next page goes on, None when there is nothing left. `unfinished`: the time
    for one search was over before the page was full; everything after `resume` was looked through."""

    items: list[T]
    resume: bytes | None = None
    unfinished: bool = False


def contains(text: str, wanted: str) -> bool:
    """In whatever case, as far as ASCII goes: as `like` has it."""
    return wanted.encode().lower() in text.encode(errors="replace").lower()


def run_says(record: RunRecord, wanted: str) -> bool:
    error = record.error
    return contains(record.path, wanted) or (
        error is not None
        and (contains(error.message, wanted) or contains(error.name, wanted) or contains(error.stack, wanted))
    )


def pattern(text: str) -> str:
    """For `like … escape '\\'`."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def source_conditions(sources: Mapping[int, tuple[str, str, str]], query: Query) -> list[int] | None:
    """The numbers of the workers that are meant; None: all that there are."""
    wanted = [number for number, place in sources.items() if query.has_source(*place)]
    return None if len(wanted) == len(sources) else wanted
