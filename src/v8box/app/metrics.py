"""What Prometheus reads, put together: who is asked for what is not counted by the feed's listener.

A new source is one field of `Sources`, and a family in `features/metrics/box_families`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from v8box.app.telemetry import Telemetry
from v8box.catalog.catalog import Catalog
from v8box.features.health.service import Health
from v8box.features.metrics.scrape import Scraper
from v8box.features.metrics.sources import Check, Sources
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.server import SiteServer
from v8box.gateway.policies.counts import Counts
from v8box.pool.pool import Pool
from v8box.settings import Settings
from v8box.storage import Database
from v8box.telemetry import audit


def open_scraper(
    settings: Settings,
    *,
    database: Database,
    telemetry: Telemetry,
    catalog: Catalog,
    pool: Pool,
    health: Health,
    cache: ResponseCache,
    refusals: Counts,
    sites: SiteServer,
) -> Scraper:
    """What `/metrics` shows."""

    async def checks() -> Sequence[Check]:
        report = await health.report()
        services = {each.name for each in report.services}
        return [
            Check(each.name, each.status, each.latency_ms / 1000, each.name in services)
            for each in (*report.services, *report.checks)
        ]

    async def audited() -> int:
        return await audit.count(database)

    def dropped() -> Mapping[str, int]:
        return {
            "run": telemetry.runs.counts.dropped_runs,
            "line": telemetry.runs.counts.dropped_lines,
            "error": telemetry.errors.dropped,
            "minute": telemetry.rollups.dropped_minutes,
            "measurement": telemetry.custom.dropped,
            **({} if telemetry.exporter is None else {"exported": telemetry.exporter.dropped}),
        }

    sources = Sources(
        look=pool.look,
        states=pool.states,
        max_sandboxes=pool.settings.max_sandboxes,
        checks=checks,
        audited=audited,
        dropped=dropped,
        live=lambda: (len(catalog.routes.workers), sites.live),
        cache=cache,
        refusals=refusals,
        sites=sites.counts,
        data=settings.data_directory,
    )
    return Scraper(telemetry.counters, telemetry.custom, sources, settings.metrics.max_series)
