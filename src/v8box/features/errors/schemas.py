"""The shapes of error groups in the API."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from v8box.api.v1 import Shape, Time
from v8box.features.errors.excerpt import Excerpt
from v8box.features.errors.model import KEPT_HOURS, Detail, ErrorKind, ErrorState, Group, Sample, VersionRef
from v8box.features.errors.sentry.forwarder import Status
from v8box.features.errors.sentry.lane import ForwardingState
from v8box.features.errors.stacks import Frame, read_frames

LIST_HOURS = 24
Hours = Sequence[tuple[int, int]]
ErrorId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class VersionInfo(BaseModel):
    """A version of the worker."""

    id: str
    number: int = Field(description="0: it is not known any more.")

    @classmethod
    def of(cls, version: VersionRef) -> VersionInfo:
        return cls(id=version.id, number=version.number)


class FrameInfo(BaseModel):
    """One call of a stack."""

    function: str = Field(description="Empty: it has no name.")
    file: str
    line: int = Field(description="From 1; 0: not known.")
    column: int
    own: bool = Field(description="In a file of yours, not in a package's or the language's.")

    @classmethod
    def of(cls, frame: Frame) -> FrameInfo:
        return cls(function=frame.function, file=frame.file, line=frame.line, column=frame.column, own=frame.own)


class HourInfo(BaseModel):
    """How often in an hour."""

    at: Time = Field(description="The hour's beginning.")
    count: int


class ErrorInfo(BaseModel):
    """Errors that belong together: the same name, thrown in the same place."""

    id: str
    kind: ErrorKind = Field(
        description="`exception`: the run threw; `startup`: the module did while it was loaded; `wait_until`, "
        "`unhandled`: nobody caught it; `log`: it was printed with its stack; `kill`: a limit was broken."
    )
    worker: str
    name: str = Field(description="The error's name; of a kill the reason.", examples=["TypeError", "memory"])
    message: str = Field(description="Of the newest one.")
    top: FrameInfo | None = Field(description="Where it was thrown: the innermost frame of yours.")
    state: ErrorState
    ignored_until: Time | None = Field(description="`null`, with the state ignored: for good.")
    resolved_at: Time | None
    regressed_at: Time | None
    changed_by: str = Field(description="Who set the state; empty: nobody yet.")
    first_seen: Time
    last_seen: Time
    count: int
    new_in: VersionInfo = Field(description="The first version that it was seen in.")
    last_version: VersionInfo = Field(description="The newest version that it was seen in.")
    environments: list[str]
    hours: list[HourInfo] = Field(description="How often in each of the last 24 hours, oldest first.")

    @classmethod
    def of(cls, group: Group, hours: Hours) -> ErrorInfo:
        return cls.model_validate(_fields(group, hours, LIST_HOURS))


class SampleInfo(BaseModel):
    """One time that it happened."""

    run: str | None = Field(description="The run's id; `null`: none was going on.")
    request_id: str | None = Field(description="The client's own, where it sent one.")
    at: Time
    version: VersionInfo
    environment: str
    message: str


class SeenInfo(BaseModel):
    """How often in one version and environment."""

    version: VersionInfo
    environment: str
    first_seen: Time
    last_seen: Time
    count: int


class ExcerptInfo(BaseModel):
    """The code around the place."""

    file: str
    line: int
    first: int = Field(description="The number of the first of `lines`.")
    lines: list[str]


class ErrorDetail(ErrorInfo):
    """An error group with its stack, code, samples and versions."""

    hours: list[HourInfo] = Field(description="How often in each of the last 7 days' hours, oldest first.")
    stack: str = Field(description="As V8 writes it, in terms of your files; empty where there is none.")
    frames: list[FrameInfo] = Field(description="The same, read; the innermost first.")
    stack_version: VersionInfo = Field(description="The version that the stack is of.")
    excerpt: ExcerptInfo | None = Field(description="`null`: the version's sources are not kept any more.")
    samples: list[SampleInfo] = Field(description="The last ones, newest first; the very first is at the end.")
    versions: list[SeenInfo] = Field(description="Newest first.")

    @classmethod
    def of_detail(cls, detail: Detail, code: Excerpt | None) -> ErrorDetail:
        numbers = {each.version.id: each.version.number for each in detail.seen}
        return cls.model_validate(
            {
                **_fields(detail.group, detail.hours, KEPT_HOURS),
                "stack": detail.stack,
                "frames": [FrameInfo.of(frame) for frame in read_frames(detail.stack)],
                "stack_version": VersionInfo.of(detail.stack_version),
                "excerpt": None
                if code is None
                else ExcerptInfo(file=code.file, line=code.line, first=code.first, lines=list(code.lines)),
                "samples": [_sample(sample, numbers) for sample in detail.samples],
                "versions": [
                    SeenInfo(
                        version=VersionInfo.of(each.version),
                        environment=each.environment,
                        first_seen=_moment(each.first_seen),
                        last_seen=_moment(each.last_seen),
                        count=each.count,
                    )
                    for each in detail.seen
                ],
            }
        )


class ErrorCounts(BaseModel):
    """How many error groups are in each state."""

    open: int
    regressed: int
    ignored: int
    resolved: int


class ForwardingInfo(BaseModel):
    """How a worker's errors reach the Sentry that they are forwarded to."""

    worker: str
    environment: str
    to: str | None = Field(description="The DSN without its key; `null`: the box's own.")
    state: ForwardingState = Field(
        description="`ok`; `rate_limited`: it asked for less; `unreachable`: it is tried again; `refused`: it does not "
        "take the key; `blocked`: it is at no public address."
    )
    problem: str = Field(description="What went wrong last; empty: nothing.")
    sent: int = Field(description="Events since the box started, of all who send to the same place.")
    dropped: int = Field(description="Events that could not be sent.")
    last_sent: Time | None

    @classmethod
    def of(cls, status: Status) -> ForwardingInfo:
        return cls(
            worker=status.worker,
            environment=status.environment,
            to=None if status.of_box else status.to,
            state=status.state,
            problem=status.problem,
            sent=status.sent,
            dropped=status.dropped,
            last_sent=_maybe(status.last_sent),
        )


