"""Where the gateway and the pool tell what happened, and everything that keeps, counts or forwards it listens.

Called on the loop, in the request path: a listener returns at once, and does what takes longer by itself later. Runs
are gathered for a moment and told together, which costs a third of telling each; whoever is about to read what
listeners know asks the feed to `deliver` first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from v8box.telemetry.records import DeathRecord, LineRecord, MeasureRecord, RunRecord

logger = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.01
"""What the box gives a feed as its moment."""
MOST_GATHERED: Final = 64
"""So many runs are told at once, and a request waits no longer than they take: about 0.2 ms."""

Stop = Callable[[], None]
"""Ends what was asked for. Calling it twice changes nothing."""
RunsListener = Callable[[Sequence[RunRecord]], None]


class Feed:
    """Tells every listener of each record, in the order in which they came to listen. `later` calls what it is given
    after a moment; without it each run is told by itself."""

    def __init__(self, later: Callable[[Callable[[], None]], object] | None = None) -> None:
        self._later = later
        self._gathered: list[RunRecord] = []
        # Tuples: a listener that comes or goes while one is told does not disturb the round.
        self._runs: tuple[RunsListener, ...] = ()
        self._notable_runs: tuple[RunsListener, ...] = ()
        self._lines: tuple[Callable[[LineRecord], None], ...] = ()
        self._deaths: tuple[Callable[[DeathRecord], None], ...] = ()
        self._measures: tuple[Callable[[MeasureRecord], None], ...] = ()

    def run(self, record: RunRecord) -> None:
        """A run is over."""
        gathered = self._gathered
        gathered.append(record)
        if self._later is None or len(gathered) >= MOST_GATHERED:
            self.deliver()
        elif len(gathered) == 1:
            self._later(self.deliver)

    def deliver(self) -> None:
        """Tells the runs that are gathered, now."""
        if not self._gathered:
            return
        records, self._gathered = self._gathered, []
        self._tell(self._runs, records)
        notable = [each for each in records if each.outcome != "ok" or each.error is not None or each.findings]
        if notable:
            self._tell(self._notable_runs, notable)

    def _tell(self, listeners: Sequence[RunsListener], records: Sequence[RunRecord]) -> None:
        for listener in listeners:
            try:
                listener(records)
            except Exception:  # the others are to hear of them all the same
                logger.exception("a listener did not take %d runs", len(records))

    def close(self) -> None:
        """Tells what is gathered; from now on each run is told by itself."""
        self._later = None
        self.deliver()

    def line(self, record: LineRecord) -> None:
        """A worker printed a line."""
        for listener in self._lines:
            listener(record)

    def death(self, record: DeathRecord) -> None:
        """A sandbox ended, and its owner should know why."""
        self.deliver()
        for listener in self._deaths:
            listener(record)

    def measure(self, record: MeasureRecord) -> None:
        """A worker measured something itself."""
        for listener in self._measures:
            listener(record)

    def on_runs(self, listener: RunsListener) -> Stop:
        self._runs = (*self._runs, listener)

        def stop() -> None:
            self._runs = tuple(each for each in self._runs if each is not listener)

        return stop

    def on_notable_runs(self, listener: RunsListener) -> Stop:
        """Only of runs that threw, did not end well, or have findings: what is about those costs the others nothing."""
        self._notable_runs = (*self._notable_runs, listener)

        def stop() -> None:
            self._notable_runs = tuple(each for each in self._notable_runs if each is not listener)

        return stop

    def on_line(self, listener: Callable[[LineRecord], None]) -> Stop:
        self._lines = (*self._lines, listener)

        def stop() -> None:
            self._lines = tuple(each for each in self._lines if each is not listener)

        return stop

    def on_death(self, listener: Callable[[DeathRecord], None]) -> Stop:
        self._deaths = (*self._deaths, listener)

        def stop() -> None:
            self._deaths = tuple(each for each in self._deaths if each is not listener)

        return stop

    def on_measure(self, listener: Callable[[MeasureRecord], None]) -> Stop:
        self._measures = (*self._measures, listener)

        def stop() -> None:
            self._measures = tuple(each for each in self._measures if each is not listener)

        return stop
