"""What workers threw becomes part of the records of their runs: redacted, the stack in terms of the user's own files.

A record waits here until its stack is mapped, within a bound; frames that were mapped before are known, so that a
worker that throws at every request costs little. The caller's answer does not wait for any of this.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from v8box.catalog.model import Placement
from v8box.kit.sourcemap import map_stack
from v8box.kit.tasks import TaskSet
from v8box.pool.journal import SHIM_FRAME, RedactorOf, no_secrets
from v8box.pool.source_maps import SourceMaps
from v8box.sandbox.interface import RunFailed, StartupFailed
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import RunError, RunRecord

MAX_HELD: Final = 1_000
_MAX_HELD_CHARS: Final = 4 * 1024 * 1024
_MAX_KNOWN: Final = 2_000
_MAX_FRAMES: Final = 50
_MAX_FRAMES_CHARS: Final = 8_000
_MAX_NAME: Final = 200
_MAX_MESSAGE: Final = 2_000
_FRAME: Final = re.compile(r"^[ \t]+at ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Held:
    record: RunRecord
    placement: Placement
    error: RunError


class Failures:
    """Tells the feed of runs that threw. Without maps the stacks stay as V8 wrote them."""

    def __init__(self, feed: Feed, maps: SourceMaps | None = None, redactor: RedactorOf = no_secrets) -> None:
        self._feed = feed
        self._maps = maps
        self._redactor = redactor
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        """The mapped frames, by version and frames."""
        self._held: deque[_Held] = deque()
        self._held_chars = 0
        self._mapping = False
        self._tasks = TaskSet()

    def tell(self, record: RunRecord, placement: Placement, failure: RunFailed | StartupFailed) -> None:
        """The record, now or once its stack is mapped."""
        error = record.error = self._read(placement, failure)
        if self._maps is None or placement.source_map_hash is None or "blob:" not in error.stack:
            self._feed.run(record)
            return
        mapped = self._known.get((placement.id, error.stack))
        if mapped is not None:
            error.stack = mapped
            self._feed.run(record)
        elif len(self._held) >= MAX_HELD or self._held_chars >= _MAX_HELD_CHARS:
            error.stack = ""  # in no terms that anybody knows
            self._feed.run(record)
        else:
            self._held.append(_Held(record, placement, error))
            self._held_chars += len(error.stack)
            if not self._mapping:
                self._mapping = True
                self._tasks.add(self._map(self._maps), "map the stacks of runs")

    def _read(self, placement: Placement, failure: RunFailed | StartupFailed) -> RunError:
        redactor = self._redactor(placement)
        name = failure.name or "StartupFailed"
        message = failure.message
        if isinstance(failure, StartupFailed) and failure.name is not None:
            message = message.removeprefix(f"{failure.name}: ")
        frames = frames_of(failure.stack or "", f"{name}: {message}")
        if "/shim.js:" in frames:
            frames = SHIM_FRAME.sub("", "\n" + frames).removeprefix("\n")
        return RunError(redactor.text(name)[:_MAX_NAME], redactor.text(message)[:_MAX_MESSAGE], redactor.text(frames))

    async def _map(self, maps: SourceMaps) -> None:
        """Until nothing is held. A fault in a map is said by `SourceMaps`; the frames then stay as they are."""
        try:
            while self._held:
                held = self._held[0]
                source_map = await maps.get(held.placement)
                key = (held.placement.id, held.error.stack)
                mapped = self._known.get(key)
                if mapped is None:
                    mapped = held.error.stack if source_map is None else map_stack(held.error.stack, source_map)
                    if source_map is not None:
                        self._learn(key, mapped)
                    await asyncio.sleep(0)  # a burst of different stacks must not keep the loop
                self._release(mapped)
        finally:
            self._mapping = False

    def _learn(self, key: tuple[str, str], mapped: str) -> None:
        self._known[key] = mapped
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    def _release(self, stack: str | None = None) -> None:
        held = self._held.popleft()
        self._held_chars -= len(held.error.stack)
        if stack is not None:
            held.error.stack = stack
        self._feed.run(held.record)

    async def stop(self) -> None:
        """What still waits is told as it is."""
        await self._tasks.cancel()
        while self._held:
            self._release()


def frames_of(stack: str, head: str) -> str:
    """The frames of a stack as V8 wrote it; `head` is what it begins with, as a rule: a message may have lines that
    look like frames."""
    first = _FRAME.search(stack, len(head) if stack.startswith(head) else 0)
    if first is None:
        return ""
    lines = stack[first.start() : first.start() + _MAX_FRAMES_CHARS].split("\n")
    if len(stack) - first.start() > _MAX_FRAMES_CHARS:
        lines.pop()  # half a frame
    return "\n".join(lines[:_MAX_FRAMES])
