"""What a change of a deployment does inside its transaction: check, move the pointers, write history and audit log.

The functions run in the database's thread and know nothing of the snapshot; `catalog` calls them and swaps it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from v8box.catalog.model import Change, Deployment, HistoryEntry, WorkerChange
from v8box.catalog.stored import encode, integer, read_shares
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.kit import names
from v8box.storage import Transaction, load_queries
from v8box.storage.database import Value
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor

Shares = tuple[tuple[str, int], ...]
"""Version ids with per cent, the older of two first."""

_STICKY: Final = re.compile(r"|ip|(header|cookie):[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_ENVIRONMENT: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NEWER_THAN_ALL: Final = 1 << 62
MAX_ENVIRONMENTS: Final = 100
LOOKED_AT: Final = 200
"""Changes of a deployment among which the state before is looked for."""
_queries: Final = load_queries("v8box.catalog")


class DeploymentChanged(V8BoxError):
    """Somebody else changed this deployment meanwhile. Look at it again, then decide."""

    status = 412
    code = "deployment_changed"


class TooManyEnvironments(V8BoxError):
    """The worker is in as many environments as there may be. Remove it from one that is not needed any more."""

    status = 409
    code = "too_many_environments"


Also = Callable[[Transaction, Deployment], None]
"""What else is written in the transaction of a change, with the deployment as it is then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One worker in one environment of its project."""

    project: str
    environment: str
    worker: str

    @property
    def key(self) -> dict[str, str]:
        return {"project": self.project, "environment": self.environment, "worker": self.worker}

    @property
    def resource(self) -> str:
        return f"worker/{self.worker}/deployment/{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A change to be made. `expected`: only if the deployment still has this number (0: only if there is none)."""

    change: Change
    shares: Shares
    actor: Actor
    message: str = ""
    sticky: str | None = None
    expected: int | None = None
    also: Also | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def check_environment(name: str) -> str:
    """The name, if it is one. It is a part of host names. Raises `BadRequest`."""
    if not _ENVIRONMENT.fullmatch(name) or "--" in name:
        raise BadRequest(
            "An environment's name is 1 to 32 of a-z, 0-9 and dash, and neither begins nor ends with a dash"
        )
    return name


def check_project(name: str) -> str:
    """The name, if it may be one. Raises `BadRequest`."""
    if not names.LABEL.fullmatch(name):
        raise BadRequest("A project's name is 1 to 63 of a-z, 0-9, dash and underscore")
    return name


def check_shares(shares: Sequence[tuple[str, int]]) -> Shares:
    """One version with 100, or two that make 100 together. A version with 0 is left out. Raises `BadRequest`."""
    kept = tuple((version, weight) for version, weight in shares if weight > 0)
    if len(kept) not in (1, 2) or len({version for version, _ in kept}) != len(kept):
        raise BadRequest("A deployment has one or two different versions")
    if sum(weight for _, weight in kept) != 100 or any(weight < 0 for _, weight in shares):
        raise BadRequest("The weights are whole per cents and make 100 together")
    return kept


def check_sticky(sticky: str) -> str:
    """Raises `BadRequest`."""
    if not _STICKY.fullmatch(sticky):
        raise BadRequest('sticky is empty, "ip", "header:<name>" or "cookie:<name>"')
    return sticky.lower() if sticky.startswith("header:") else sticky


def read_deployment(sql: Transaction, where: Where) -> Deployment | None:
    row = sql.row(_queries["deployment"], where.key)
    if row is None:
        return None
    number, sticky, changed_at, changed_by = row
    shares = sql.rows(_queries["shares"], where.key)
    return Deployment(
        project=where.project,
        worker=where.worker,
        environment=where.environment,
        number=integer(number),
        shares=tuple((str(version), integer(weight)) for version, weight, _ in shares),
        versions=tuple(integer(each) for *_, each in shares),
        sticky=str(sticky),
        changed_at=datetime.fromisoformat(str(changed_at)),
        changed_by=str(changed_by),
    )


def known(sql: Transaction, where: Where) -> Deployment:
    """The deployment that was just made."""
    deployment = read_deployment(sql, where)
    if deployment is None:
        raise AssertionError("the deployment was just made")
    return deployment


def read_deployments(sql: Transaction, project: str, worker: str) -> list[Deployment]:
    """Of all environments."""
    rows = sql.rows(_queries["deployments"], {"project": project, "worker": worker})
    found = (
        read_deployment(sql, Where(project=project, environment=str(environment), worker=worker))
        for environment, *_ in rows
    )
    return [deployment for deployment in found if deployment is not None]


def apply(sql: Transaction, where: Where, move: Move, fingerprint: Mapping[str, str]) -> int:
    """Moves the pointers, and gives the snapshot's new generation. Raises `DeploymentChanged`, `NotFound`."""
    before = read_deployment(sql, where)
    _check_expected(before, move.expected)
    if before is None:
        _check_room(sql, where)
    for version, _ in move.shares:
        if sql.row(_queries["version"], {"project": where.project, "worker": where.worker, "id": version}) is None:
            raise NotFound(f"{where.worker} has no version {version}: it was removed")
    sticky = move.sticky if move.sticky is not None else before.sticky if before is not None else ""
    number = 1 + _last_number(sql, where, before)
    depended = encode(dict(fingerprint)).decode()
    pointer: dict[str, str | int] = {"number": number, "fingerprint": depended, "sticky": sticky}
    sql.execute(_queries["point"], {**where.key, **pointer, "at": _now(), "by": move.actor.name})
    sql.execute(_queries["clear_shares"], where.key)
    for position, (version, weight) in enumerate(move.shares):
        share: dict[str, str | int] = {"position": position, "version": version, "weight": weight}
        sql.execute(_queries["add_share"], {**where.key, **share})
    generation = _note(sql, where, move, before, number, sticky)
    if move.also is not None:
        move.also(sql, known(sql, where))
    return generation


