"""Where the gateway and the pool tell what happened, and everything that keeps, counts or forwards it listens.

Called on the loop, in the request path: a listener returns at once, and does what takes longer by itself later.
"""

from __future__ import annotations

from collections.abc import Callable

from v8box.telemetry.records import DeathRecord, LineRecord, MeasureRecord, RunRecord

Stop = Callable[[], None]
"""Ends what was asked for. Calling it twice changes nothing."""


class Feed:
    """Tells every listener of each record, in the order in which they came to listen."""

    def __init__(self) -> None:
        # Tuples: a listener that comes or goes while one is told does not disturb the round.
        self._runs: tuple[Callable[[RunRecord], None], ...] = ()
        self._notable_runs: tuple[Callable[[RunRecord], None], ...] = ()
        self._lines: tuple[Callable[[LineRecord], None], ...] = ()
        self._deaths: tuple[Callable[[DeathRecord], None], ...] = ()
        self._measures: tuple[Callable[[MeasureRecord], None], ...] = ()

    def run(self, record: RunRecord) -> None:
        """A run is over."""
        for listener in self._runs:
            listener(record)
        if record.outcome != "ok" or record.error is not None or record.findings:
            for listener in self._notable_runs:
                listener(record)

    def line(self, record: LineRecord) -> None:
        """A worker printed a line."""
        for listener in self._lines:
            listener(record)

    def death(self, record: DeathRecord) -> None:
        """A sandbox ended, and its owner should know why."""
        for listener in self._deaths:
            listener(record)

    def measure(self, record: MeasureRecord) -> None:
        """A worker measured something itself."""
        for listener in self._measures:
            listener(record)

    def on_run(self, listener: Callable[[RunRecord], None]) -> Stop:
        self._runs = (*self._runs, listener)

        def stop() -> None:
            self._runs = tuple(each for each in self._runs if each is not listener)

        return stop

    def on_notable_run(self, listener: Callable[[RunRecord], None]) -> Stop:
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
