"""What was purged, and when: a purge writes a number down and looks at no entry.

An entry knows the moment at which it was asked for, so what was on its way during a purge does not survive it. Each
entry is compared once after a purge, when it is used. More purges than are remembered become one of the whole project.
"""

from __future__ import annotations

from typing import Final

from v8box.gateway.cache.entries import Belongs, Owner

MAX_REMEMBERED: Final = 4_096
MAX_PREFIXES: Final = 256


class _Project:
    """The purges of one project, as the moment of the last of each. An owner of None: whoever's they are."""

    __slots__ = ("everything", "groups", "owners", "paths", "prefixes", "tags")

    def __init__(self) -> None:
        self.everything = 0
        self.owners: dict[Owner, int] = {}
        self.groups: dict[str, int] = {}
        self.tags: dict[tuple[Owner | None, str], int] = {}
        self.paths: dict[tuple[Owner | None, str], int] = {}
        self.prefixes: dict[tuple[Owner | None, str], int] = {}

    def bound(self, moment: int) -> None:
        known = len(self.owners) + len(self.groups) + len(self.tags) + len(self.paths)
        if known > MAX_REMEMBERED or len(self.prefixes) > MAX_PREFIXES:
            self.forget(moment)

    def forget(self, moment: int) -> None:
        for each in (self.owners, self.groups, self.tags, self.paths, self.prefixes):
            each.clear()
        self.everything = moment

    def last(self, what: Belongs) -> int:
        """The moment of the last purge that concerns this."""
        owner, group, path, tags = what
        last = max(self.everything, self.owners.get(owner, 0), self.groups.get(group, 0))
        if self.paths:
            last = max(last, self.paths.get((None, path), 0), self.paths.get((owner, path), 0))
        if self.tags:
            for tag in tags:
                last = max(last, self.tags.get((None, tag), 0), self.tags.get((owner, tag), 0))
        for (whose, prefix), moment in self.prefixes.items():
            if moment > last and whose in (None, owner) and path.startswith(prefix):
                last = moment
        return last


class Purges:
    """All purges of the box."""

    def __init__(self) -> None:
        self.moment = 1
        self._projects: dict[str, _Project] = {}

    def concerns(self, what: Belongs, born: int) -> bool:
        """Whether what was asked for at the moment `born` has been purged since."""
        project = self._projects.get(what.owner.project)
        return project is not None and project.last(what) > born

    def everything(self, project: str) -> None:
        known, moment = self._next(project)
        known.forget(moment)

    def owner(self, owner: Owner) -> None:
        known, moment = self._next(owner.project)
        known.owners[owner] = moment
        known.bound(moment)

    def group(self, project: str, group: str) -> None:
        known, moment = self._next(project)
        known.groups[group] = moment
        known.bound(moment)

    def tag(self, project: str, owner: Owner | None, tag: str) -> None:
        known, moment = self._next(project)
        known.tags[owner, tag] = moment
        known.bound(moment)

    def path(self, project: str, owner: Owner | None, path: str) -> None:
        known, moment = self._next(project)
        known.paths[owner, path] = moment
        known.bound(moment)

    def prefix(self, project: str, owner: Owner | None, prefix: str) -> None:
        known, moment = self._next(project)
        known.prefixes[owner, prefix] = moment
        known.bound(moment)

    def _next(self, project: str) -> tuple[_Project, int]:
        self.moment += 1
        return self._projects.setdefault(project, _Project()), self.moment
