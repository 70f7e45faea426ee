"""One look of Prometheus: everything asked, written down in the form it accepts, in a thread.

Several at a time get the same answer. The library that knows the forms is imported at the first look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any, Final

from v8box.features.metrics.sources import Snapshot, Sources, ask
from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.custom import Custom

_FRESH_SECONDS: Final = 1.0
_AT_ONCE: Final = 25
_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
_log: Final = logging.getLogger(__name__)


class Scraper:
    """Looks at everything. Looks that come within a second of one in the same form get its answer."""

    def __init__(self, counters: Counters, custom: Custom, sources: Sources, most_series: int) -> None:
        self._counters = counters
        self._custom = custom
        self._sources = sources
        self._most = most_series
        self._warned = False
        self._looking = asyncio.Lock()
        self._kept: dict[bool, tuple[float, str, bytes]] = {}

    async def scrape(self, *, openmetrics: bool) -> tuple[str, bytes]:
        """The media type and the text."""
        async with self._looking:
            kept = self._kept.get(openmetrics)
            if kept is None or time.monotonic() - kept[0] > _FRESH_SECONDS:
                found = await ask(self._sources)
                kind, body = await asyncio.to_thread(self._write, found, openmetrics)
                kept = self._kept[openmetrics] = (time.monotonic(), kind, body)
            return kept[1], kept[2]

    def _write(self, found: Snapshot, openmetrics: bool) -> tuple[str, bytes]:
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(_OPENMETRICS if openmetrics else "text/plain; version=0.0.4")
        written: bytes = encode(_Collected(self._collect(found)))
        return kind, written

    def _collect(self, found: Snapshot) -> list[Any]:
        from v8box.features.metrics.box_families import add_box
        from v8box.features.metrics.custom_families import add_custom
        from v8box.features.metrics.families import Families
        from v8box.features.metrics.run_families import add_runs

        families = Families(self._most)
        add_runs(families, self._counters.all())
        add_custom(families, self._custom.all())
        add_box(families, self._sources, found)
        families.gauge("v8box_metrics_series", "Time series that were shown.", (), {(): families.shown})
        families.gauge(
            "v8box_metrics_dropped_series",
            "Time series that were left out, since V8BOX_METRICS_SERIES was reached, by family.",
            ("family",),
            {(name,): count for name, count in families.dropped.items()},
        )
        if families.dropped and not self._warned:
            self._warned = True
            _log.warning(
                "/metrics leaves time series out: %s have more than V8BOX_METRICS_SERIES (%d)",
                ", ".join(sorted(families.dropped)),
                self._most,
            )
        return families.all


class _Collected:
    """What the library takes for a registry."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> Iterator[Any]:
        for family in self._families:
            family.samples = _Politely(family.samples)
            yield family


class _Politely(list[Any]):
    """Whoever goes through it lets the other threads have a turn now and then: the interpreter would let requests wait
    five milliseconds for each."""

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]
            time.sleep(0)
