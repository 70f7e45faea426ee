"""Is the box well? The services behind the bindings, and what else is looked at: a `Report` of all, and what of it
anybody may see.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from v8box.features.health.model import Ask, Finding, Result, Status, worst
from v8box.features.health.probe import Probe
from v8box.kit.phrases import phrase, plain
from v8box.kit.times import rfc3339

CACHE_SECONDS: Final = 2.0

Check = Callable[[], Awaitable[None]]
"""Returns when the service answers, raises when it does not."""

_ADVICE: Final[Mapping[str, str]] = {
    "db": phrase("look_db", "look after the database server or the engine: LIBSQL_URL, the disk, the log of the box"),
    "cache": phrase("look_cache", "look whether Valkey runs and has memory: VALKEY_URL, the log of the box"),
    "s3": phrase(
        "look_s3", "look whether the S3 server answers with these keys: S3_ENDPOINT, or the disk of the data directory"
    ),
    "vault": phrase("look_vault", "look whether Vault is unsealed and the token is good: VAULT_ADDR, VAULT_TOKEN"),
}


class Phase(StrEnum):
    """Where the box is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How everything is. `status` is of all of it; `available` only of the services, which is what `/health` tells."""

    at: float
    """Unix time."""
    services: Sequence[Result]
    checks: Sequence[Result] = field(default=())

    @property
    def available(self) -> bool:
        return all(each.status is Status.OK for each in self.services)

    @property
    def status(self) -> Status:
        return worst([*self.services, *self.checks])

    def public(self) -> dict[str, Any]:
        """What anybody may know: no texts."""
        services = {each.name: _service(each) for each in self.services}
        return {
            "status": "ok" if self.available else "degraded",
            "timestamp": rfc3339(self.at),
            "services": services,
        }

    def full(self) -> dict[str, Any]:
        """For those who may read what went wrong."""
        told = [_check(each) for each in (*self.services, *self.checks)]
        return {**self.public(), "overall": self.status, "checks": told}


class Health:
    """Asks, each thing at most every two seconds, or as seldom as its probe says."""

    def __init__(self, services: Mapping[str, Check], probes: Sequence[Probe] = (), workers: Ask | None = None) -> None:
        """`workers`: whether a worker could be run at this moment; asked by `ready` too."""
        self.phase = Phase.STARTING
        self._started = time.monotonic()
        self._services = tuple(
            Probe(name, _answering(check), keep_seconds=CACHE_SECONDS, advice=_ADVICE.get(name, ""))
            for name, check in services.items()
        )
        self._workers = None if workers is None else Probe("workers", workers, keep_seconds=CACHE_SECONDS)
        self._probes = (*(() if self._workers is None else (self._workers,)), *probes)

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self._started

    async def report(self) -> Report:
        """Everything."""
        results = await asyncio.gather(*(probe.result() for probe in (*self._services, *self._probes)))
        known = len(self._services)
        return Report(at=time.time(), services=results[:known], checks=results[known:])

    async def services(self) -> Report:
        """The services alone."""
        return Report(at=time.time(), services=await asyncio.gather(*(each.result() for each in self._services)))

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether requests may be sent here, and how each thing is that it depends on."""
        asked = (*self._services, *(() if self._workers is None else (self._workers,)))
        results = await asyncio.gather(*(each.result() for each in asked))
        found: dict[str, str] = {"phase": self.phase}
        found |= {each.name: "fail" if each.status is Status.FAIL else "ok" for each in results}
        well = self.phase is Phase.SERVING and all(each.status is not Status.FAIL for each in results)
        return well, found

    async def stop(self) -> None:
        await asyncio.gather(*(probe.stop() for probe in (*self._services, *self._probes)))


def _answering(check: Check) -> Ask:
    async def ask() -> Finding:
        await check()
        return Finding(Status.OK, phrase("answers", "answers"))

    return ask


def _service(result: Result) -> dict[str, Any]:
    return {"status": "ok" if result.status is Status.OK else "down", "latency_ms": result.latency_ms}


def _check(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "status": result.status,
        "latency_ms": result.latency_ms,
        "value": str(result.finding.value),
        "value_parts": plain(result.finding.value),
        "advice": str(result.finding.advice),
        "advice_parts": plain(result.finding.advice),
        "share": None if result.finding.share is None else round(result.finding.share, 4),
    }
