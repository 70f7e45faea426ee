"""A project with what it uses and owns; and its removal with all of that, as an operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from v8box.api.operations import Operation, Operations, Progress
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.projects import DefaultProjectStays, Projects, ProjectState, Usage
from v8box.errors import V8BoxError
from v8box.features.projects.owned import Owned
from v8box.features.projects.room import Room
from v8box.telemetry.actors import Actor


class ProjectNotEmpty(V8BoxError):
    """The project owns things that would be deleted with it: say its name once more to confirm (?confirm=<name>)."""

    status = 409
    code = "project_not_empty"

    def __init__(self, owned: Mapping[str, int]) -> None:
        told = ", ".join(f"{count} {kind}" for kind, count in owned.items())
        super().__init__(f"The project owns {told}, which would be deleted with it: confirm with its name (?confirm=).")
        for kind, count in owned.items():
            setattr(self, kind, count)


class ProjectBusy(V8BoxError):
    """The project is being deleted already: its operation tells how far that is."""

    status = 409
    code = "project_deleting"


class ProjectService:
    """What the routes ask for."""

    def __init__(
        self, projects: Projects, usage: Usage, room: Room, operations: Operations, owned: Sequence[Owned]
    ) -> None:
        self.projects = projects
        self.usage = usage
        self.room = room
        self._operations = operations
        self._owned = owned
        self._deleting: set[str] = set()

    async def counts(self, name: str) -> dict[str, int]:
        """How many things of each kind the project owns."""
        return {each.kind: await each.count(name) for each in self._owned if each.count is not None}

    async def delete(self, name: str, confirm: str | None, actor: Actor) -> Operation:
        """Begins the removal. Raises `ProjectNotFound`, `DefaultProjectStays`, `ProjectNotEmpty`."""
        project = self.projects.get(name)
        if name == DEFAULT_PROJECT:
            raise DefaultProjectStays
        if confirm != name and project.state is ProjectState.ACTIVE:
            owned = {kind: count for kind, count in (await self.counts(name)).items() if count}
            if owned:
                raise ProjectNotEmpty(owned)
        if name in self._deleting:
            raise ProjectBusy
        self._deleting.add(name)
        try:
            await self.projects.begin_deletion(name, actor)
            return await self._operations.start("project.delete", name, actor, partial(self._delete, name, actor))
        except BaseException:
            self._deleting.discard(name)
            raise

    async def _delete(self, name: str, actor: Actor, progress: Progress) -> None:
        try:
            for done, each in enumerate(self._owned):
                progress.step(f"removing {each.kind}")
                progress.count(done, len(self._owned))
                await each.remove(name, actor)
            await self.projects.finish_deletion(name, actor)
        finally:
            self._deleting.discard(name)
