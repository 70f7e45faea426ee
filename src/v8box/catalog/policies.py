"""The records of a manifest that say under which rules a worker is called, and when it runs by itself.

What the gateway decides before a sandbox is woken is in `PolicyRules`; a worker that asks for nothing has `NO_RULES`.
All are immutable and a part of the version, so a rollback brings the rules of its time back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ApiKeyUse = Literal["none", "optional", "required"]
WhenDown = Literal["allow", "deny"]
Overlap = Literal["skip", "queue", "allow"]
CatchUp = Literal["none", "last", "all"]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CORS_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS: Final = ("authorization", "content-type", "x-api-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages of other origins may call the worker. `origins`: exact, `https://*.example.com`, or `*`."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = CORS_METHODS
    headers: tuple[str, ...] = CORS_HEADERS
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age_seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many requests in a window, for each address (`ip`), API key (`key`), value of a header (`header:<name>`), or
    for all together (`worker`). `burst`: how many may come at once, 0 for `limit`."""

    limit: int
    window_seconds: int
    burst: int = 0
    by: str = "ip"
    dry_run: bool = False
    when_down: WhenDown = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may call: addresses in `deny_ips` never, with `allow_ips` only those; an API key if it is asked for."""

    api_key: ApiKeyUse = "none"
    allow_ips: tuple[str, ...] = ()
    deny_ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """What a request may be. No `methods`: any; no `max_body_mb`: what the box accepts."""

    max_body_mb: int | None = None
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsSchema:
    """What `params` must look like: a JSON Schema as text, or the export of the worker that it is made of at deploy
    (then `params` is what was made of it, empty before)."""

    params: str = ""
    export: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """What a browser is shown instead of the box's own error. `file` is as the manifest names it."""

    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRules:
    """Everything that is decided before a sandbox is woken. `error_pages` by status, or `4xx` and `5xx`."""

    cors: Cors | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    auth: Auth = Auth()
    requests: RequestRules = RequestRules()
    schema: ParamsSchema | None = None
    error_pages: Mapping[str, ErrorPage] = field(default_factory=lambda: MappingProxyType({}))


NO_RULES: Final = PolicyRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRules:
    """Whether and how the box keeps a worker's answers. Of names in `vary_by_query`, `ignore_query` and
    `bypass_cookies` a `*` at the end stands for anything."""

    enabled: bool = False
    default_ttl_seconds: int = 0
    vary_by_query: tuple[str, ...] = ()
    """The parameters that count; none: all."""
    ignore_query: tuple[str, ...] = ()
    bypass_cookies: tuple[str, ...] = ()
    client_may_revalidate: bool = False
    keep_on_deploy: bool = False


NO_CACHE: Final = CacheRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a worker runs by itself. `retries`: milliseconds before each new try; `timeout_s` 0: `limits.wall_ms`."""

    cron: str
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    catch_up: CatchUp = "none"
    retries: tuple[int, ...] = ()
    jitter_s: int = 0
    timeout_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConsumer:
    """A queue whose messages a worker takes, so many at a time."""

    queue: str
    batch_size: int = 10
    batch_wait_s: int = 5
    retries: int = 3
    retry_delay_s: int = 0
    dead_letter_queue: str = ""
    concurrency: int = 1
