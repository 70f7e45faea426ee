"""Long work: started by a request that answers at once, seen by whoever asks how far it is.

`start` takes a function that is given a `Progress`. An operation is written down when it starts and when it ends; how
far it is, is in memory. One that the box was stopped in is `failed`, with the code `interrupted`. The last thousand
of a week are kept.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

from v8box.api.errors import describe, problem
from v8box.errors import NotFound, V8BoxError
from v8box.kit.tasks import TaskSet
from v8box.kit.times import now, rfc3339
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor, ActorKind

KEEP_SECONDS: Final = 7 * 86_400.0
MAX_KEPT: Final = 1_000
MAX_RUNNING: Final = 32
MAX_RESULT_BYTES: Final = 64 * 1024
MAX_WAIT_SECONDS: Final = 30.0
_MAX_STEP: Final = 200
_queries: Final = load_queries("v8box.api")


class State(StrEnum):
    """How an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TooManyOperations(V8BoxError):
    """Too much is at work already: wait until an operation has ended, or cancel one."""

    status = 429
    code = "too_many_operations"
    limit: ClassVar[int] = MAX_RUNNING


class OperationEnded(V8BoxError):
    """The operation has ended: there is nothing to cancel."""

    status = 409
    code = "operation_ended"


class Interrupted(V8BoxError):
    """The box was stopped while this was at work. Look what is done, and start it again."""

    status = 503
    code = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One piece of long work, as it is at this moment. Times are RFC 3339."""

    id: str
    kind: str
    """`<resource>.<verb>`, as in the audit log: `project.delete`."""
    project: str | None
    actor: Actor
    state: State = State.RUNNING
    started_at: str = field(default_factory=now)
    ended_at: str | None = None
    step: str | None = None
    """What is being done, for people."""
    done: int | None = None
    total: int | None = None
    result: Any = None
    problem: dict[str, Any] | None = None
    """Why it failed, as an error is answered."""


class Progress:
    """How the work tells how far it is. Cheap: call it as often as there is something to tell."""

    def __init__(self, running: _Running) -> None:
        self._running = running

    def step(self, text: str) -> None:
        """What is being done from here on."""
        self._running.show(step=text[:_MAX_STEP], done=None, total=None)

    def count(self, done: int, total: int | None = None) -> None:
        """How many of how many are done in this step."""
        self._running.show(done=done, total=total)


class _Running:
    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.cancelled = False
        self.begun = asyncio.Event()
        """A task that is cancelled before it never runs a line: what the work holds would stay held for ever."""
        self.task: asyncio.Task[Any]

    def show(self, **progress: Any) -> None:
        self.operation = replace(self.operation, **progress)


Work = Callable[[Progress], Awaitable[Any]]
"""What is done. It gives a small JSON value, and may be cancelled wherever it awaits."""


class Operations:
    """All of them. `open` it; `close` it before what the work uses."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[str, _Running] = {}
        self._tasks = TaskSet()
        self._newest = 0

    @classmethod
    async def open(cls, database: Database) -> Operations:
        """Brings the table up to date. What ran when the box was last stopped is failed now."""
        await database.migrate("api", load_migrations("v8box.api"))
        lost = {"at": now(), "problem": _encode(problem(describe(Interrupted())))}

        def interrupt(sql: Transaction) -> None:
            sql.execute(_queries["interrupt_operations"], lost)
            _tidy(sql)

        await database.write(interrupt)
        return cls(database)

    async def close(self) -> None:
        """Cancels what is at work and waits for it; it is failed as interrupted."""
        for running in tuple(self._running.values()):
            if hasattr(running, "task"):
                await running.begun.wait()
        await self._tasks.cancel()

    @property
    def running(self) -> int:
        """How many are at work."""
        return len(self._running)

    def running_in(self, projects: Collection[str | None] | None) -> int:
        """How many are at work of these projects (None among them: the box's own), or of all."""
        return sum(projects is None or each.operation.project in projects for each in self._running.values())

    async def start(self, kind: str, project: str | None, actor: Actor, work: Work) -> Operation:
        """Begins the work and gives the operation. Raises `TooManyOperations`."""
        if len(self._running) >= MAX_RUNNING:
            raise TooManyOperations
        operation_id = self._new_id()
        running = _Running(Operation(id=operation_id, kind=kind, project=project, actor=actor))
        self._running[operation_id] = running  # before the wait, so that many at once cannot slip past the limit
        try:
            await self._database.write(lambda sql: sql.execute(_queries["add_operation"], _row(running.operation)))
        except BaseException as error:
            del self._running[operation_id]
            if isinstance(error, asyncio.CancelledError):  # who asked is gone, and it was written down all the same
                running.show(state=State.CANCELLED, ended_at=now())
                ended = {**_row(running.operation), "result": None}
                self._tasks.add(self._database.write(lambda sql: _end(sql, ended)), f"forget {kind} {operation_id}")
            raise
        running.task = self._tasks.add(self._run(running, work), f"{kind} {operation_id}")
        return running.operation

    def _new_id(self) -> str:
        """Lists are in the order of ids: milliseconds and microseconds, of which no two are the same, wherever the
        clock stands or goes back to; then chance."""
        self._newest = max(time.time_ns() // 1_000, self._newest + 1)
        milliseconds, microseconds = divmod(self._newest, 1_000)
        return f"op_{milliseconds:012x}{microseconds:03x}{secrets.randbits(36):09x}"

    async def get(self, operation_id: str, wait_seconds: float = 0.0) -> Operation:
        """The operation; with `wait_seconds` once it has ended, or then. Raises `NotFound`."""
        running = self._running.get(operation_id)
        if running is not None and wait_seconds > 0 and hasattr(running, "task"):
            await asyncio.wait((running.task,), timeout=min(wait_seconds, MAX_WAIT_SECONDS))
            running = self._running.get(operation_id)
        if running is not None:
            return running.operation
        row = await self._database.read(lambda sql: sql.row(_queries["operation"], {"id": operation_id}))
        if row is None:
            raise NotFound("There is no such operation, or it is so old that it is forgotten.")
        return _read(row)

    async def list(
        self, *, projects: list[str | None] | None, before: str | None, limit: int, state: State | None = None
    ) -> list[Operation]:
        """The newest first, those older than the operation `before`, of these projects (None among them: the box's
        own), or of all."""
        bindings = {
            "projects": None if projects is None else _encode([name for name in projects if name is not None]),
            "box": projects is None or None in projects,
            "before": before,
            "state": state,
            "limit": limit,
        }
        rows = await self._database.read(lambda sql: sql.rows(_queries["operations"], bindings))
        found = [_read(row) for row in rows]
        return [running.operation if (running := self._running.get(each.id)) else each for each in found]

    async def cancel(self, operation_id: str) -> Operation:
        """Asks the work to stop, and waits until it has. Raises `NotFound`, `OperationEnded`."""
        running = self._running.get(operation_id)
        if running is None or not hasattr(running, "task"):
            await self.get(operation_id)
            raise OperationEnded
        running.cancelled = True
        await running.begun.wait()
        running.task.cancel()
        await asyncio.wait((running.task,))
        return await self.get(operation_id)

    async def _run(self, running: _Running, work: Work) -> None:
        running.begun.set()
        state, result, failure = State.FAILED, None, None
        try:
            result, state = await work(Progress(running)), State.SUCCEEDED
        except asyncio.CancelledError:
            if running.cancelled:
                state = State.CANCELLED
            else:
                failure = problem(describe(Interrupted()))
        except Exception as error:
            failure = problem(describe(error))
        try:
            encoded = None if result is None else _encode(result)
            if encoded is not None and len(encoded) > MAX_RESULT_BYTES:
                result = encoded = None
            running.show(state=state, ended_at=now(), result=result, problem=failure)
            row = {**_row(running.operation), "result": encoded}
            # Also a box that is stopping waits for this: nobody cancels a write.
            writing = asyncio.ensure_future(self._database.write(lambda sql: _end(sql, row)))
            with suppress(asyncio.CancelledError):
                await asyncio.shield(writing)
            await writing
        finally:
            del self._running[running.operation.id]


def _end(sql: Transaction, row: dict[str, str | int | None]) -> None:
    sql.execute(_queries["end_operation"], row)
    _tidy(sql)


def _tidy(sql: Transaction) -> None:
    sql.execute(_queries["forget_operations"], {"before": rfc3339(time.time() - KEEP_SECONDS), "most": MAX_KEPT})


def _row(operation: Operation) -> dict[str, str | int | None]:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "project": operation.project,
        "actor_kind": operation.actor.kind,
        "actor_id": operation.actor.id,
        "actor_name": operation.actor.name,
        "state": operation.state,
        "started_at": operation.started_at,
        "ended_at": operation.ended_at,
        "progress": _encode([operation.step, operation.done, operation.total]),
        "result": None,
        "problem": None if operation.problem is None else _encode(operation.problem),
    }


def _read(row: Row) -> Operation:
    operation_id, kind, project, actor_kind, actor_id, actor_name, state, started_at, ended_at, *rest = row
    progress, result, failure = rest
    step, done, total = msgspec.json.decode(str(progress))
    return Operation(
        id=str(operation_id),
        kind=str(kind),
        project=None if project is None else str(project),
        actor=Actor(kind=ActorKind(str(actor_kind)), id=str(actor_id), name=str(actor_name)),
        state=State(str(state)),
        started_at=str(started_at),
        ended_at=None if ended_at is None else str(ended_at),
        step=step,
        done=done,
        total=total,
        result=None if result is None else msgspec.json.decode(str(result)),
        problem=None if failure is None else msgspec.json.decode(str(failure)),
    )


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
