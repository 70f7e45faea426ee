"""How often a worker may be called, by whom it is counted, and what the caller is told of it.

All limits are looked at before any is used up: a request that one refuses costs nothing of the others. The headers are
those of the IETF draft (RateLimit, RateLimit-Policy), on answers and on refusals.
"""

from __future__ import annotations

import hashlib
import math
import socket
from collections.abc import Sequence
from time import time
from typing import Final

from v8box.catalog.model import Placement
from v8box.catalog.policies import RateLimit
from v8box.gateway.policies.counts import Counts
from v8box.gateway.policies.limiter import Bucket, Cell, Limiter
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import RateLimited, RateLimitUnavailable

DOWN_SECONDS: Final = 5.0
"""How long requests are counted on this node alone before a limit with `when_down = "deny"` refuses."""
_MAX_REMEMBERED: Final = 8192
_networks: dict[str, str] = {}


class Rule:
    """One limit of one worker, or of a key."""

    __slots__ = ("cell", "dry_run", "header", "is_special", "kind", "label", "must_share", "policy", "prefix")

    def __init__(self, rule: RateLimit, owner: str, label: str) -> None:
        self.cell = Cell(rule)
        self.kind, _, self.header = rule.by.partition(":")
        self.dry_run = rule.dry_run
        self.must_share = rule.when_down == "deny"
        self.is_special = self.dry_run or self.must_share
        self.prefix = f"{owner}|{label}|{rule.by}|{rule.limit}/{rule.window_seconds}/{rule.burst}|"
        self.label = f'"{label}"'.encode()
        self.policy = b"%s;q=%d;w=%d" % (self.label, rule.limit, rule.window_seconds)

    def item(self, used: float) -> bytes:
        """How much is left, as `RateLimit` has it, and in how many seconds all of it is there again."""
        cell = self.cell
        return b"%s;r=%d;t=%d" % (self.label, (cell.burst - used) / cell.interval + 1e-6, math.ceil(used))

    def who(self, passage: Passage) -> str:
        """Whose requests are counted together. Callers without the key or header that is asked for are told apart by
        their address: leaving it out must not be the way around the limit."""
        kind = self.kind
        if kind == "worker":
            return ""
        if kind == "key" and passage.key is not None:
            return "k" + passage.key.id
        if kind == "header" and (value := passage.headers.get(self.header)) is not None:
            return "h" + hashlib.blake2b(value.encode("latin-1"), digest_size=16).hexdigest()
        return "a" + _network(passage.client)


class LimitCheck:
    """The step."""

    __slots__ = ("_by_key", "_counts", "_hit", "_limiter", "_placement", "_policy", "_rules", "_told")

    def __init__(self, placement: Placement, limiter: Limiter, counts: Counts) -> None:
        owner = f"{placement.project}/{placement.worker}/{placement.environment}"
        limits = placement.manifest.rules.rate_limits
        self._rules = [Rule(limit, owner, _label(limits, index)) for index, limit in enumerate(limits)]
        self._policy = _policy_header(self._rules)
        self._limiter = limiter
        self._hit = limiter.hit
        self._counts = counts
        self._placement = placement
        self._by_key: dict[tuple[str, RateLimit], Rule] = {}

    def ask(self, passage: Passage) -> None:
        rules, policy = self._rules, self._policy
        if passage.key is not None and passage.key.rate_limit is not None:
            rules = [*rules, self._rule_of(passage.key.id, passage.key.rate_limit)]
            policy = _policy_header(rules)
        if len(rules) == 1 and not rules[0].is_special:
            self._count_one(passage, rules[0], policy)
        elif rules:
            self._count_all(passage, rules, policy)

    def _count_one(self, passage: Passage, rule: Rule, policy: tuple[bytes, bytes]) -> None:
        """The usual case, made short."""
        cell = rule.cell
        used = self._hit(rule.prefix + rule.who(passage), cell, time())
        if used < 0:
            raise self._refuse(passage, rule, policy, -used)
        passage.left = [(b"ratelimit", rule.item(used)), policy]

    def _count_all(self, passage: Passage, rules: Sequence[Rule], policy: tuple[bytes, bytes]) -> None:
        limiter = self._limiter
        now = time()
        buckets: list[Bucket | None] = []
        for rule in rules:
            bucket = limiter.bucket(rule.prefix + rule.who(passage), rule.cell)
            wait = limiter.wait_seconds(bucket, rule.cell, now)
            if wait or (rule.must_share and self._is_down(now)):
                if not rule.dry_run:
                    raise self._refuse(passage, rule, policy, wait)
                self._counts.refused(self._placement, RateLimited.code, dry_run=True)
                buckets.append(None)
            else:
                buckets.append(bucket)
        left = b""
        for rule, taken in zip(rules, buckets, strict=True):
            if taken is None:
                continue
            used = limiter.take(taken, rule.cell, now)
            if not rule.dry_run:
                left = left + b", " + rule.item(used) if left else rule.item(used)
        if left:
            passage.left = [(b"ratelimit", left), policy]

    def _is_down(self, now: float) -> bool:
        since = self._limiter.down_since
        return since is not None and now - since >= DOWN_SECONDS

    def _refuse(self, passage: Passage, rule: Rule, policy: tuple[bytes, bytes], wait: float) -> Exception:
        if not wait:
            return RateLimitUnavailable(headers=[(b"retry-after", b"1")])
        seconds = math.ceil(wait)
        passage.left = [(b"ratelimit", b"%s;r=0;t=%d" % (rule.label, seconds)), policy]
        cell = rule.cell
        detail = f"Too many requests: {cell.limit} in {cell.window} s are allowed. Try again in {seconds} s."
        fields = {"limit": cell.limit, "window_seconds": cell.window, "retry_after_seconds": seconds}
        return RateLimited(detail, headers=[(b"retry-after", b"%d" % seconds)], fields=fields)

    def _rule_of(self, key_id: str, limit: RateLimit) -> Rule:
        """A key has its limit wherever it is used, so all workers count into one bucket."""
        known = self._by_key.get((key_id, limit))
        if known is None:
            if len(self._by_key) >= _MAX_REMEMBERED:
                self._by_key.clear()
            known = self._by_key[key_id, limit] = Rule(limit, f"key/{key_id}", "api-key")
        return known


def _label(limits: Sequence[RateLimit], index: int) -> str:
    """What a limit is called in the headers: what it is counted by, numbered where that is not enough."""
    kinds = [limit.by.partition(":")[0] for limit in limits]
    before = kinds[:index].count(kinds[index])
    return f"{kinds[index]}-{before + 1}" if before else kinds[index]


def _policy_header(rules: Sequence[Rule]) -> tuple[bytes, bytes]:
    return b"ratelimit-policy", b", ".join(rule.policy for rule in rules if not rule.dry_run)


def _network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: who has one of those has all of it."""
    if ":" not in address:
        return address
    known = _networks.get(address)
    if known is None:
        if len(_networks) >= _MAX_REMEMBERED:
            _networks.clear()
        known = _networks[address] = _shortened(address)
    return known


def _shortened(address: str) -> str:
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address[:64]
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()


def compile_step(placement: Placement, limiter: Limiter, counts: Counts) -> LimitCheck | None:
    rules = placement.manifest.rules
    if not rules.rate_limits and rules.auth.api_key == "none":  # a key may bring a limit of its own
        return None
    return LimitCheck(placement, limiter, counts)
