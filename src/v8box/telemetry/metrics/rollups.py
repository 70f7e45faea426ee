"""Second by second for the last minutes, in memory; minute by minute and hour by hour in the store.

Every second the counters are asked what happened since (`tick`); when a minute is over, it is written down. A crash
loses the minute that is going on; a disk that takes no more loses the oldest of the minutes that wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from v8box.storage import DatabaseError
from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.custom import Custom
from v8box.telemetry.metrics.figures import LONGEST, Figures, Key
from v8box.telemetry.metrics.store import HOUR, MINUTE, Matches, MetricsStore, total

LIVE_SECONDS: Final = 300
_MAX_LIVE_ROWS: Final = 20_000
"""With very many busy workers there are fewer seconds."""
_MAX_WAITING: Final = 15
"""Minutes that wait for the disk."""
_AT_ONCE: Final = 50
"""Series that are looked at in one turn of the loop."""

_OF_ONE: Final = frozenset({LONGEST, "memory"})
"""Peaks of one run or one sandbox: the greatest of several workers' is that of all of them."""

Second = Mapping[Key, Figures]
Gauges = Callable[[], Mapping[Key, Mapping[str, float]]]
"""What is now, by series: the memory of a worker, the requests in flight, …"""
Stop = Callable[[], None]

BOX: Final = Key("")

_log: Final = logging.getLogger(__name__)