class NewErrorState(Shape):
    """What an error's owner thinks of it."""

    state: Literal["open", "ignored", "resolved"]
    ignored_until: datetime | None = Field(default=None, description="With `ignored`: until then. Not given: for good.")


class NewErrorStates(NewErrorState):
    """The same for several: those with these ids, or all of a worker."""

    ids: Annotated[list[ErrorId], Field(min_length=1, max_length=200)] | None = None
    worker: str | None = Field(default=None, max_length=63, description="All open and regressed ones of this worker.")


class ErrorsChanged(BaseModel):
    """What a change of several did."""

    changed: int = Field(description="How many are in another state now.")
    more: bool = Field(description="Whether there are others still: say it again.")


def _fields(group: Group, hours: Hours, span: int) -> Mapping[str, object]:
    return {
        "id": group.id,
        "kind": group.kind,
        "worker": group.worker,
        "name": group.name,
        "message": group.message,
        "top": None if group.top is None else FrameInfo.of(group.top),
        "state": group.state,
        "ignored_until": _maybe(group.ignored_until),
        "resolved_at": _maybe(group.resolved_at),
        "regressed_at": _maybe(group.regressed_at),
        "changed_by": group.changed_by,
        "first_seen": _moment(group.first_seen),
        "last_seen": _moment(group.last_seen),
        "count": group.count,
        "new_in": VersionInfo.of(group.first_version),
        "last_version": VersionInfo.of(group.last_version),
        "environments": list(group.environments),
        "hours": _hours(hours, span),
    }


def _hours(counted: Hours, span: int) -> list[HourInfo]:
    """Every hour of the span, the one that is going on too."""
    counts, now = dict(counted), int(time.time() // 3600)
    return [HourInfo(at=_moment(hour * 3600), count=counts.get(hour, 0)) for hour in range(now - span + 1, now + 1)]


def _sample(sample: Sample, numbers: Mapping[str, int]) -> SampleInfo:
    return SampleInfo(
        run=sample.run or None,
        request_id=sample.request_id or None,
        at=_moment(sample.at),
        version=VersionInfo(id=sample.version, number=numbers.get(sample.version, 0)),
        environment=sample.environment,
        message=sample.message,
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _maybe(at: float | None) -> datetime | None:
    return None if at is None else _moment(at)
