"""The projects of the box: made, changed, removed; all are in memory, so that asking for one waits for nothing.

What a project owns is elsewhere: each store knows the project of each of its things. Removing those first is for the
feature (`features/projects`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.projects.quotas import NAMES, UNBOUNDED, CountQuotaExceeded, Quotas
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.kit.names import PROJECT
from v8box.kit.times import now
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

MAX_PROJECTS: Final = 1_000
MAX_TITLE: Final = 100
MAX_QUOTA: Final = 2**53 - 1
RESERVED: Final = frozenset({"admin", "all", "api", "box", "db", "new", "root", "s3", "system", "v8box", "www"})
"""Names that mean something else where a project's name may stand, now or some day."""
queries: Final = load_queries("v8box.catalog.projects")


class ProjectNotFound(NotFound):
    """There is no project with this name."""

    code = "project_not_found"


class ProjectExists(V8BoxError):
    """There is a project with this name."""

    status = 409
    code = "project_exists"


class ProjectDeleting(V8BoxError):
    """The project is being deleted."""

    status = 409
    code = "project_deleting"


class DefaultProjectStays(V8BoxError):
    """The project `default` is always there: delete what is in it instead."""

    status = 409
    code = "default_project"


class TooManyProjects(V8BoxError):
    """The box has as many projects as it can have: delete one."""

    status = 409
    code = "too_many_projects"
    limit: ClassVar[int] = MAX_PROJECTS


class ProjectState(StrEnum):
    """Whether a project can be used."""

    ACTIVE = "active"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A tenant. `title` is for people; `own` are the quotas that it has instead of the settings'."""

    name: str
    title: str
    created_at: str
    own: Mapping[str, int | None] = field(default_factory=dict)
    state: ProjectState = ProjectState.ACTIVE