class Rollups:
    """Let `run` go on for ever, and `close` it in the end."""

    def __init__(
        self,
        counters: Counters,
        store: MetricsStore,
        *,
        custom: Custom | None = None,
        gauges: Gauges = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._counters = counters
        self._store = store
        self._clock = clock
        self.gauges = gauges
        self._custom = custom
        self._seconds: deque[tuple[int, Second]] = deque()
        self._rows = 0
        self._minute = int(clock()) // MINUTE * MINUTE
        self._pending: dict[Key, Figures] = {}
        self._waiting: deque[tuple[int, dict[Key, Figures]]] = deque()
        self._watchers: tuple[Callable[[int, Second], None], ...] = ()
        self._writing = asyncio.Lock()
        self.dropped_minutes = 0

    # ---- collecting

    async def run(self) -> None:
        pruned = 0.0
        while True:
            await self._end_of_second()
            try:
                await self.tick()
                if self._waiting:
                    await self.write()
                if self._clock() - pruned > HOUR:
                    pruned = self._clock()
                    await self._prune()
            except Exception:
                _log.exception("a second of metrics was lost")  # the box is worth more than its charts

    async def _end_of_second(self) -> None:
        end = int(self._clock()) + 1
        await asyncio.sleep(end - self._clock())
        if 0 < (early := end - self._clock()) < 1:  # timers go by another clock; one that was set is not waited for
            await asyncio.sleep(early + 0.001)

    async def tick(self) -> None:
        """A second is over."""
        now = self._clock()
        second = int(now - 0.5)  # asked a moment late or early, it is still about the second that ended
        if (minute := second // MINUTE * MINUTE) != self._minute:
            self._turn_over(minute)
        found: dict[Key, Figures] = {}
        for number, series in enumerate(self._counters, 1):
            figures = series.take(now)
            if figures is not None:
                found[series.key] = figures
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for key, values in self.gauges().items():
            found.setdefault(key, Figures()).add(Figures(peaks=dict(values)))
        for number, (key, figures) in enumerate(found.items(), 1):
            self._pending.setdefault(key, Figures()).add(figures)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._remember(second, found)

    def _remember(self, second: int, found: Second) -> None:
        self._seconds.append((second, found))
        self._rows += len(found)
        while self._seconds and (len(self._seconds) > LIVE_SECONDS or self._rows > _MAX_LIVE_ROWS):
            self._rows -= len(self._seconds.popleft()[1])
        for watcher in self._watchers:
            watcher(second, found)

    def _turn_over(self, minute: int) -> None:
        """What was counted so far belongs to the minute before. A clock that is set back changes nothing: a minute that
        comes twice adds up."""
        self._take_custom()
        ended, self._minute = self._minute, minute
        pending, self._pending = self._pending, {}
        if pending:
            self._waiting.append((ended, pending))
        while len(self._waiting) > _MAX_WAITING:
            self._waiting.popleft()
            self.dropped_minutes += 1
        self._counters.forget()
        if self._custom is not None:
            self._custom.forget()

    def _take_custom(self) -> None:
        """What workers measured themselves is kept by minutes only: there may be much of it."""
        if self._custom is not None:
            for key, figures in self._custom.take().items():
                self._pending.setdefault(key, Figures()).add(figures)

    # ---- writing

    async def write(self) -> None:
        """Writes down the minutes that are over."""
        async with self._writing:
            while self._waiting:
                minute, figures = self._waiting[0]
                try:
                    await self._store.add(minute, with_totals(figures))
                except DatabaseError as error:  # a full disk, say
                    _log.warning("a minute of metrics could not be written down, and waits: %s", error)
                    return
                if self._waiting and self._waiting[0][1] is figures:
                    self._waiting.popleft()

    async def _prune(self) -> None:
        try:
            await self._store.prune(self._clock())
        except DatabaseError as error:
            _log.warning("old metrics could not be removed: %s", error)

    async def close(self) -> None:
        """What was counted so far is written down."""
        await self.tick()
        self._turn_over(self._minute)
        await self.write()
        await self._store.close()

    async def forget_project(self, project: str) -> None:
        """All that is known of it goes."""
        self._counters.forget_project(project)
        if self._custom is not None:
            self._custom.forget_project(project)
        for figures in (self._pending, *(waiting for _, waiting in self._waiting)):
            for key in [key for key in figures if key.project == project]:
                del figures[key]
        self._seconds = deque(
            (second, {key: each for key, each in found.items() if key.project != project})
            for second, found in self._seconds
        )
        self._rows = sum(len(found) for _, found in self._seconds)
        await self._store.forget_project(project)

    # ---- reading

    def watch(self, watcher: Callable[[int, Second], None]) -> Stop:
        """Tells of every second from now on, until what this gives is called."""
        self._watchers = (*self._watchers, watcher)

        def stop() -> None:
            self._watchers = tuple(each for each in self._watchers if each is not watcher)

        return stop

    def seconds(self, since: float) -> Iterator[tuple[int, Second]]:
        """The last ones, oldest first."""
        return iter([each for each in self._seconds if each[0] >= since])

    @property
    def oldest_second(self) -> float:
        return self._seconds[0][0] if self._seconds else self._clock()

    def keys(self) -> set[Key]:
        """Every series of which something is known."""
        self._take_custom()
        waiting = (key for _, figures in self._waiting for key in figures)
        return {*self._store.keys(), *waiting, *self._pending}

    async def read(self, wanted: Matches, since: int, until: int, step: int) -> dict[tuple[Key, int], Figures]:
        """What the wanted series have in `since <= at < until`, by series and steps; what is not written down yet
        included. `step`: whole minutes."""
        async with self._writing:  # a minute is in the store, or waits, and never both
            found = await self._store.read(wanted, since, until, step)
            self._take_custom()
            for minute, figures in (*self._waiting, (self._minute, self._pending)):
                if not since <= minute - (minute % HOUR if step % HOUR == 0 else 0) < until:
                    continue
                for key, counted in with_totals(figures).items():
                    if wanted(key):
                        found.setdefault((key, minute - minute % step), Figures()).add(counted)
        return found


def with_totals(figures: Mapping[Key, Figures]) -> dict[Key, Figures]:
    """With those of each environment, project and of the box, which are the sums of their workers'."""
    found = dict(figures)
    groups: dict[Key, list[Figures]] = {}
    for key, counted in figures.items():
        if key.worker and not key.name:
            for wider in {Key(key.project, key.environment), Key(key.project), BOX}:
                groups.setdefault(wider, []).append(counted)
    sums = {key: total(each) for key, each in groups.items()}
    for key, sum_ in sums.items():
        # Of different workers at different times: the maximum of other peaks says nothing.
        sum_.peaks = {name: peak for name, peak in sum_.peaks.items() if name in _OF_ONE}
        sum_.last = {}
        have = figures.get(key)
        if have is not None:
            sum_.add(have)
        found[key] = sum_
    return found
