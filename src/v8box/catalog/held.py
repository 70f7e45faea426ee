"""Versions of workers that a site's releases hold: the functions in the site's folder, each a worker of its own.

They are written down, held and let go in the transactions that make and remove releases (`sites`), so that a release
is never without its functions and nothing stays of one that was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.catalog.model import PREVIEW, PRODUCTION, HeldVersion, Version, held_key
from v8box.catalog.stored import read_version
from v8box.catalog.versions import add_version
from v8box.errors import V8BoxError
from v8box.storage import Transaction, Value, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor

_queries: Final = load_queries("v8box.catalog")


class WorkerInUse(V8BoxError):
    """The worker is a function of a site: delete its file there and deploy, or delete the site."""

    status = 409
    code = "worker_in_use"

    def __init__(self, worker: str, sites: Sequence[str]) -> None:
        where = ", ".join(sites)
        super().__init__(f"{worker} is a function of the site {where}: delete its file there, or delete the site.")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A version whose bytes are stored, and that is written down with the release that holds it."""

    version: Version
    bundle_bytes: int
    quota: int | None


def hold(sql: Transaction, site: str, release: int, arrived: Iterable[Arrived], actor: Actor, message: str) -> None:
    """Raises `CountQuotaExceeded`."""
    for each in arrived:
        kept = add_version(sql, each.version, actor, message, each.bundle_bytes, each.quota)
        if kept.created_at == each.version.created_at:  # else the same content was there before
            event = audit.Event(
                action="version.create",
                resource=f"worker/{kept.worker}/version/{kept.id}",
                project=kept.project,
                actor=actor,
                after={"number": kept.number, "site": site, "release": release},
            )
            audit.append(sql, event)
        _hold(sql, site, release, kept.project, kept.worker, kept.id)


def hold_same(sql: Transaction, site: str, release: int, other: int) -> None:
    """A release holds what another one of the site does."""
    for project, worker, version in sql.rows(_queries["held_by_release"], {"site": site, "release": other}):
        _hold(sql, site, release, str(project), str(worker), str(version))


def let_go(sql: Transaction, site: str, release: int | None, actor: Actor) -> list[tuple[str, str]]:
    """A release, or with None the whole site, needs its functions no more. Workers that nothing needs are removed;
    gives their projects and names."""
    key: dict[str, Value] = {"site": site, "release": release}
    workers = sorted({(str(row[0]), str(row[1])) for row in sql.rows(_queries["held_by_release"], key)})
    sql.execute(_queries["let_go"], key)
    gone = []
    for project, worker in workers:
        of_worker = {"project": project, "worker": worker}
        if not sql.rows(_queries["idle_worker"], of_worker):
            continue
        sql.execute(_queries["forget_worker_tags"], of_worker)
        sql.execute(_queries["delete_tags_of_worker"], of_worker)
        sql.execute(_queries["delete_versions_of_worker"], of_worker)
        event = audit.Event(action="worker.delete", resource=f"worker/{worker}", project=project, actor=actor)
        audit.append(sql, event)
        gone.append((project, worker))
    return gone


def read_held(sql: Transaction, known: Mapping[str, HeldVersion]) -> dict[str, HeldVersion]:
    """What all releases hold, by `held_key`: at previews each, and in production what live releases hold. A version
    never changes: those that are `known` are not read again."""
    found: dict[str, HeldVersion] = {}
    for project, worker, id_, live in sql.rows(_queries["held"]):
        where = {"project": str(project), "worker": str(worker), "id": str(id_)}
        keys = {name: held_key(where["project"], where["worker"], name, where["id"]) for name in (PREVIEW, PRODUCTION)}
        before = known.get(keys[PREVIEW])
        version = before.version if before is not None else _read(sql, where)
        found[keys[PREVIEW]] = before or HeldVersion(version, PREVIEW)
        if live:
            found[keys[PRODUCTION]] = HeldVersion(version, PRODUCTION)
    return found


def holders(sql: Transaction, project: str, worker: str) -> list[str]:
    """The sites whose releases hold versions of the worker."""
    key: dict[str, Value] = {"project": project, "worker": worker, "version": None}
    return [str(row[0]) for row in sql.rows(_queries["holders"], key)]


def _read(sql: Transaction, where: Mapping[str, str]) -> Version:
    row = sql.row(_queries["version"], where)
    if row is None:
        raise AssertionError("a version that is held stays")
    return read_version(row)


def _hold(sql: Transaction, site: str, release: int, project: str, worker: str, version: str) -> None:
    key: dict[str, Value] = {"project": project, "worker": worker, "version": version}
    sql.execute(_queries["hold"], {**key, "site": site, "release": release})
