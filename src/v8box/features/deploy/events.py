"""What the deploy of a folder tells whoever shows it: the terminal, later the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v8box.catalog import Version


@dataclass(frozen=True, slots=True)
class Subject:
    """What a deploy is of: a worker, a site, or (neither is named) several workers of the project."""

    project: str
    worker: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the served folder. Line and column count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class DeployStarted:
    """A worker is new or changed and is being bundled."""

    worker: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """A version went live, `milliseconds` after the change was noticed."""

    worker: str
    version: Version
    milliseconds: float
    warnings: tuple[str, ...] = ()
    """What is worth saying though nothing is wrong: a variable that is not set yet."""


@dataclass(frozen=True, slots=True)
class DeployFailed:
    """A worker could not be deployed. The version that was live, if there was one, still is."""

    worker: str
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


@dataclass(frozen=True, slots=True)
class Removed:
    """A worker's file is gone, and its route with it."""

    worker: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the folder that is no worker and cannot become one as it is: a bad name, a broken v8box.toml."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


DeployEvent = DeployStarted | Deployed | DeployFailed | Removed | Problem
Listener = Callable[[DeployEvent], None]
