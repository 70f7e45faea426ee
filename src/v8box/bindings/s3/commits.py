"""Group commit: changes to the embedded store that arrive together share one transaction and its syncs.

One thread makes all changes, one after another, each in a savepoint of its own; while it waits for the disk, the next
ones gather. A content's file is there before the row that names it is committed, and goes after the last one is gone.
A crash in between leaves a file without a row, which the sweep at the next start finds.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.contents import Contents, store_fault
from v8box.kit.files import sync_folder

logger = logging.getLogger(__name__)

BATCH_CHANGES: Final = 256
_SYNC_THREADS: Final = 8  # syncs of several folders at once share the journal's commits

Result = TypeVar("Result")


@dataclass(slots=True)
class Batch:
    """What the changes of one transaction leave to be done before and after its commit."""

    contents: Contents
    folders: set[Path] = field(default_factory=set)
    candidates: set[str] = field(default_factory=set)
    """Contents that may have lost the last row that names them, or whose change may not come to be."""


Change = Callable[[Batch], Result]


@dataclass(slots=True)
class _Waiting:
    change: Change[Any]
    future: asyncio.Future[Any]


Outcome = tuple[_Waiting, Any, BaseException | None]


class Committer:
    """Runs changes on `connection`, which is this thread's alone from now on. `forget_unused` deletes the rows of
    candidates that nothing uses and gives back those whose files may go too."""

    def __init__(
        self, connection: apsw.Connection, contents: Contents, forget_unused: Callable[[set[str]], set[str]]
    ) -> None:
        self._connection = connection
        self._contents = contents
        self._forget_unused = forget_unused
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._syncs = ThreadPoolExecutor(_SYNC_THREADS, "s3-sync")
        self._thread = threading.Thread(target=self._run, name="s3-commit", daemon=True)
        self._thread.start()

    async def apply(self, change: Change[Result]) -> Result:
        """Runs one change. Once this returns, what it did outlives a power cut. Raises what the change raised; a change
        whose caller was cancelled may still come to be."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._queue.put(_Waiting(change, future))
        try:
            return await future
        except (OSError, apsw.Error) as error:
            raise store_fault(error) from error

    def post(self, change: Change[Any]) -> None:
        """Runs a change that nobody waits for, from any thread of the loop's process; a fault of it is logged."""
        self._loop.call_soon_threadsafe(self._post, change)

    def _post(self, change: Change[Any]) -> None:
        future: asyncio.Future[Any] = self._loop.create_future()
        future.add_done_callback(_log_fault)
        self._queue.put(_Waiting(change, future))

    async def close(self) -> None:
        """Ends after the changes that wait already."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # the last outcomes reach their futures
        self._syncs.shutdown()

    def _run(self) -> None:
        ended = False
        while not ended:
            taken = [self._queue.get()]
            while taken[-1] is not None and len(taken) < BATCH_CHANGES:
                try:
                    taken.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            ended = taken[-1] is None
            if waiting := [each for each in taken if each is not None and not each.future.cancelled()]:
                outcomes, unused = self._commit(waiting)
                self._loop.call_soon_threadsafe(_settle, outcomes)
                self._contents.drop(unused)  # nobody waits for it: a large file takes a while to go

    def _commit(self, waiting: list[_Waiting]) -> tuple[list[Outcome], set[str]]:
        """Each change's outcome, and the contents whose files may go."""
        batch = Batch(self._contents)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._try(each, batch) for each in waiting]
            unused = self._forget_unused(batch.candidates)
            self._sync(batch.folders)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            unused = self._unused_after_failure(batch.candidates)
            outcomes = [(each, None, error) for each in waiting]
        return outcomes, unused

    def _try(self, waiting: _Waiting, batch: Batch) -> Outcome:
        self._connection.execute("SAVEPOINT change")
        try:
            result = waiting.change(batch)
        except BaseException as error:
            if not self._connection.in_transaction:
                raise  # SQLite ended the whole transaction (a full disk, say): no change of this batch is made
            self._connection.execute("ROLLBACK TO change; RELEASE change")
            return waiting, None, error
        self._connection.execute("RELEASE change")
        return waiting, result, None

    def _sync(self, folders: set[Path]) -> None:
        if len(folders) > 1:
            list(self._syncs.map(sync_folder, folders))
        else:
            for folder in folders:
                sync_folder(folder)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _unused_after_failure(self, candidates: set[str]) -> set[str]:
        """Files placed for changes that did not come to be. Found by the sweep, should this fail too."""
        unused: set[str] = set()
        try:
            with self._connection:
                unused = self._forget_unused(candidates)
        except apsw.Error as error:
            logger.warning("files of a failed change stay until the next start: %s", error)
        return unused


def _settle(outcomes: list[Outcome]) -> None:
    for waiting, result, error in outcomes:
        if waiting.future.done():
            continue
        if error is None:
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(error)


def _log_fault(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None and not isinstance(error, BindingError):
        logger.error("a change of the object store failed", exc_info=error)
