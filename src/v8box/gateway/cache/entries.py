"""One kept answer: what was said, for how long it is good, and what it belongs to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final, NamedTuple

from v8box.gateway.cache.directives import TARGETED, Freshness

HeaderList = list[tuple[bytes, bytes]]

MAX_TAGS: Final = 500
MAX_TAG_CHARACTERS: Final = 1_024
OVERHEAD_BYTES: Final = 1_200
"""What an entry costs beside its body, its headers and its key."""
VALIDATED_SECONDS: Final = 3_600.0
"""For how long an answer that can be asked for again is kept after it went stale."""

_OF_A_TRANSFER: Final = frozenset(
    {b"content-length", b"x-request-id", b"server", b"server-timing", b"age", b"cache-tag", *TARGETED}
)
_OF_THE_BODY: Final = frozenset({b"content-encoding", b"content-type", b"content-range", b"content-length"})
_serials: Final = itertools.count(1)


class Owner(NamedTuple):
    """Whose answers they are: `worker` or `site` is the kind."""

    project: str
    kind: str
    name: str


class Belongs(NamedTuple):
    """What an entry is purged with. `group`: what a deploy changes, a worker in one environment or a site at one
    host."""

    owner: Owner
    group: str
    path: str
    tags: tuple[str, ...]


class Entry:
    """Never changed, but for what is remembered about it (`checked`, `retry_at`)."""

    __slots__ = (
        "belongs", "body", "born", "checked", "etag", "fresh", "headers", "last_modified", "retry_at", "serial", "size",
        "status", "stored_at", "varies",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        headers: HeaderList,
        body: bytes,
        fresh: Freshness,
        belongs: Belongs,
        *,
        stored_at: float,
        born: int,
        varies: tuple[str, ...] = (),
        serial: int = 0,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.fresh = fresh
        self.belongs = belongs
        self.stored_at = stored_at
        """The loop's time."""
        self.born = born
        """The moment of purges at which it was asked for: what is purged later concerns it."""
        self.checked = born
        self.varies = varies
        self.serial = serial or next(_serials)
        self.retry_at = 0.0
        """When it may be refreshed in the background again, after that failed."""
        self.etag = _first(headers, b"etag")
        self.last_modified = _first(headers, b"last-modified")
        tags = sum(len(tag) + 60 for tag in belongs.tags)
        self.size = OVERHEAD_BYTES + len(body) + tags + sum(len(name) + len(value) + 80 for name, value in headers)

    def age(self, now: float) -> float:
        return self.fresh.age + max(0.0, now - self.stored_at)

    def left(self, now: float) -> float:
        """Seconds for which it is fresh; negative since when it is stale."""
        return self.fresh.lifetime - self.age(now)

    def is_fresh(self, now: float) -> bool:
        return self.fresh.lifetime - self.fresh.age - now + self.stored_at > 0

    @property
    def can_be_validated(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def is_useless(self, now: float) -> bool:
        """Whether nobody can use it for anything any more."""
        more = max(self.fresh.while_revalidating, self.fresh.if_error, VALIDATED_SECONDS * self.can_be_validated)
        return self.left(now) + more <= 0

    def revalidated(self, headers: HeaderList, fresh: Freshness, *, stored_at: float, born: int) -> Entry:
        """The same answer with what a 304 says anew (RFC 9111 §3.2)."""
        merged = merge(self.headers, headers)
        lines = [value for name, value in headers if name == b"cache-tag"]
        tags = read_tags(lines) if lines else self.belongs.tags
        return Entry(
            self.status,
            storable(merged),
            self.body,
            fresh,
            self.belongs._replace(tags=tags),
            stored_at=stored_at,
            born=born,
            varies=self.varies,
        )


def merge(kept: HeaderList, newer: HeaderList) -> HeaderList:
    """The kept headers with those of a 304 in place of the same ones."""
    changed = {name for name, _ in newer} - _OF_THE_BODY
    return [pair for pair in kept if pair[0] not in changed] + [pair for pair in newer if pair[0] in changed]


def storable(headers: HeaderList) -> HeaderList:
    """The headers that belong to the answer, without those of one transfer and those for caches."""
    return [pair for pair in headers if pair[0] not in _OF_A_TRANSFER]


def without_cache_headers(headers: HeaderList) -> HeaderList:
    """The headers of an answer that is passed on, without those that are for caches such as this one."""
    return [pair for pair in headers if pair[0] not in _FOR_CACHES]


_FOR_CACHES: Final = frozenset({b"cache-tag", *TARGETED})


def read_tags(lines: Iterable[bytes]) -> tuple[str, ...]:
    """The tags of Cache-Tag; what is beyond the bounds is left out."""
    found: dict[str, None] = {}
    for line in lines:
        for part in line.decode("latin-1").split(","):
            tag = part.strip()
            if tag and len(tag) <= MAX_TAG_CHARACTERS and len(found) < MAX_TAGS:
                found[tag] = None
    return tuple(found)


def _first(headers: HeaderList, name: bytes) -> str | None:
    return next((value.decode("latin-1") for known, value in headers if known == name), None)
