"""What the box knows of what happened, put together: one feed, and who listens to it.

A new listener is one field, and a few lines in `open_telemetry`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from v8box import __version__
from v8box.app.deployed import Deployed
from v8box.app.sentry import build_forwarder
from v8box.catalog.catalog import Catalog
from v8box.catalog.model import RouteTable
from v8box.catalog.variables import Variables
from v8box.features.errors import Errors
from v8box.features.errors.sentry import Forwarder
from v8box.features.kills import KillReports
from v8box.features.slow import SlowLog
from v8box.kit.tasks import TaskSet
from v8box.settings import Settings
from v8box.storage import Database
from v8box.telemetry.feed import GATHER_SECONDS, Feed
from v8box.telemetry.intake import Intake, Kept
from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.custom import Custom
from v8box.telemetry.metrics.rollups import Rollups
from v8box.telemetry.metrics.store import MetricsStore
from v8box.telemetry.otlp import Exporter
from v8box.telemetry.rates import Rates
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore
from v8box.telemetry.tail import Tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Who is told what happened (`feed`), and those who keep it."""

    feed: Feed
    runs: RunStore
    tail: Tail
    rates: Rates
    counters: Counters
    custom: Custom
    rollups: Rollups
    kills: KillReports
    slow: SlowLog
    errors: Errors
    forwarder: Forwarder
    exporter: Exporter | None
    """Where a collector is set."""


async def open_telemetry(
    settings: Settings,
    data: Path,
    database: Database,
    catalog: Catalog,
    variables: Variables,
    stack: AsyncExitStack,
    tasks: TaskSet,
) -> Telemetry:
    """Opens what keeps, counts and forwards what the feed tells. Whatever is to be closed goes on `stack`, what goes on
    for the box's whole life in `tasks`."""
    feed = Feed(partial(asyncio.get_running_loop().call_later, GATHER_SECONDS))

    logs = settings.logs
    runs = await RunStore.open(data / "logs", budget_bytes=logs.budget_mb * 1024 * 1024, days=logs.days)
    stack.push_async_callback(runs.close)
    tasks.forever(runs.write_forever(), "run store")
    rings = Rings()
    intake = Intake(runs, rings, lines_per_second=logs.lines_per_second)
    tasks.forever(intake.tell_forever(), "lines that were left out")
    feed.on_runs(intake.runs)
    feed.on_line(intake.line)

    kills = await KillReports.open(database)
    stack.push_async_callback(kills.close)
    kills.listen(feed)
    tasks.forever(kills.write_forever(), "kill reports")

    slow = await SlowLog.open(database)
    stack.push_async_callback(slow.close)
    slow.listen(feed)
    tasks.forever(slow.run(), "slow log")
    errors = await Errors.open(database, Deployed(catalog), days=settings.errors.days)
    stack.push_async_callback(errors.close)
    tasks.forever(errors.write_forever(), "errors of workers")
    errors.listen(feed)
    forwarder = build_forwarder(settings, catalog, variables)
    stack.push_async_callback(forwarder.stop)
    tasks.forever(forwarder.run(), "errors to Sentry")
    errors.watch(forwarder.take)

    rates = Rates()

    def follow(routes: RouteTable) -> None:
        intake.follow(_kept(routes))
        rates.follow([share.placement.key for route in routes.workers.values() for share in route.shares])

    follow(catalog.routes)
    catalog.subscribe(follow)

    counters = Counters()
    feed.on_runs(counters.on_runs)
    feed.on_line(counters.on_line)
    feed.on_death(counters.on_death)
    custom = Custom(feed.line)
    feed.on_measure(custom.on_measure)
    store = await MetricsStore.open(data / "metrics.db", settings.metrics.budget_bytes)
    rollups = Rollups(counters, store, custom=custom)
    stack.push_async_callback(rollups.close)
    tasks.forever(rollups.run(), "metrics")

    exporter = None
    if settings.otlp.endpoint is not None:
        exporter = Exporter(settings.otlp, __version__)
        stack.push_async_callback(exporter.close)
        exporter.listen(feed)
        exporter.start()

    stack.callback(feed.close)  # before any of those who listen

    return Telemetry(
        feed=feed,
        runs=runs,
        tail=Tail(runs, rings),
        rates=rates,
        counters=counters,
        custom=custom,
        rollups=rollups,
        kills=kills,
        slow=slow,
        errors=errors,
        forwarder=forwarder,
        exporter=exporter,
    )


def _kept(routes: RouteTable) -> dict[str, Kept]:
    """The versions that want less than everything to be kept."""
    placements = (share.placement for route in routes.workers.values() for share in route.shares)
    wanted = {each.id: each.manifest.observability for each in placements}
    return {
        version: Kept(each.sampling, each.logs)
        for version, each in wanted.items()
        if each.sampling < 1 or not each.logs
    }
