"""The records of error groups: a group, its state, what was seen of it where, its samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from v8box.errors import BadRequest, NotFound
from v8box.features.errors.stacks import Frame
from v8box.telemetry.records import DeathRecord, LineRecord, RunRecord

MAX_GROUPS: Final = 2_000
"""Of a project. The oldest go: resolved ones first, then ignored ones, then those that were quiet for the longest."""
MAX_OF_WORKER: Final = 300
"""Of one worker, so that one that errs in ever new ways does not push out the groups of others."""
NEW_PER_MINUTE: Final = 60
"""New groups of one worker in a minute; what is more is counted in one group for all of it."""
MAX_SAMPLES: Final = 10
MAX_SEEN: Final = 100
"""Pairs of version and environment of a group."""
KEPT_HOURS: Final = 24 * 7
OVERFLOW_NAME: Final = "TooManyErrors"
OVERFLOW_MESSAGE: Final = "errors that came too fast, or were too many, to be told apart"


class ErrorKind(StrEnum):
    """Where an error came to light."""

    EXCEPTION = "exception"  # the run threw
    STARTUP = "startup"  # the module threw while it was loaded
    WAIT_UNTIL = "wait_until"  # a promise given to waitUntil was rejected
    UNHANDLED = "unhandled"  # nobody caught it
    LOG = "log"  # it was printed with its stack: console.error(error)
    KILL = "kill"  # a limit was broken, or the process died; `name` is the `StopReason`


class ErrorState(StrEnum):
    """What its owner thinks of a group."""

    OPEN = "open"
    IGNORED = "ignored"  # for good, or until a time
    RESOLVED = "resolved"
    REGRESSED = "regressed"  # it came back in a newer version, or in one that went live later


class ErrorGroupNotFound(NotFound):
    """There is no such error in this project; it may have been too old to be kept."""

    code = "error_group_not_found"


class BadState(BadRequest):
    """An error can be open, ignored or resolved; `ignored_until` goes with ignored."""

    code = "bad_state"


@dataclass(slots=True, kw_only=True)
class Sample:
    """One time that it happened. `run` is empty where no run was going on."""

    run: str
    request_id: str
    at: float
    version: str
    environment: str
    message: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """How often something was seen since it was last written down, in one version and environment."""

    project: str
    worker: str
    environment: str
    version: str
    kind: ErrorKind
    name: str
    message: str
    stack: str = ""
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    overflow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One error, as it happened. `seen`: how often it was since the last look of whoever writes down."""

    record: RunRecord | LineRecord | DeathRecord
    kind: ErrorKind
    name: str
    message: str
    stack: str
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRef:
    """A version by its id, and the number that people say; 0 where it is not known any more."""

    id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Errors that belong together. Times are Unix times in seconds."""

    id: str
    project: str
    worker: str
    kind: ErrorKind
    name: str
    message: str
    """Of the newest one."""
    top: Frame | None
    """Where it was thrown: the innermost frame of the user's own."""
    state: ErrorState
    ignored_until: float | None
    resolved_at: float | None
    regressed_at: float | None
    changed_by: str
    first_seen: float
    last_seen: float
    count: int
    first_version: VersionRef
    last_version: VersionRef
    environments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A group that is new or back, with no more than what tells of it."""

    id: str
    project: str
    worker: str
    name: str
    message: str
    state: ErrorState
    at: float
    """Since when it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of a group in one version and environment."""

    version: VersionRef
    environment: str
    first_seen: float
    last_seen: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A group with all that is kept of it. `stack_version` is the version that the stack is of."""

    group: Group
    stack: str
    stack_version: VersionRef
    seen: tuple[Seen, ...]
    samples: tuple[Sample, ...]
    """Newest first; the first one of all is the last."""
    hours: tuple[tuple[int, int], ...]
    """Hours since 1970 and how often then, oldest first, those without any left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which groups are wanted; None or empty: any."""

    states: tuple[ErrorState, ...] = ()
    worker: str | None = None
    environment: str | None = None
    version: str | None = None
    """An id, or a number: `3`, `v3`."""
    kind: ErrorKind | None = None
    text: str | None = None


class ErrorSort(StrEnum):
    """What a list begins with: the one seen last, the newest, the most frequent."""

    LAST_SEEN = "last_seen"
    FIRST_SEEN = "first_seen"
    COUNT = "count"
