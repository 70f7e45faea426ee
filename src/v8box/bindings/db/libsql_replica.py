"""Reads from a replica of a LibSQL server, without a run ever missing what it or its project has written on this node.

A write's answer says how far the primary's log reaches. A database is read from the replica only while the replica is
known, from an answer it gave before, to have got as far; until then a look in the background asks how far it is. What a
replica refuses, or fails to answer, the primary is asked: a replica's error is nobody's error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from v8box.bindings.db.hrana import Ask, Close, Execute, Failed, PipelineAnswer, Stmt
from v8box.bindings.db.hrana_client import HranaClient, ServerDown, ServerError
from v8box.bindings.db.libsql_statements import read_index
from v8box.kit.tasks import TaskSet

_DOWN_SECONDS: Final = 2.0  # not asked again for so long after it did not answer
_STRANGE_SECONDS: Final = 1.0  # nor for this database, after an answer of another kind: it may not have it yet
_UNKNOWN_SECONDS: Final = 10.0  # nor after a write of which nobody knows whether it was made
_PROBE_SECONDS: Final = 2.0
_PROBE_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class Progress:
    """How far one database's log reaches: what this node has written, and what the replica is known to have."""

    written: int = 0
    seen: int = 0
    not_before: float = 0.0
    probing: bool = False

    def wrote(self, index: int | None) -> None:
        """After a write, with the index of its answer; None when nobody knows."""
        if index is None:
            self.not_before = max(self.not_before, time.monotonic() + _UNKNOWN_SECONDS)
        else:
            self.written = max(self.written, index)

    def begin_anew(self) -> None:
        """After the database was deleted: the replica may have the old one for a while."""
        self.written = self.seen = 0
        self.not_before = time.monotonic() + 3 * _UNKNOWN_SECONDS


class Replica:
    def __init__(self, client: HranaClient, tasks: TaskSet, probe: str) -> None:
        self._client = client
        self._tasks = tasks
        self._probe: list[Ask] = [Execute(Stmt(probe)), Close()]
        self._down_until = 0.0

    async def close(self) -> None:
        await self._client.close()

    def may_serve(self, progress: Progress, namespace: str | None, token: str) -> bool:
        """Whether the replica has all that this node knows of the database; if not, it is asked how far it is."""
        now = time.monotonic()
        if now < self._down_until or now < progress.not_before:
            return False
        if progress.seen >= progress.written:
            return True
        if not progress.probing:
            progress.probing = True
            self._tasks.add(self._look(progress, namespace, token), "look-at-libsql-replica")
        return False

    async def ask(
        self,
        progress: Progress,
        requests: list[Ask],
        *,
        namespace: str | None,
        token: str,
        seconds: float,
        most_bytes: int,
    ) -> PipelineAnswer | None:
        """The answer, or None when the primary must be asked. Raises TimeoutError and `AnswerTooLarge`."""
        try:
            answer = await self._client.pipeline(
                requests, namespace=namespace, token=token, seconds=seconds, most_bytes=most_bytes, again=True
            )
        except ServerDown:
            self._down_until = time.monotonic() + _DOWN_SECONDS
            return None
        except ServerError:
            progress.not_before = max(progress.not_before, time.monotonic() + _STRANGE_SECONDS)
            return None
        return None if any(isinstance(entry, Failed) for entry in answer.results) else answer

    async def _look(self, progress: Progress, namespace: str | None, token: str) -> None:
        try:
            answer = await self.ask(
                progress,
                self._probe,
                namespace=namespace,
                token=token,
                seconds=_PROBE_SECONDS,
                most_bytes=_PROBE_BYTES,
            )
        except TimeoutError:
            self._down_until = time.monotonic() + _DOWN_SECONDS
        else:
            if answer is not None and (index := read_index(answer.results[0])) is not None:
                progress.seen = index
        finally:
            progress.probing = False