class Projects:
    """All of them. `open` it once the audit log is open."""

    def __init__(self, database: Database, defaults: Quotas) -> None:
        self._database = database
        self._defaults = defaults
        self._projects: dict[str, Project] = {}
        self._quotas: dict[str, Quotas] = {}
        self._lock = asyncio.Lock()
        self._subscribers: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, database: Database, defaults: Quotas = UNBOUNDED) -> Projects:
        """Brings the tables up to date and loads the projects. `defaults` are the quotas of a project that has none of
        its own; the project `default` has no bounds but its own."""
        await database.migrate("projects", load_migrations("v8box.catalog.projects"))
        projects = cls(database, defaults)
        for row in await database.read(lambda sql: sql.rows(queries["projects"])):
            projects._keep(_read(row))
        return projects

    # ---- asking: from memory

    def exists(self, name: str) -> bool:
        """Whether there is a project that can be used."""
        project = self._projects.get(name)
        return project is not None and project.state is ProjectState.ACTIVE

    def get(self, name: str) -> Project:
        """Also one that is being deleted. Raises `ProjectNotFound`."""
        project = self._projects.get(name)
        if project is None:
            raise ProjectNotFound(f"There is no project called {name[:63]}.")
        return project

    def all(self) -> Sequence[Project]:
        """By name."""
        return sorted(self._projects.values(), key=lambda project: project.name)

    def quotas(self, name: str) -> Quotas:
        """What counts for a project; of one that is not there, no bounds."""
        return self._quotas.get(name, UNBOUNDED)

    def check_room(self, name: str, quota: str, used: int) -> None:
        """Raises `CountQuotaExceeded` when a project that has `used` of something may not have one more. `quota` is
        `workers`, `databases`, `buckets`, `sites` or `variables`."""
        limit: int | None = getattr(self.quotas(name), quota)
        if limit is not None and used >= limit:
            raise CountQuotaExceeded(name, quota, limit, used)

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Calls `subscriber` after every change."""
        self._subscribers.append(subscriber)

    # ---- changing

    async def create(
        self, name: str, *, title: str = "", quotas: Mapping[str, int | None] | None = None, actor: Actor
    ) -> Project:
        """Raises `BadRequest`, `ProjectExists`, `TooManyProjects`."""
        if not PROJECT.fullmatch(name) or name in RESERVED:
            raise BadRequest(
                "A project's name has 1 to 40 of a-z, 0-9 and single dashes between them, and is none of "
                f"{', '.join(sorted(RESERVED))}."
            )
        project = Project(name=name, title=_title(title) or name, created_at=now(), own=_own(quotas or {}))
        async with self._lock:
            if name in self._projects:
                raise ProjectExists(f"There is a project called {name}.")
            if len(self._projects) >= MAX_PROJECTS:
                raise TooManyProjects
            row = (name, project.title, _encode(project.own), project.created_at)

            def write(sql: Transaction) -> None:
                sql.execute(queries["add_project"], row)
                append(sql, _event("project.create", project, actor, after=_shown(project)))

            await self._database.write(write)
            self._keep(project)
        return project

    async def change(
        self,
        name: str,
        *,
        title: str | None = None,
        quotas: Mapping[str, int | None] | None = None,
        actor: Actor,
        check: Callable[[Project], None] = lambda _: None,
    ) -> Project:
        """What is None stays; so do quotas that are not named. `check` sees the project first, and may raise."""
        async with self._lock:
            before = self._active(name)
            check(before)
            after = replace(
                before,
                title=before.title if title is None else _title(title) or name,
                own={**before.own, **_own(quotas or {})},
            )
            if after != before:
                await self._save("project.change", before, after, actor)
        return after

    async def begin_deletion(self, name: str, actor: Actor) -> Project:
        """From now on nobody can use it. May be called again when a deletion was interrupted."""
        async with self._lock:
            before = self.get(name)
            if name == DEFAULT_PROJECT:
                raise DefaultProjectStays
            after = replace(before, state=ProjectState.DELETING)
            if after != before:
                await self._save("project.begin_deletion", before, after, actor)
        return after

    async def finish_deletion(self, name: str, actor: Actor) -> None:
        """Removes the project itself. All that it owned is gone by now."""
        async with self._lock:
            project = self.get(name)

            def write(sql: Transaction) -> None:
                sql.execute(queries["remove_project"], {"name": name})
                sql.execute(queries["forget_usage_of_project"], {"project": name})
                append(sql, _event("project.delete", project, actor, before=_shown(project)))

            await self._database.write(write)
            self._projects.pop(name, None)
            self._quotas.pop(name, None)
            self._tell()

    def _active(self, name: str) -> Project:
        project = self.get(name)
        if project.state is ProjectState.DELETING:
            raise ProjectDeleting(f"The project {name} is being deleted.")
        return project

    async def _save(self, action: str, before: Project, after: Project, actor: Actor) -> None:
        row = {"name": after.name, "title": after.title, "quotas": _encode(after.own), "state": after.state}

        def write(sql: Transaction) -> None:
            sql.execute(queries["change_project"], row)
            append(sql, _event(action, after, actor, before=_shown(before), after=_shown(after)))

        await self._database.write(write)
        self._keep(after)

    def _keep(self, project: Project) -> None:
        self._projects[project.name] = project
        defaults = UNBOUNDED if project.name == DEFAULT_PROJECT else self._defaults
        self._quotas[project.name] = defaults.with_own(project.own)
        self._tell()

    def _tell(self) -> None:
        for subscriber in self._subscribers:
            subscriber()


def _title(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > MAX_TITLE or not text.isprintable():
        raise BadRequest(f"title: up to {MAX_TITLE} printable characters.")
    return text


def _own(quotas: Mapping[str, int | None]) -> dict[str, int | None]:
    for name, limit in quotas.items():
        if name not in NAMES:
            raise BadRequest(f"quotas: there is none called {name[:63]}; there are {', '.join(NAMES)}.")
        if limit is not None and not 0 <= limit <= MAX_QUOTA:
            raise BadRequest(f"quotas.{name}: a whole number from 0, or null for no bound.")
    return dict(quotas)


def _event(
    action: str, project: Project, actor: Actor, *, before: object | None = None, after: object | None = None
) -> Event:
    resource = f"project/{project.name}"
    return Event(action=action, resource=resource, project=project.name, actor=actor, before=before, after=after)


def _shown(project: Project) -> dict[str, object]:
    return {"title": project.title, "quotas": dict(project.own), "state": project.state}


def _read(row: Row) -> Project:
    name, title, quotas, state, created_at = map(str, row)
    own = {
        known: limit
        for known, limit in msgspec.json.decode(quotas, type=dict[str, int | None]).items()
        if known in NAMES  # one that an older version knew
    }
    return Project(name=name, title=title, created_at=created_at, own=own, state=ProjectState(state))


def _encode(own: Mapping[str, int | None]) -> str:
    return msgspec.json.encode(own).decode()
