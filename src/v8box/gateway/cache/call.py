"""A request as the cache sees it: what it asks for, how the answer is got, and how an answer is dressed for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from v8box.catalog.model import Route
from v8box.catalog.policies import CacheRules
from v8box.catalog.sites import SiteRoute
from v8box.gateway.cache.directives import read_directives
from v8box.gateway.cache.entries import HeaderList, Owner
from v8box.gateway.cache.groups import group_of
from v8box.gateway.cache.keys import Key, matcher
from v8box.gateway.policies.api_keys import KEY_ID_HEADER

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Pairs = list[tuple[str, str]]
Fetch = Callable[[Receive, Send, Pairs, str | None], Awaitable[None]]
"""Asks whoever answers: with these headers, and with this query in place of the request's. Raises what the gateway
knows."""
Finish = Callable[[HeaderList], HeaderList]

CONDITIONAL: Final = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"}
)
_CREDENTIALS: Final = frozenset({"authorization", "x-api-key", KEY_ID_HEADER})
_OF_INTEREST: Final = CONDITIONAL | _CREDENTIALS | {"cache-control", "pragma", "cookie"}


@dataclass(slots=True, kw_only=True)
class CacheCall:
    """`pairs` are the request's headers as the worker would see them; names in lower case."""

    rules: CacheRules
    owner: Owner
    live: Route | SiteRoute
    """What is purged together when it changes."""
    address: Key | None
    """None: the address is one that is not kept."""
    passed_query: str | None
    """The query for an answer that is kept, where it is not the request's own."""
    method: str
    pairs: Pairs
    has_body: bool
    request_id: bytes
    receive: Receive
    send: Send
    fetch: Fetch
    with_credentials: bool = True
    """Whether the request's credentials are told to whoever answers; then they may matter."""
    finish: Finish | None = None
    """Puts on what policies say of this one request."""
    extra: Sequence[tuple[bytes, bytes]] = ()
    found: dict[str, str] = field(default_factory=dict)
    """Those of the headers that matter here."""
    told: bytes = b""
    """Cache-Status, once it is known."""
    status: int = 0

    def __post_init__(self) -> None:
        found = self.found
        for name, value in self.pairs:
            if name in _OF_INTEREST:
                found[name] = f"{found[name]}, {value}" if name in found else value

    @property
    def group(self) -> str:
        return group_of(self.live)

    @property
    def is_credentialed(self) -> bool:
        return self.with_credentials and not _CREDENTIALS.isdisjoint(self.found)

    @property
    def only_if_cached(self) -> bool:
        control = self.found.get("cache-control")
        return control is not None and "only-if-cached" in read_directives((control,))

    @property
    def wants_fresh(self) -> bool:
        """Whether the client asks that the answer be looked after, and is allowed to."""
        if not self.rules.client_may_revalidate:
            return False
        control = self.found.get("cache-control")
        if control is None:
            return "no-cache" in self.found.get("pragma", "").lower()
        directives = read_directives((control,))
        return "no-cache" in directives or directives.get("max-age") == "0"

    def why_not(self) -> bytes | None:
        """What makes the request none for the cache: the words of Cache-Status."""
        if self.method not in ("GET", "HEAD"):
            return b"fwd=method"
        if self.has_body:
            return b"fwd=bypass; detail=body"
        if self.address is None:
            return b"fwd=bypass; detail=query"
        if self.rules.bypass_cookies and (cookies := self.found.get("cookie")) is not None:
            named = matcher(self.rules.bypass_cookies)
            if any(named(part.partition("=")[0].strip()) for part in cookies.replace(",", ";").split(";")):
                return b"fwd=bypass; detail=cookie"
        return None

    def unconditional(self) -> Pairs:
        """The headers with which an answer is asked for that is to be kept."""
        if CONDITIONAL.isdisjoint(self.found):
            return self.pairs
        return [pair for pair in self.pairs if pair[0] not in CONDITIONAL]
