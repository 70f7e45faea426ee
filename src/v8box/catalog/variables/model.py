"""The records of variables: the level one is set at, a variable, its versions, and what a worker gets in the end.

Values of secrets are in none of them: only `resolve` gives those, to the start of a sandbox.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from v8box.catalog.deployments import check_environment, check_project
from v8box.catalog.manifest import check_worker_name
from v8box.errors import BadRequest, NotFound, V8BoxError

MAX_LEVEL_BYTES: Final = 1024 * 1024
"""Of all values of one level: four of them and a manifest go to a process in one message."""
MAX_PER_PROJECT: Final = 5_000
MAX_LEVELS: Final = 2_000
KEPT_VERSIONS: Final = 20


class BadVariables(BadRequest):
    """Some of these variables cannot be set; nothing was changed."""

    code = "bad_variables"

    def __init__(self, faults: list[str]) -> None:
        more = f"; and {len(faults) - 20} more" if len(faults) > 20 else ""
        super().__init__(f"Nothing was changed: {'; '.join(faults[:20])}{more}")
        self.faults = faults


class TooManyVariables(V8BoxError):
    """There are too many variables; delete some."""

    status = 422
    code = "too_many_variables"

    def __init__(self, limit: int, used: int, what: str) -> None:
        super().__init__(f"{what} at most {limit}, and this would make it {used}. Nothing was changed.")
        self.limit = limit
        self.used = used


class VariableNotFound(NotFound):
    """There is no such variable at this level."""

    code = "variable_not_found"


class VariableUnreadable(V8BoxError):
    """A variable cannot be opened: catalog.db was damaged. Set it again."""

    status = 503
    code = "variable_unreadable"


class VariablesUnavailable(V8BoxError):
    """The worker's variables cannot be had, so it does not start; the box's log says why."""

    status = 503
    code = "variables_unavailable"


@dataclass(frozen=True, slots=True, order=True)
class Level:
    """Where a variable is set: for a project or one of its workers, in all environments or in one."""

    project: str
    environment: str = ""
    """Empty: every environment."""
    worker: str = ""
    """Empty: every worker of the project."""

    @classmethod
    def of(cls, project: str, environment: str | None = None, worker: str | None = None) -> Level:
        """Raises `BadRequest` for what are no names."""
        check_project(project)
        if environment is not None:
            check_environment(environment)
        if worker is not None:
            check_worker_name(worker)
        return cls(project, environment or "", worker or "")

    @property
    def key(self) -> dict[str, str]:
        return {"project": self.project, "environment": self.environment, "worker": self.worker}

    @property
    def rank(self) -> int:
        """Higher wins: all that is a worker's over all that is its project's, one environment over every one."""
        return 2 * bool(self.worker) + bool(self.environment)

    @property
    def words(self) -> str:
        whose = f"the worker {self.worker}" if self.worker else f"the project {self.project}"
        return f"{whose}, in {self.environment or 'every environment'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable at one level."""

    level: Level
    name: str
    secret: bool
    version: int
    value: str | None = field(repr=False)
    """None for a secret."""
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueVersion:
    """One value that a variable had, or has."""

    version: int
    secret: bool
    value: str | None = field(repr=False)
    created_at: datetime
    created_by: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewValue:
    """A value to be set. `secret` None: as it is; a new one is then a plain variable."""

    value: str = field(repr=False)
    secret: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change did: the level's revision after it, and the names."""

    revision: int
    set: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a sandbox starts with: the variables, and which of their values are secret."""

    values: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What a worker gets in an environment under one name, and what it would get otherwise. Sources are `manifest`,
    `project`, `project/<environment>`, `vault`, `worker`, `worker/<environment>`."""

    name: str
    secret: bool
    value: str | None = field(repr=False)
    source: str | None
    """None: nobody has set it, though the manifest names it."""
    overrides: tuple[str, ...]
    """The sources that it wins over, the strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the manifest of a worker says of its variables: values, and names that somebody else is to set."""

    env: Mapping[str, str]
    required: Collection[str] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, value in self.env.items() if value == "") | frozenset(self.required)