def unpoint(sql: Transaction, where: Where, actor: Actor, expected: int | None) -> int | None:
    """Takes the worker off the routes. Gives the new generation, None when it was not there."""
    before = read_deployment(sql, where)
    _check_expected(before, expected)
    if before is None:
        return None
    sql.execute(_queries["clear_shares"], where.key)
    sql.execute(_queries["remove"], where.key)
    gone = Move(change=Change.REMOVED, shares=before.shares, actor=actor)
    return _note(sql, where, gone, before, before.number + 1, before.sticky)


def read_history(sql: Transaction, where: Where, limit: int, before: int | None) -> list[HistoryEntry]:
    """Newest first; `before` is the id of an entry."""
    key: dict[str, str | int] = {**where.key, "limit": limit, "before": _NEWER_THAN_ALL if before is None else before}
    return [_entry(*row) for row in sql.rows(_queries["history"], key)]


def read_changes(
    sql: Transaction,
    project: str,
    since: datetime,
    until: datetime,
    *,
    worker: str | None,
    environment: str | None,
    limit: int,
) -> list[WorkerChange]:
    """What happened in `since <= at < until`, newest first."""
    key: dict[str, str | int | None] = {
        "project": project,
        "since": since.astimezone(UTC).isoformat(),
        "until": until.astimezone(UTC).isoformat(),
        "worker": worker,
        "environment": environment,
        "limit": limit,
    }
    return [
        WorkerChange(
            worker=str(name),
            environment=str(where),
            entry=_entry(*rest),
            version_number=None if version_number is None else integer(version_number),
        )
        for name, where, *rest, version_number in sql.rows(_queries["changes"], key)
    ]


def _entry(
    change: Value, version: Value, at: Value, number: Value, shares: Value, by: Value, message: Value, id_: Value
) -> HistoryEntry:
    return HistoryEntry(
        change=Change(str(change)),
        version=str(version),
        at=datetime.fromisoformat(str(at)),
        number=integer(number),
        shares=read_shares(str(shares)) or ((str(version), 100),),
        by=str(by),
        message=str(message),
        id=integer(id_),
    )


def earlier(entries: Sequence[HistoryEntry]) -> Iterator[str]:
    """The versions that were live by themselves before the present state, the latest first. `entries` are newest
    first. A rollback takes back what came after the state that it went to."""
    states: list[Shares] = []
    for entry in reversed(entries):
        shares = () if entry.change is Change.REMOVED else entry.shares
        if entry.change is Change.ROLLED_BACK and shares in states:
            del states[len(states) - states[::-1].index(shares) :]
        else:
            states.append(shares)
    now = states.pop() if states else ()
    present = now[-1][0] if now else ""
    for shares in reversed(states):
        if len(shares) == 1 and shares[0][0] != present:
            yield shares[0][0]


def next_generation(sql: Transaction) -> int:
    (row,) = sql.rows(_queries["next_generation"])
    return integer(row[0])


def _check_expected(before: Deployment | None, expected: int | None) -> None:
    number = 0 if before is None else before.number
    if expected is not None and number != expected:
        made = f" by {before.changed_by}" if before is not None else ""
        raise DeploymentChanged(f"The deployment was changed{made} meanwhile: it is number {number}, not {expected}")


def _check_room(sql: Transaction, where: Where) -> None:
    if len(sql.rows(_queries["deployments"], {"project": where.project, "worker": where.worker})) >= MAX_ENVIRONMENTS:
        raise TooManyEnvironments


def _last_number(sql: Transaction, where: Where, before: Deployment | None) -> int:
    if before is not None:
        return before.number
    row = sql.row(_queries["last_number"], where.key)
    return 0 if row is None else integer(row[0])


def _note(sql: Transaction, where: Where, move: Move, before: Deployment | None, number: int, sticky: str) -> int:
    version = move.shares[-1][0]
    entry: dict[str, str | int] = {"change": move.change.value, "version": version, "at": _now(), "number": number}
    entry |= {"shares": encode(move.shares).decode(), "by": move.actor.name, "message": move.message}
    sql.execute(_queries["add_history"], {**where.key, **entry})
    sql.execute(_queries["trim_history"], where.key)
    message = {"message": move.message} if move.message else {}
    after = (
        None if move.change is Change.REMOVED else {"shares": move.shares, "sticky": sticky, **message, **move.details}
    )
    audit.append(
        sql,
        audit.Event(
            action=f"deployment.{move.change.value}",
            resource=where.resource,
            project=where.project,
            actor=move.actor,
            before=None if before is None else {"shares": before.shares, "sticky": before.sticky},
            after=after,
        ),
    )
    return next_generation(sql)


def _now() -> str:
    return datetime.now(UTC).isoformat()
