"""What the box asks about itself, put together: the services, and everything else that is looked at.

A new check is one `Probe` in `open_health`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from v8box.api.operations import MAX_RUNNING, Operations
from v8box.app.telemetry import Telemetry
from v8box.bindings.registry import Services
from v8box.catalog.projects import Usage
from v8box.features.health import machine, stores
from v8box.features.health.certificates import HANDSHAKE_SECONDS, Certificates
from v8box.features.health.model import Finding
from v8box.features.health.probe import Probe, in_thread
from v8box.features.health.processors import ProcessorWatch
from v8box.features.health.service import Check, Health
from v8box.kit.phrases import phrase
from v8box.pool.pool import Pool
from v8box.sandbox.rungs import Rung
from v8box.sandbox.spawner import Spawner
from v8box.settings import Settings
from v8box.telemetry.store import MAX_HELD

_MACHINE_SECONDS = 5.0
_SELDOM_SECONDS = 60.0
_CERTIFICATE_SECONDS = 900.0


def open_health(
    settings: Settings,
    *,
    services: Services,
    more: dict[str, Check],
    telemetry: Telemetry,
    operations: Operations,
    usage: Usage,
    pool: Pool,
    spawner: Spawner,
    missing_rungs: Sequence[Rung],
) -> Health:
    """`more`: services that are not behind a binding."""
    data, wanted = settings.data_directory, settings.health
    started = time.monotonic()

    def backup() -> Finding:
        up = time.monotonic() - started
        return stores.backup(data / "catalog.db", data / "backups", up_seconds=up, now=time.time())

    async def info() -> str:
        reply = await services.cache.execute_own(("INFO", "memory"))
        return reply.decode() if isinstance(reply, bytes) else ""

    def stopped() -> str | None:
        if spawner.died.done():
            return phrase("spawner_gone", "the process that starts sandboxes is gone")
        return phrase("box_stopping", "the box is stopping") if pool.stopping else None

    disk = partial(machine.disk, data, warn_mb=wanted.disk_warn_mb, critical_mb=wanted.disk_critical_mb)
    backlogs: tuple[stores.Backlog, ...] = (
        stores.Backlog(
            name="run log",
            waiting=lambda: telemetry.runs.held,
            most=MAX_HELD,
            lost=lambda: telemetry.runs.dropped,
            advice=phrase(
                "look_disk", "look whether the disk is full or slow: runs and log lines are dropped, never requests"
            ),
        ),
        stores.Backlog(
            name="operations",
            waiting=lambda: operations.running,
            most=MAX_RUNNING,
            advice=phrase("wait_for_work", "wait for long work to end, or cancel some: GET /api/v1/operations"),
        ),
        stores.Backlog(
            name="usage of past days",
            waiting=lambda: usage.unwritten,
            most=2,
            advice=phrase("write_catalog", "look in the log why the platform's database cannot be written"),
        ),
    )
    if (exporter := telemetry.exporter) is not None:
        backlogs += (
            stores.Backlog(
                name="spans and lines for the collector",
                waiting=lambda: exporter.held,
                most=exporter.most,
                lost=lambda: exporter.dropped,
                advice=phrase(
                    "look_exporter",
                    "look in the log why OTEL_EXPORTER_OTLP_ENDPOINT does not take them, or lower "
                    "OTEL_TRACES_SAMPLER_ARG",
                ),
            ),
        )
    probes = [
        Probe("disk", in_thread(disk), keep_seconds=_MACHINE_SECONDS),
        Probe("memory", in_thread(lambda: machine.memory(machine.read_memory())), keep_seconds=_MACHINE_SECONDS),
        Probe("cpu", in_thread(ProcessorWatch().look), keep_seconds=_MACHINE_SECONDS),
        Probe("clock", in_thread(machine.ClockWatch().look), keep_seconds=_MACHINE_SECONDS),
        Probe("backlog", stores.BacklogWatch(backlogs).look, keep_seconds=_MACHINE_SECONDS),
        Probe("backup", in_thread(backup), keep_seconds=_SELDOM_SECONDS),
        Probe("cache memory", stores.valkey_memory(info), keep_seconds=_MACHINE_SECONDS),
        Probe("confinement", stores.confinement(lambda: missing_rungs), keep_seconds=_SELDOM_SECONDS),
    ]
    if places := certificate_places(settings):
        certificates = Certificates(places, warn_days=wanted.certificate_warn_days)
        probes.append(
            Probe(
                "certificates",
                certificates.look,
                keep_seconds=_CERTIFICATE_SECONDS,
                keep_failure_seconds=_SELDOM_SECONDS,
                timeout_seconds=3 * HANDSHAKE_SECONDS,
            )
        )
    checks: dict[str, Check] = {name: binding.health for name, binding in services.bindings.items()}
    for own in ("assets", "services"):  # the box's own files and workers: there is no service behind them
        del checks[own]
    workers = stores.workers(lambda: pool.count, pool.settings.max_sandboxes, stopped=stopped, fault=lambda: pool.fault)
    return Health({**checks, **more}, probes, workers)


def certificate_places(settings: Settings) -> Sequence[str]:
    """Whose certificates are looked at."""
    if settings.health.certificates is not None:
        return settings.health.certificates
    domain = settings.box.domain
    return () if domain == "localhost" else (f"admin.{domain}", f"api.{domain}")
