"""The families of the box itself, and of what is counted elsewhere: they are asked for at each look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from v8box import __version__
from v8box.features.metrics.families import Families, Labels
from v8box.features.metrics.sources import STARTED, Check, Snapshot, Sources
from v8box.kit import procfs
from v8box.pool.group import GroupState
from v8box.telemetry.metrics.figures import STATUS_CLASSES

_WORKER: Final = ("project", "environment", "worker")


def add_box(families: Families, sources: Sources, found: Snapshot) -> None:
    """Runs in a thread."""
    _add_workers(families, found.states)
    _add_counts(families, sources)
    families.gauge(
        "v8box_sandboxes",
        "Processes that workers run in, by state; blanks wait for a worker.",
        ("state",),
        {(state,): count for state, count in found.sandboxes.items()},
    )
    families.gauge("v8box_sandboxes_max", "How many there may be.", (), {(): sources.max_sandboxes})
    families.gauge("v8box_workers", "Workers that are live, in all environments.", (), {(): found.live[0]})
    families.gauge("v8box_sites", "Sites that are live.", (), {(): found.live[1]})
    _add_checks(families, found.checks)
    families.counter("v8box_audit_entries", "Changes that the audit log has seen.", (), {(): found.audited})
    families.counter(
        "v8box_telemetry_dropped",
        "What was lost because it came faster than it is taken, by kind.",
        ("kind",),
        {(kind,): count for kind, count in found.dropped.items()},
    )
    _add_machine(families, sources.data)
    families.gauge("v8box_build_info", "Always 1; the version of the box.", ("version",), {(__version__,): 1})


_OF_WORKERS: Final[Sequence[tuple[str, str, Callable[[GroupState], float]]]] = (
    ("v8box_worker_inflight", "Runs that are going on.", lambda state: state.inflight),
    ("v8box_worker_waiting", "Requests that wait for a sandbox.", lambda state: state.waiting),
    ("v8box_worker_sandboxes", "Processes that the worker has.", lambda state: state.sandboxes),
    ("v8box_worker_memory_bytes", "Memory of all of the worker's sandboxes.", lambda state: state.memory_bytes),
)


def _add_workers(families: Families, states: Sequence[GroupState]) -> None:
    for name, about, value in _OF_WORKERS:
        found: dict[Labels, float] = {}
        for state in states:
            placement = state.placement
            labels = (placement.project, placement.environment, placement.worker)
            found[labels] = found.get(labels, 0) + value(state)
        families.gauge(name, about, _WORKER, found)


def _add_counts(families: Families, sources: Sources) -> None:
    families.counter(
        "v8box_cache_requests",
        "Requests that came to the response cache, by how they were answered.",
        ("project", "kind", "name", "result"),
        {
            (owner.project, owner.kind, owner.name, result): count
            for owner, counts in sources.cache.counts.all().items()
            for result, count in counts.items()
        },
    )
    store = sources.cache.store
    families.gauge(
        "v8box_response_cache_bytes",
        "What the response cache holds.",
        ("tier",),
        {("memory",): store.memory.bytes, ("disk",): store.disk.bytes},
    )
    families.counter(
        "v8box_policy_refusals",
        "Requests that a policy refused, or would have in a dry run.",
        (*_WORKER, "code", "dry_run"),
        {
            (each.project, each.environment, each.worker, each.code, str(each.dry_run).lower()): each.count
            for each in sources.refusals.all()
        },
    )
    counts = list(sources.sites)
    families.counter(
        "v8box_pages_requests",
        "Requests that sites answered.",
        ("project", "site", "status_class"),
        {
            (*key, name): count.statuses[index]
            for key, count in counts
            for index, name in enumerate(STATUS_CLASSES)
            if count.statuses[index]
        },
    )
    families.counter(
        "v8box_pages_bytes",
        "Bytes of files and pages that sites sent.",
        ("project", "site"),
        {key: count.bytes for key, count in counts},
    )


def _add_checks(families: Families, checks: Sequence[Check]) -> None:
    services = [each for each in checks if each.service]
    families.gauge(
        "v8box_service_up",
        "Whether a service behind the workers answers.",
        ("service",),
        {(each.name,): float(each.status == "ok") for each in services},
    )
    families.gauge(
        "v8box_service_latency_seconds",
        "How long it took to answer.",
        ("service",),
        {(each.name,): each.seconds for each in services},
    )
    families.gauge(
        "v8box_health_check_status",
        "The checks of the box's health: 0 is well, 1 a warning, 2 a failure.",
        ("check",),
        {(each.name,): {"ok": 0, "warn": 1}.get(each.status, 2) for each in checks if not each.service},
    )


def _add_machine(families: Families, data: Path) -> None:
    used = os.times()
    families.counter(
        "v8box_process_cpu_seconds",
        "Processor time of the box itself, without workers.",
        (),
        {(): used.user + used.system},
    )
    families.gauge(
        "v8box_process_memory_bytes", "Memory of the box itself, without workers.", (), {(): procfs.resident_bytes()}
    )
    families.gauge("v8box_process_open_files", "Files and sockets.", (), {(): len(os.listdir("/proc/self/fd"))})
    families.gauge("v8box_start_time_seconds", "When the box was started, in Unix time.", (), {(): STARTED})
    total, available = procfs.machine_memory()
    families.gauge("v8box_machine_memory_bytes", "Memory of the machine.", (), {(): total})
    families.gauge("v8box_machine_memory_available_bytes", "What a program could still get of it.", (), {(): available})
    try:
        disk = shutil.disk_usage(data)
    except OSError:
        return
    families.gauge("v8box_disk_bytes", "The disk that the data directory is on.", (), {(): disk.total})
    families.gauge("v8box_disk_free_bytes", "What is free of it.", (), {(): disk.free})
