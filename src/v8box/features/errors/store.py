"""The tables of error groups: what a batch of tallies changes in them, looking them up, their states."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from v8box.features.errors.model import (
    KEPT_HOURS,
    MAX_GROUPS,
    MAX_OF_WORKER,
    MAX_SAMPLES,
    MAX_SEEN,
    Detail,
    ErrorGroupNotFound,
    ErrorKind,
    ErrorSort,
    ErrorState,
    Filter,
    Fresh,
    Group,
    Sample,
    Seen,
    Tally,
    VersionRef,
)
from v8box.features.errors.stacks import Frame, is_own
from v8box.storage import Row, Transaction, Value, load_queries

_queries: Final = load_queries("v8box.features.errors")


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A tally with what was found out about it: which group it belongs to, where it was thrown, the version's number,
    and since when that version is live there."""

    id: str
    tally: Tally
    top: Frame | None
    number: int = 0
    live_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did: the ids of groups that are new, and of those that came back."""

    new: tuple[str, ...]
    regressed: tuple[str, ...]


def write(sql: Transaction, arrivals: Sequence[Arrival]) -> Written:
    """A batch, in one transaction."""
    new: list[str] = []
    regressed: list[str] = []
    for each in arrivals:
        values = _values(each)
        known = sql.row(_queries["known"], {"id": each.id})
        if known is None:
            sql.execute(_queries["insert"], values)
            _make_room(sql, each)
            new.append(each.id)
        else:
            state = _next_state(each, known)
            sql.execute(_queries["update"], {**_picked(values, "update"), "state": state})
            if each.tally.stack and (each.number >= _int(known[4]) or not known[5]):
                sql.execute(_queries["update_stack"], _picked(values, "update_stack"))
            if state is ErrorState.REGRESSED and known[0] != ErrorState.REGRESSED:
                regressed.append(each.id)
        _add(sql, each)
    return Written(tuple(new), tuple(regressed))


def _next_state(arrival: Arrival, known: Row) -> ErrorState:
    state, until, resolved_at, resolved_number, *_ = known
    now = arrival.tally.last
    if state == ErrorState.IGNORED and until is not None and _real(until) <= now:
        return ErrorState.OPEN
    if state == ErrorState.RESOLVED and now > _real(resolved_at):
        newer = arrival.number > _int(resolved_number)
        if newer or arrival.live_since > _real(resolved_at):
            return ErrorState.REGRESSED
    return ErrorState(str(state))


_OF_UPDATE: Final = ("id", "count", "first", "last", "message", "version", "number")
_OF_STACK: Final = ("id", "function", "file", "line", "col", "stack", "version", "number")


def _picked(values: Mapping[str, Any], query: str) -> dict[str, Any]:
    return {name: values[name] for name in (_OF_UPDATE if query == "update" else _OF_STACK)}


def _values(arrival: Arrival) -> dict[str, Any]:
    tally, top = arrival.tally, arrival.top or Frame("", "")
    return {
        "id": arrival.id,
        "project": tally.project,
        "worker": tally.worker,
        "kind": tally.kind,
        "name": tally.name,
        "message": tally.message,
        "function": top.function,
        "file": top.file,
        "line": top.line,
        "col": top.column,
        "stack": tally.stack,
        "version": tally.version,
        "number": arrival.number,
        "first": tally.first,
        "last": tally.last,
        "count": tally.count,
    }


def _add(sql: Transaction, arrival: Arrival) -> None:
    """Where and when it was seen, and samples."""
    tally = arrival.tally
    key: dict[str, Value] = {"id": arrival.id}
    seen = {
        **key,
        "version": tally.version,
        "environment": tally.environment,
        "number": arrival.number,
        "first": tally.first,
        "last": tally.last,
        "count": tally.count,
    }
    sql.execute(_queries["add_seen"], seen)
    sql.execute(_queries["trim_seen"], {**key, "keep": MAX_SEEN})
    if tally.count:
        sql.execute(_queries["add_hour"], {**key, "hour": int(tally.last // 3600), "count": tally.count})
    for sample in tally.samples:
        row: dict[str, Value] = {name: getattr(sample, name) for name in Sample.__slots__}
        sql.execute(_queries["add_sample"], {**key, **row})
    if tally.samples:
        sql.execute(_queries["trim_samples"], {**key, "keep": MAX_SAMPLES})


def _make_room(sql: Transaction, arrival: Arrival) -> None:
    """For a group that has just come."""
    project, worker = arrival.tally.project, arrival.tally.worker
    counted = sql.row(_queries["count_groups"], {"project": project, "worker": worker}) or (0, 0)
    of_project, of_worker = _int(counted[0]), _int(counted[1])
    evict: dict[str, Value] = {"project": project, "but": arrival.id}
    if of_worker > MAX_OF_WORKER:
        sql.execute(_queries["evict"], {**evict, "worker": worker, "excess": of_worker - MAX_OF_WORKER})
    elif of_project > MAX_GROUPS:
        sql.execute(_queries["evict"], {**evict, "worker": None, "excess": of_project - MAX_GROUPS})


def known_states(sql: Transaction, ids: Sequence[str]) -> dict[str, ErrorState]:
    """Of those of these groups that are there."""
    rows = sql.rows(_queries["known_states"], {"ids": msgspec.json.encode(ids).decode()})
    return {str(group_id): ErrorState(str(state)) for group_id, state in rows}


def forget_old(sql: Transaction, now: float, days: int) -> None:
    """What nobody has seen for so long, and the counts of hours that no chart shows."""
    sql.execute(_queries["forget_hours"], {"before": int(now // 3600) - KEPT_HOURS})
    sql.execute(_queries["forget_old"], {"before": now - days * 86_400})


def forget_worker(sql: Transaction, project: str, worker: str) -> None:
    sql.execute(_queries["forget_worker"], {"project": project, "worker": worker})


def forget_project(sql: Transaction, project: str) -> None:
    sql.execute(_queries["forget_project"], {"project": project})


# ---- looking


def find(
    sql: Transaction,
    project: str,
    wanted: Filter,
    *,
    sort: ErrorSort = ErrorSort.LAST_SEEN,
    after: tuple[float, str] | None = None,
    limit: int,
    group_id: str | None = None,
) -> list[tuple[Group, float]]:
    """Groups with what the list is ordered by."""
    version = wanted.version
    digits = (version or "").removeprefix("v")
    bindings: dict[str, Value] = {
        "project": project,
        "sort": sort,
        "now": time.time(),
        "id": group_id,
        "states": msgspec.json.encode(wanted.states).decode() if wanted.states else None,
        "worker": wanted.worker,
        "kind": wanted.kind,
        "environment": wanted.environment,
        "version": version,
        "number": int(digits[:9]) if digits.isascii() and digits.isdigit() else None,
        "text": None if wanted.text is None else wanted.text.lower(),
        "after_rank": None if after is None else after[0],
        "after_id": None if after is None else after[1],
        "limit": limit,
    }
    return [(_group(row), _real(row[-1])) for row in sql.rows(_queries["list"], bindings)]


def newest(sql: Transaction, projects: Sequence[str] | None, since: float, limit: int) -> list[Fresh]:
    """Groups that are new or back since then, of these projects or of all, the newest first."""
    wanted = None if projects is None else msgspec.json.encode(projects).decode()
    rows = sql.rows(_queries["newest"], {"projects": wanted, "since": since, "limit": limit})
    return [
        Fresh(
            id=str(group_id),
            project=str(project),
            worker=str(worker),
            name=str(name),
            message=str(message),
            state=ErrorState(str(state)),
            at=_real(at),
        )
        for group_id, project, worker, name, message, state, at in rows
    ]


def get(sql: Transaction, project: str, group_id: str) -> Group:
    """Raises `ErrorGroupNotFound`."""
    found = find(sql, project, Filter(), group_id=group_id, limit=1)
    if not found:
        raise ErrorGroupNotFound
    return found[0][0]


def detail(sql: Transaction, project: str, group_id: str) -> Detail:
    """Raises `ErrorGroupNotFound`."""
    group, key = get(sql, project, group_id), {"id": group_id}
    stack, version, number = sql.row(_queries["stack"], key) or ("", "", 0)
    return Detail(
        group=group,
        stack=str(stack),
        stack_version=VersionRef(id=str(version), number=_int(number)),
        seen=tuple(map(_seen, sql.rows(_queries["seen"], key))),
        samples=tuple(map(_sample, sql.rows(_queries["samples"], key))),
        hours=hours_of(sql, [group_id], KEPT_HOURS).get(group_id, ()),
    )


def hours_of(sql: Transaction, ids: Sequence[str], hours: int) -> dict[str, tuple[tuple[int, int], ...]]:
    """How often each was seen in each of the last so many hours."""
    since = int(time.time() // 3600) - hours + 1
    found: dict[str, list[tuple[int, int]]] = {}
    for group_id, hour, count in sql.rows(
        _queries["hours"], {"ids": msgspec.json.encode(ids).decode(), "since": since}
    ):
        found.setdefault(str(group_id), []).append((_int(hour), _int(count)))
    return {group_id: tuple(each) for group_id, each in found.items()}


def states_of(sql: Transaction, project: str, worker: str | None, environment: str | None) -> dict[ErrorState, int]:
    """How many groups are in each state."""
    bindings = {"project": project, "worker": worker, "environment": environment, "now": time.time()}
    counted = {ErrorState(str(state)): _int(count) for state, count in sql.rows(_queries["states"], bindings)}
    return {state: counted.get(state, 0) for state in ErrorState}


# ---- changing


def set_state(sql: Transaction, group_id: str, state: ErrorState, until: float | None, by: str) -> None:
    sql.execute(_queries["set_state"], {"id": group_id, "state": state, "until": until, "now": time.time(), "by": by})


def _group(row: Row) -> Group:
    (
        *texts,
        line,
        column,
        state,
        until,
        resolved_at,
        regressed_at,
        changed_by,
        first_seen,
        last_seen,
        count,
        first_version,
        first_number,
        last_version,
        last_number,
        environments,
        _rank,
    ) = row
    group_id, project, worker, kind, name, message, function, file = map(str, texts)
    return Group(
        id=group_id,
        project=project,
        worker=worker,
        kind=ErrorKind(kind),
        name=name,
        message=message,
        top=Frame(function, file, _int(line), _int(column), is_own(file)) if file else None,
        state=ErrorState(str(state)),
        ignored_until=_maybe(until),
        resolved_at=_maybe(resolved_at),
        regressed_at=_maybe(regressed_at),
        changed_by=str(changed_by),
        first_seen=_real(first_seen),
        last_seen=_real(last_seen),
        count=_int(count),
        first_version=VersionRef(id=str(first_version), number=_int(first_number)),
        last_version=VersionRef(id=str(last_version), number=_int(last_number)),
        environments=tuple(sorted(msgspec.json.decode(str(environments), type=list[str]))),
    )


def _seen(row: Row) -> Seen:
    version, number, environment, first_seen, last_seen, count = row
    return Seen(
        version=VersionRef(id=str(version), number=_int(number)),
        environment=str(environment),
        first_seen=_real(first_seen),
        last_seen=_real(last_seen),
        count=_int(count),
    )


def _sample(row: Row) -> Sample:
    run, request_id, at, version, environment, message = row
    return Sample(
        run=str(run),
        request_id=str(request_id),
        at=_real(at),
        version=str(version),
        environment=str(environment),
        message=str(message),
    )


def _int(value: Any) -> int:
    return int(value)


def _real(value: Any) -> float:
    return float(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)
