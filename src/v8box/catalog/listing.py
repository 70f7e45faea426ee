"""The workers of a project as lists show them, and the tags that people put on workers.

A list of a thousand is read with a query for each table, not with some for each worker. Tags belong to a worker, not to
a version: they are no part of the manifest, changing one deploys nothing, and a rollback leaves them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from v8box.catalog.model import Deployment, WorkerSummary
from v8box.catalog.stored import encode, integer, read_summary
from v8box.errors import BadRequest, NotFound
from v8box.storage import Database, Row, Transaction, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor

_queries: Final = load_queries("v8box.catalog")

MAX_TAGS: Final = 20
TAG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(slots=True)
class Entry:
    """What a list filters and orders workers by."""

    worker: str
    tags: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    deployed_at: datetime | None = None
    held: bool = False
    """Whether a release of a site has it as a function."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows of a worker; `summary` is None when it has no version."""

    summary: WorkerSummary | None
    deployments: Sequence[Deployment]
    sites: Sequence[str]
    tags: Sequence[str]


Check = Callable[[Sequence[str]], None]
"""Gets the tags as they are before a change, and raises what forbids it."""


class Listing:
    """All workers that have a version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self, project: str) -> dict[str, Entry]:
        """All of a project, by name."""
        return await self._database.read(lambda sql: _entries(sql, project))

    async def look_up(self, project: str, workers: Iterable[str]) -> Mapping[str, Listed]:
        """Each of these, also when there is no such worker."""
        names = list(workers)
        return await self._database.read(lambda sql: _look_up(sql, project, names))

    async def tags(self, project: str) -> dict[str, int]:
        """Every tag of a project, and how many workers have it."""
        rows = await self._database.read(lambda sql: sql.rows(_queries["count_worker_tags"], {"project": project}))
        return {str(tag): integer(count) for tag, count in rows}

    async def set_tags(
        self, project: str, worker: str, tags: Iterable[str], actor: Actor, check: Check | None = None
    ) -> None:
        """All the tags of one worker. Raises `BadRequest`, `NotFound`, and what `check` raises."""
        wanted = _check_tags(tags)

        def write(sql: Transaction) -> None:
            before = _tags(sql, project, worker)
            if check is not None:
                check(before)
            _tag(sql, project, worker, wanted, actor)

        await self._database.write(write)

    async def change_tags(
        self, project: str, workers: Iterable[str], *, add: Iterable[str], remove: Iterable[str], actor: Actor
    ) -> None:
        """Puts tags on several workers and takes others off: on all, or on none. Raises `BadRequest`,
        `NotFound`."""
        added, removed = _check_tags(add), set(remove)
        names = list(dict.fromkeys(workers))

        def write(sql: Transaction) -> None:
            for worker in names:
                kept = [tag for tag in _tags(sql, project, worker) if tag not in removed]
                _tag(sql, project, worker, _check_tags([*kept, *added]), actor)

        await self._database.write(write)


def _check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(sorted(set(tags)))
    if len(wanted) > MAX_TAGS:
        raise BadRequest(f"A worker has up to {MAX_TAGS} tags: take one off first")
    for tag in wanted:
        if not TAG.fullmatch(tag):
            raise BadRequest(
                f"{tag[:63]!r} is no tag: a-z, 0-9, dot, dash and underscore, 63 at most, first a letter or digit"
            )
    return wanted


def _tag(sql: Transaction, project: str, worker: str, tags: Sequence[str], actor: Actor) -> None:
    key = {"project": project, "worker": worker}
    if sql.row(_queries["worker"], key) is None:
        raise NotFound(f"There is no worker called {worker[:63]} in this project, or it was never deployed.")
    before = _tags(sql, project, worker)
    if before == list(tags):
        return
    for tag in set(before) - set(tags):
        sql.execute(_queries["remove_worker_tag"], {**key, "tag": tag})
    for tag in set(tags) - set(before):
        sql.execute(_queries["add_worker_tag"], {**key, "tag": tag})
    event = audit.Event(
        action="worker.tag",
        resource=f"worker/{worker}",
        project=project,
        actor=actor,
        before={"tags": before},
        after={"tags": list(tags)},
    )
    audit.append(sql, event)


def _tags(sql: Transaction, project: str, worker: str) -> list[str]:
    return [str(tag) for (tag,) in sql.rows(_queries["worker_tags"], {"project": project, "worker": worker})]


def _entries(sql: Transaction, project: str) -> dict[str, Entry]:
    key = {"project": project}
    found = {str(name): Entry(str(name)) for (name,) in sql.rows(_queries["worker_names"], key)}
    for worker, tag in sql.rows(_queries["entry_tags"], key):
        if (entry := found.get(str(worker))) is not None:
            entry.tags.append(str(tag))
    for worker, environment, changed_at in sql.rows(_queries["entry_deployments"], key):
        if (entry := found.get(str(worker))) is not None:
            entry.environments.append(str(environment))
            at = datetime.fromisoformat(str(changed_at))
            entry.deployed_at = at if entry.deployed_at is None else max(at, entry.deployed_at)
    for (worker,) in sql.rows(_queries["entry_holders"], key):
        if (entry := found.get(str(worker))) is not None:
            entry.held = True
    return found


def _look_up(sql: Transaction, project: str, names: Sequence[str]) -> dict[str, Listed]:
    key = {"project": project, "names": encode(names).decode()}
    summaries = {str(row[1]): read_summary(row) for row in sql.rows(_queries["summaries_of"], key)}
    tags, sites = _by_worker(sql.rows(_queries["tags_of"], key)), _by_worker(sql.rows(_queries["holders_of"], key))
    shares: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for worker, environment, *share in sql.rows(_queries["shares_of"], key):
        shares[str(worker), str(environment)].append(tuple(share))
    deployments: dict[str, list[Deployment]] = defaultdict(list)
    for worker, environment, number, sticky, changed_at, changed_by in sql.rows(_queries["deployments_of"], key):
        parts = shares[str(worker), str(environment)]
        deployments[str(worker)].append(
            Deployment(
                project=project,
                worker=str(worker),
                environment=str(environment),
                number=integer(number),
                shares=tuple((str(version), integer(weight)) for version, weight, _ in parts),
                versions=tuple(integer(each) for *_, each in parts),
                sticky=str(sticky),
                changed_at=datetime.fromisoformat(str(changed_at)),
                changed_by=str(changed_by),
            )
        )
    return {name: Listed(summaries.get(name), deployments[name], sites[name], tags[name]) for name in names}


def _by_worker(rows: Iterable[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for worker, value in rows:
        found[str(worker)].append(str(value))
    return found
