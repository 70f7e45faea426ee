"""The policies of a worker, in the order in which they are asked. This list is the order: there is no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from v8box.catalog.model import Manifest, Placement
from v8box.errors import V8BoxError
from v8box.gateway.policies import (
    addresses,
    api_keys,
    cors,
    error_pages,
    methods,
    quota,
    rate_limits,
    sizes,
    validation,
)
from v8box.gateway.policies.counts import Counts
from v8box.gateway.policies.keyring import Keyring
from v8box.gateway.policies.limiter import Limiter
from v8box.gateway.policies.passage import Passage

Step = Callable[[Passage], None]
"""Looks at a request. Raises `Refused`."""


class Policy(Protocol):
    """One of them, compiled for a worker."""

    def ask(self, passage: Passage) -> None:
        """Raises `Refused`."""


class Usage(Protocol):
    """What projects have used of their quotas. From memory, never waits."""

    def over(self, project: str) -> V8BoxError | None:
        """The refusal, when the project has used up what it may."""

    def add(self, project: str, cpu_seconds: float) -> None:
        """Counts a run that is over."""


class Unmetered:
    """Nobody counts."""

    def over(self, _project: str) -> None:
        return None

    def add(self, _project: str, _cpu_seconds: float) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What policies are compiled with: all that outlives one worker's version."""

    keyring: Keyring
    limiter: Limiter
    counts: Counts
    usage: Usage = field(default_factory=Unmetered)


ORDER: Final[Mapping[str, Callable[[Placement, Parts], Policy | None]]] = {
    "addresses": lambda placement, parts: addresses.compile_step(placement.manifest.rules.auth),
    "methods": lambda placement, parts: methods.compile_step(placement.manifest.rules),
    "cors": lambda placement, parts: cors.compile_step(placement.manifest.rules.cors),
    "api key": lambda placement, parts: api_keys.compile_step(placement, parts.keyring),
    "rate limits": lambda placement, parts: rate_limits.compile_step(placement, parts.limiter, parts.counts),
    "quota": lambda placement, parts: quota.compile_step(placement, parts.usage),
}
"""After these come, for a request that has a body, its size; then the params are validated, which may mean to read the
body; and then the pool is asked for a sandbox."""


class Policies:
    """What one worker's version asks of its callers, ready to be asked."""

    __slots__ = ("cors", "counts", "pages", "placement", "size", "steps", "validation")

    def __init__(self, placement: Placement, parts: Parts) -> None:
        rules = placement.manifest.rules
        self.placement = placement
        self.counts = parts.counts
        self.steps: tuple[Step, ...] = tuple(
            policy.ask for make in ORDER.values() if (policy := make(placement, parts)) is not None
        )
        self.validation = validation.compile_check(rules.schema)
        self.size = sizes.SizeCheck(rules.requests)
        self.cors = cors.compile_headers(rules.cors)
        self.pages = error_pages.compile_pages(rules.error_pages)


def describe(manifest: Manifest) -> list[dict[str, Any]]:
    """What is asked of a request, in order, for people: `v8box explain`."""
    rules = manifest.rules
    limits = [
        f"{limit.limit} in {limit.window_seconds} s by {limit.by}{' (dry run)' if limit.dry_run else ''}"
        for limit in rules.rate_limits
    ]
    told: dict[str, str | None] = {
        "addresses": addresses.describe(rules.auth),
        "methods": ", ".join(rules.requests.methods) or None,
        "cors": None if rules.cors is None else ", ".join(rules.cors.origins),
        "api key": None if rules.auth.api_key == "none" else rules.auth.api_key,
        "rate limits": "; ".join(limits) or None,
        "quota": "of the project",
        "body size": None if rules.requests.max_body_mb is None else f"{rules.requests.max_body_mb} MiB",
        "validation": None if rules.schema is None else (rules.schema.export or "schema.params"),
        "error pages": ", ".join(rules.error_pages) or None,
    }
    return [{"policy": name, "on": detail is not None, "detail": detail} for name, detail in told.items()]
