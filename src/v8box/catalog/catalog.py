"""What is deployed: the one place that changes it, and the snapshot of what is live that the gateway reads.

A deploy stores the bytes, then the version and the pointers in one transaction, then swaps the snapshot. A crash
between any two leaves what was live before. The gateway reads `routes`; who keeps processes follows with `subscribe`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from v8box.catalog.deployments import (
    LOOKED_AT,
    Also,
    Move,
    Shares,
    Where,
    apply,
    check_environment,
    check_shares,
    check_sticky,
    earlier,
    known,
    next_generation,
    read_changes,
    read_deployment,
    read_deployments,
    read_history,
    unpoint,
)
from v8box.catalog.held import Arrived, WorkerInUse, holders
from v8box.catalog.listing import Listing
from v8box.catalog.manifest import check_worker_name
from v8box.catalog.model import (
    DEFAULT_PROJECT,
    PRODUCTION,
    Build,
    Change,
    Deployment,
    HeldVersion,
    HistoryEntry,
    Manifest,
    Route,
    RouteTable,
    Share,
    Version,
    WorkerChange,
    WorkerSummary,
    place,
    route_key,
)
from v8box.catalog.snapshot import Revision, Snapshot, Subscriber
from v8box.catalog.stored import encode, integer, read_fingerprint, read_summary, read_version
from v8box.catalog.versions import Versions, add_version, check_message
from v8box.errors import BadRequest, NotFound
from v8box.kit.tasks import to_its_end
from v8box.storage import Blobs, Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import FOLDER, Actor

_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.catalog")

Quota = Callable[[str], int | None]
"""How many workers a project may have; None: any number."""


def _no_variables(_project: str, _environment: str, _worker: str) -> int:
    return 0


def _no_quota(_project: str) -> int | None:
    return None


class Catalog:
    """The workers of every project and environment."""

    def __init__(self, database: Database, blobs: Blobs, revision: Revision, quota: Quota) -> None:
        self.versions = Versions(database, blobs)
        self.listing = Listing(database)
        self._database = database
        self._blobs = blobs
        self._live = Snapshot(revision)
        self._revision = revision
        self._quota = quota
        self._fingerprints: dict[str, Mapping[str, str]] = {}
        self._changing = asyncio.Lock()

    @classmethod
    async def open(
        cls, database: Database, blobs: Blobs, *, revision: Revision = _no_variables, quota: Quota = _no_quota
    ) -> Catalog:
        """Bring the tables up to date and load what is live. A live version whose bundle is lost is left out."""
        await audit.open_audit(database)
        await database.migrate("catalog", load_migrations("v8box.catalog"))
        catalog = cls(database, blobs, revision, quota)
        await catalog.reload()
        return catalog

    # ---- the snapshot

    @property
    def routes(self) -> RouteTable:
        """The current snapshot. Reading it costs nothing and never waits."""
        return self._live.routes

    def fingerprint(
        self, worker: str, project: str = DEFAULT_PROJECT, environment: str = PRODUCTION
    ) -> Mapping[str, str]:
        """What the newest build for this place depended on; empty when it did not come from a folder."""
        return self._fingerprints.get(route_key(project, worker, environment), {})

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """As `Snapshot.subscribe`."""
        return self._live.subscribe(subscriber)

    def hold(self, held: Mapping[str, HeldVersion]) -> None:
        """As `Snapshot.hold`."""
        self._live.hold(held)

    def live_at_sites(self, project: str, worker: str) -> set[str]:
        """As `Snapshot.live_at_sites`."""
        return self._live.live_at_sites(project, worker)

    async def reload(self) -> None:
        """Read what is live from the database, as at start, or after another node changed it."""
        async with self._changing:
            rows, generation = await self._database.read(
                lambda sql: (sql.rows(_queries["live"]), sql.rows(_queries["generation"]))
            )
            routes: dict[str, Route] = {}
            self._fingerprints.clear()
            for _, shares in groupby(rows, key=lambda row: (row[4], row[0], row[5])):
                await self._read_route(list(shares), routes)
            self._live.swap(routes, integer(generation[0][0]))

    async def _read_route(self, rows: Sequence[Row], routes: dict[str, Route]) -> None:
        """The route of the rows of one deployment. A version whose bundle is lost has no share; the other of two has
        all then."""
        shares: list[Share] = []
        for environment, weight, _, _, *row in rows:
            version = read_version(tuple(row))
            if not await self._blobs.has(version.bundle_hash):
                _log.error("worker %s: the bundle of version %s is lost", version.worker, version.id)
                continue
            revision = self._revision(version.project, str(environment), version.worker)
            shares.append(Share(place(version, str(environment), revision), integer(weight)))
        if not shares:
            return
        if len(shares) < len(rows):
            shares = [Share(shares[0].placement, 100)]
        newest = shares[-1].placement
        key = route_key(newest.project, newest.worker, newest.environment)
        routes[key] = Route(
            project=newest.project,
            worker=newest.worker,
            environment=newest.environment,
            shares=tuple(shares),
            sticky=str(rows[-1][2]),
        )
        self._fingerprints[key] = read_fingerprint(str(rows[-1][3]))

    async def refresh_variables(self) -> None:
        """Variables changed: what is live with others than now gets sandboxes of its own."""
        await to_its_end(self._refresh())

    async def _refresh(self) -> None:
        async with self._changing:
            if any(self._live.placed_again(route) is not route for route in self.routes.workers.values()):
                generation = await self._database.write(next_generation)
                routes = {key: self._live.placed_again(route) for key, route in self.routes.workers.items()}
                self._live.swap(routes, generation)

    # ---- changes

    async def store(
        self,
        worker: str,
        build: Build,
        manifest: Manifest,
        *,
        project: str = DEFAULT_PROJECT,
        actor: Actor,
        message: str = "",
    ) -> Version:
        """Keep `build` as a version that is not live anywhere. The same content again is the same version."""
        check_worker_name(worker)
        text = check_message(message)
        version = await self.versions.make(project, worker, build, manifest)

        def write(sql: Transaction) -> Version:
            kept = add_version(sql, version, actor, text, len(build.bundle), self._quota(project))
            if kept.created_at == version.created_at:  # else the same content was there before
                event = audit.Event(
                    action="version.create",
                    resource=f"worker/{worker}/version/{kept.id}",
                    project=project,
                    actor=actor,
                    after={"number": kept.number, "message": text},
                )
                audit.append(sql, event)
            return kept

        return await to_its_end(self._database.write(write))

    async def arrive(self, project: str, worker: str, build: Build, manifest: Manifest) -> Arrived:
        """The bytes of a version that a site's release will hold; it is written down with the release."""
        check_worker_name(worker)
        version = await self.versions.make(project, worker, build, manifest)
        return Arrived(version, len(build.bundle), self._quota(project))

    async def deploy(
        self,
        worker: str,
        build: Build,
        manifest: Manifest,
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        actor: Actor = FOLDER,
        message: str = "",
        expected: int | None = None,
    ) -> Version:
        """Make `build` the live version of `worker`. The same content as the live version changes nothing. Raises
        `DeploymentChanged`."""
        (version,) = (
            await self.deploy_all(
                {worker: (build, manifest)},
                project=project,
                environment=environment,
                actor=actor,
                message=message,
                expected=expected,
            )
        ).values()
        return version

    async def deploy_all(
        self,
        builds: Mapping[str, tuple[Build, Manifest]],
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        actor: Actor,
        message: str = "",
        expected: int | None = None,
    ) -> dict[str, Version]:
        """Make several workers' builds live, all of them or none. Gives the version of each. Raises as `deploy`."""
        check_environment(environment)
        text = check_message(message)
        for worker in builds:
            check_worker_name(worker)
        arrivals: list[_Arrival] = []
        for worker, (build, manifest) in builds.items():
            version = await self.versions.make(project, worker, build, manifest)
            move = Move(
                change=Change.DEPLOYED, shares=((version.id, 100),), actor=actor, message=text, expected=expected
            )
            where = Where(project=project, environment=environment, worker=worker)
            arrivals.append(_Arrival(where, version, build, move, self._quota(project)))
        return await to_its_end(self._go_live(arrivals))

    async def _go_live(self, arrivals: Sequence[_Arrival]) -> dict[str, Version]:
        async with self._changing:
            served = {arrival.key: self.routes.workers.get(arrival.key) for arrival in arrivals}

            def write(sql: Transaction) -> list[tuple[Version, int | None]]:
                return [arrival.land(sql, served[arrival.key]) for arrival in arrivals]

            landed = await self._database.write(write)
            routes = dict(self.routes.workers)
            for arrival, (kept, generation) in zip(arrivals, landed, strict=True):
                self._fingerprints[arrival.key] = dict(arrival.build.fingerprint)
                if generation is not None:
                    before = served[arrival.key]
                    sticky = before.sticky if before else ""
                    routes[arrival.key] = self._live.placed(arrival.where, ((kept, 100),), sticky)
            changes = [generation for _, generation in landed if generation is not None]
            if changes:
                self._live.swap(routes, changes[-1])
            return {arrival.where.worker: kept for arrival, (kept, _) in zip(arrivals, landed, strict=True)}

    async def set_shares(
        self,
        worker: str,
        shares: Sequence[tuple[str, int]],
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        change: Change = Change.SPLIT,
        actor: Actor,
        message: str = "",
        sticky: str | None = None,
        expected: int | None = None,
        also: Also | None = None,
    ) -> Deployment:
        """Make these versions live with these per cents; of two the one with the smaller number is the older. `also`
        is written in the same transaction. Raises `BadRequest`, `NotFound`, `DeploymentChanged`."""
        where = Where(project=project, environment=check_environment(environment), worker=check_worker_name(worker))
        move = Move(
            change=change,
            shares=check_shares(shares),
            actor=actor,
            message=check_message(message),
            sticky=None if sticky is None else check_sticky(sticky),
            expected=expected,
            also=also,
        )
        return await to_its_end(self._move(where, move))

    async def _move(self, where: Where, move: Move) -> Deployment:
        key = route_key(where.project, where.worker, where.environment)
        async with self._changing:
            found = [(await self.versions.get(where.project, where.worker, id_), weight) for id_, weight in move.shares]
            found.sort(key=lambda share: share[0].number)  # so that the keys of callers move one way only
            move = replace(move, shares=tuple((version.id, weight) for version, weight in found))
            for version, _ in found:
                if not await self._blobs.has(version.bundle_hash):
                    raise NotFound(f"The bundle of v{version.number} is lost: deploy it again from its sources")
            fingerprint = self._fingerprints.get(key, {})

            def write(sql: Transaction) -> tuple[Deployment, int]:
                generation = apply(sql, where, move, fingerprint)
                return known(sql, where), generation

            deployment, generation = await self._database.write(write)
            self._fingerprints[key] = fingerprint
            route = self._live.placed(where, found, deployment.sticky)
            self._live.swap({**self.routes.workers, key: route}, generation)
            return deployment

    async def roll_back(
        self,
        worker: str,
        to: str | None = None,
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        actor: Actor,
        message: str = "",
        expected: int | None = None,
    ) -> Deployment:
        """Go back to the version that `to` means, or to what was live before the present state. Raises `NotFound`."""
        if to is not None:
            version = await self.versions.find(project, worker, to)
            shares: Shares = ((version.id, 100),)
        else:
            shares = await self._live_before(worker, project, environment)
        return await self.set_shares(
            worker,
            shares,
            project=project,
            environment=environment,
            change=Change.ROLLED_BACK,
            actor=actor,
            message=message,
            expected=expected,
        )

    async def _live_before(self, worker: str, project: str, environment: str) -> Shares:
        """What was live by itself before the present state. Going back twice goes back two states."""
        entries = await self.history(worker, project=project, environment=environment, limit=LOOKED_AT)
        for version in earlier(entries):
            try:
                await self.versions.get(project, worker, version)
            except NotFound:
                continue  # retention took it
            return ((version, 100),)
        raise NotFound(f"{worker} has no earlier version in {environment} to go back to")

    async def promote(
        self,
        worker: str,
        *,
        source: str,
        target: str = PRODUCTION,
        project: str = DEFAULT_PROJECT,
        actor: Actor,
        message: str = "",
        expected: int | None = None,
    ) -> Deployment:
        """Make the newest version of one environment live in another, the same bytes. Raises `NotFound`."""
        if source == target:
            raise BadRequest("Promoting goes from one environment to another")
        live = self.routes.live(worker, project, source)
        if live is None:
            raise NotFound(f"{worker} is not live in {source[:40]}")
        return await self.set_shares(
            worker,
            [(live.id, 100)],
            project=project,
            environment=target,
            change=Change.PROMOTED,
            actor=actor,
            message=message,
            expected=expected,
        )

    async def remove(
        self,
        worker: str,
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        actor: Actor = FOLDER,
        expected: int | None = None,
    ) -> bool:
        """Take the worker off the routes. Its versions stay. Tells whether it was there."""
        where = Where(project=project, environment=environment, worker=worker)
        return await to_its_end(self._remove(where, actor, expected))

    async def _remove(self, where: Where, actor: Actor, expected: int | None) -> bool:
        key = route_key(where.project, where.worker, where.environment)
        async with self._changing:
            generation = await self._database.write(lambda sql: unpoint(sql, where, actor, expected))
            self._fingerprints.pop(key, None)
            if generation is not None:
                self._live.swap({name: route for name, route in self.routes.workers.items() if name != key}, generation)
            return generation is not None

    async def delete_worker(self, worker: str, *, project: str = DEFAULT_PROJECT, actor: Actor) -> None:
        """Take the worker off every environment and forget its versions. Raises `NotFound`."""
        await to_its_end(self._delete_worker(project, worker, actor))

    async def _delete_worker(self, project: str, worker: str, actor: Actor) -> None:
        key = {"project": project, "worker": worker}

        def write(sql: Transaction) -> int:
            deployments = read_deployments(sql, project, worker)
            if not sql.rows(_queries["version_infos"], {**key, "id": None, "before": 1 << 62, "limit": 1}):
                raise NotFound(f"There is no worker called {worker}.")
            if sites := holders(sql, project, worker):
                raise WorkerInUse(worker, sites)
            for each in deployments:
                unpoint(sql, Where(project=project, environment=each.environment, worker=worker), actor, None)
            sql.execute(_queries["forget_worker_tags"], key)
            sql.execute(_queries["delete_tags_of_worker"], key)
            sql.execute(_queries["delete_versions_of_worker"], key)
            audit.append(
                sql, audit.Event(action="worker.delete", resource=f"worker/{worker}", project=project, actor=actor)
            )
            return next_generation(sql)

        async with self._changing:
            generation = await self._database.write(write)
            gone = {
                name
                for name, route in self.routes.workers.items()
                if (route.project, route.worker) == (project, worker)
            }
            for name in gone:
                self._fingerprints.pop(name, None)
            self._live.swap(
                {name: route for name, route in self.routes.workers.items() if name not in gone}, generation
            )

    # ---- reading

    async def deployment(
        self, worker: str, *, project: str = DEFAULT_PROJECT, environment: str = PRODUCTION
    ) -> Deployment | None:
        where = Where(project=project, environment=environment, worker=worker)
        return await self._database.read(lambda sql: read_deployment(sql, where))

    async def deployments(self, worker: str, *, project: str = DEFAULT_PROJECT) -> Sequence[Deployment]:
        """Of all environments."""
        return await self._database.read(lambda sql: read_deployments(sql, project, worker))

    async def history(
        self,
        worker: str,
        *,
        project: str = DEFAULT_PROJECT,
        environment: str = PRODUCTION,
        limit: int = 100,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """What happened to the worker there, newest first; `before`: only what is older than the entry of this id."""
        where = Where(project=project, environment=environment, worker=worker)
        return await self._database.read(lambda sql: read_history(sql, where, limit, before))

    async def changes(
        self,
        project: str,
        since: datetime,
        until: datetime,
        *,
        worker: str | None = None,
        environment: str | None = None,
        limit: int = 200,
    ) -> list[WorkerChange]:
        """What happened to the project's workers, or to one, in a stretch of time, newest first."""

        def read(sql: Transaction) -> list[WorkerChange]:
            return read_changes(sql, project, since, until, worker=worker, environment=environment, limit=limit)

        return await self._database.read(read)

    async def workers(self, project: str | None = None) -> Sequence[WorkerSummary]:
        """Every worker that has a version, by name."""
        rows = await self._database.read(lambda sql: sql.rows(_queries["workers"], {"project": project}))
        return [read_summary(row) for row in rows]

    async def worker(self, project: str, name: str) -> WorkerSummary | None:
        """One of them."""
        key = {"project": project, "worker": name}
        row = await self._database.read(lambda sql: sql.row(_queries["worker"], key))
        return None if row is None else read_summary(row)

    # For the pool and the folder's deploys.

    async def bundle(self, version: Version) -> bytes:
        """The ES module. Raises `BlobMissing` when the store lost it."""
        return await self.versions.bundle(version)

    async def source_map(self, version: Version) -> bytes | None:
        """The source map of the bundle: JSON, version 3."""
        return await self.versions.source_map(version)

    async def lock(self, version: Version) -> bytes | None:
        """The dependencies as they were resolved for this version, in the form of a deno.lock."""
        return await self.versions.lock(version)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A build on its way to where it goes live."""

    where: Where
    version: Version
    build: Build
    move: Move
    quota: int | None

    @property
    def key(self) -> str:
        return route_key(self.where.project, self.where.worker, self.where.environment)

    def land(self, sql: Transaction, served: Route | None) -> tuple[Version, int | None]:
        """In the transaction. Gives the version as it is kept, and the new generation, None when nothing changed."""
        bundle_bytes = len(self.build.bundle)
        kept = add_version(sql, self.version, self.move.actor, self.move.message, bundle_bytes, self.quota)
        before = read_deployment(sql, self.where)
        pointed = before is not None and before.shares == ((kept.id, 100),)
        shown = served is not None and [share.placement.id for share in served.shares] == [kept.id]
        fingerprint = dict(self.build.fingerprint)
        if not (pointed and shown) or self.move.expected is not None:
            return kept, apply(sql, self.where, self.move, fingerprint)
        pointer = {"fingerprint": encode(fingerprint).decode()}
        sql.execute(_queries["note_fingerprint"], {**self.where.key, **pointer})
        return kept, None
