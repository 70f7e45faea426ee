"""Streams that stay open between reads: with a new one for each, a LibSQL server spends half its time opening SQLite.

Only single statements that read run on them, so nothing of one call is left for the next. The server ends what was idle
for ten seconds; it does not end what belongs to a database that another node has deleted, hence an end of their life.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_IDLE_SECONDS: Final = 8.0
_LIFE_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class Stream:
    """A stream that is kept. `baton` is None before its first answer."""

    namespace: str
    baton: str | None = None
    born: float = field(default_factory=time.monotonic)
    idle_since: float = 0.0

    @property
    def is_old(self) -> bool:
        """Whether to close it with its next request."""
        return time.monotonic() - self.born > _LIFE_SECONDS


class Streams:
    """At most so many, each of which is one of the server's connections."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = 0  # idle ones and those in use
        self._idle: OrderedDict[int, Stream] = OrderedDict()  # longest idle first
        self._of: dict[str, list[Stream]] = {}

    def take(self, namespace: str) -> Stream | None:
        """An idle stream of this namespace, or a new one if there may be one more. Follow it with `give` or `drop`."""
        self._purge()
        idle = self._of.get(namespace)
        if idle:
            stream = idle[-1]  # the last used, so that those too many come to their end
            self._remove(stream)
            return stream
        if self._kept >= self._most:
            return None
        self._kept += 1
        return Stream(namespace)

    def give(self, stream: Stream, baton: str) -> None:
        """Back for the next read, under its new baton."""
        stream.baton = baton
        stream.idle_since = time.monotonic()
        self._idle[id(stream)] = stream
        self._of.setdefault(stream.namespace, []).append(stream)

    def drop(self) -> None:
        """One that was taken is closed, or lost."""
        self._kept -= 1

    def forget(self, namespace: str) -> None:
        """Drops a namespace's idle streams."""
        for stream in tuple(self._of.get(namespace, ())):
            self._remove(stream)
            self._kept -= 1

    def _purge(self) -> None:
        before = time.monotonic() - _IDLE_SECONDS
        while self._idle:
            stream = next(iter(self._idle.values()))
            if stream.idle_since > before:
                return
            self._remove(stream)
            self._kept -= 1

    def _remove(self, stream: Stream) -> None:
        del self._idle[id(stream)]
        siblings = self._of[stream.namespace]
        siblings.remove(stream)
        if not siblings:
            del self._of[stream.namespace]
