"""Slowing down those who guess: failed sign-ins are counted per address and per user name, and each beyond the first
few doubles the wait.

An attempt counts as failed when it begins, so that many at once are no way around it. A name's count does not hold up
an address from which its user is signed in: nobody can lock somebody out for good. The counts survive a restart.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from v8box.errors import V8BoxError
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, Transaction, load_queries
from v8box.storage.database import Value

_queries: Final = load_queries("v8box.api.auth")

FORGET_SECONDS: Final = 3_600.0
"""Counts start anew when nothing has failed for so long."""
MOST: Final = 10_000
"""Counts that are kept, in memory and in the database."""


@dataclass(frozen=True, slots=True)
class _Rule:
    free: int
    longest_seconds: float

    def delay(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over < 0 else float(min(self.longest_seconds, 2.0 ** min(over, 30)))


_ADDRESS: Final = _Rule(free=10, longest_seconds=900.0)
_NAME: Final = _Rule(free=5, longest_seconds=60.0)


class TooManyAttempts(V8BoxError):
    """Too many sign-ins have failed. Wait, then try again."""

    status = 429
    code = "too_many_attempts"

    def __init__(self, seconds: float) -> None:
        self.retry_after = max(1, int(seconds + 0.999))
        super().__init__(f"Too many sign-ins have failed. Try again in {self.retry_after} s.")


@dataclass(slots=True)
class _Failures:
    count: int
    at: float


class Attempt:
    """One sign-in that has begun, and counts as failed until it is told otherwise."""

    def __init__(self, throttle: Throttle, address: str, name: str) -> None:
        self._throttle = throttle
        self._keys = (address, name)

    def forgive(self) -> None:
        """It neither failed nor succeeded."""
        for key in self._keys:
            self._throttle.take_back(key)

    def succeed(self) -> None:
        """The name starts anew. The address does not: it may know one password and guess another."""
        self._throttle.take_back(self._keys[0])
        self._throttle.clear(self._keys[1])


class Throttle:
    """The counts. `open` it before use, `stop` it after."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        self._changed: set[str] = set()
        self._tasks = TaskSet()
        self._writing = False

    async def open(self) -> None:
        before = self._clock() - FORGET_SECONDS

        def load(sql: Transaction) -> None:
            sql.execute(_queries["delete_old_failures"], {"before": before})
            for key, count, at in sql.rows(_queries["failures"], {"limit": MOST}):
                self._failures[str(key)] = _Failures(int(str(count)), float(str(at)))

        await self._database.write(load)

    async def stop(self) -> None:
        await self._tasks.cancel()
        await self._write()

    def begin(self, address: str | None, name: str, *, address_is_known: bool) -> Attempt:
        """Raises `TooManyAttempts` for one that comes too early."""
        by_address, by_name = address_key(address), _name_key(name)
        wait = self._wait(by_address, _ADDRESS)
        if not address_is_known:
            wait = max(wait, self._wait(by_name, _NAME))
        if wait > 0:
            raise TooManyAttempts(wait)
        self._count(by_address)
        self._count(by_name)
        return Attempt(self, by_address, by_name)

    def take_back(self, key: str) -> None:
        known = self._failures.get(key)
        if known is not None:
            known.count -= 1
            if known.count <= 0:
                del self._failures[key]
            self._note(key)

    def clear(self, key: str) -> None:
        self._failures.pop(key, None)
        self._note(key)

    def _wait(self, key: str, rule: _Rule) -> float:
        known, now = self._failures.get(key), self._clock()
        if known is None or now - known.at >= FORGET_SECONDS:
            return 0.0
        return min(known.at, now) + rule.delay(known.count) - now

    def _count(self, key: str) -> None:
        now = self._clock()
        known = self._failures.get(key)
        if known is None or now - known.at >= FORGET_SECONDS:
            if known is None and len(self._failures) >= MOST:
                self._make_room()
            self._failures[key] = _Failures(1, now)
        else:
            known.count, known.at = known.count + 1, now
        self._note(key)

    def _make_room(self) -> None:
        """The oldest go, and of those the ones that count least: a flood of new names cannot wash away a high count."""
        now = self._clock()
        found = sorted(self._failures, key=lambda key: (self._failures[key].count, self._failures[key].at))
        old = [key for key in found if now - self._failures[key].at >= FORGET_SECONDS]
        for key in {*old, *found[: MOST // 10]}:
            self.clear(key)

    def _note(self, key: str) -> None:
        self._changed.add(key)
        if not self._writing:
            self._writing = True
            self._tasks.add(self._write(), "failed sign-ins")

    async def _write(self) -> None:
        """What comes while it writes is written next, together."""
        try:
            while self._changed:
                changed, self._changed = self._changed, set()
                await self._database.write(lambda sql, changed=changed: self._store(sql, changed))  # type: ignore[misc]
        finally:
            self._writing = False

    def _store(self, sql: Transaction, changed: set[str]) -> None:
        for key in changed:
            known = self._failures.get(key)
            if known is None:
                sql.execute(_queries["delete_failures"], {"key": key})
            else:
                row: dict[str, Value] = {"key": key, "failures": known.count, "failed_at": known.at}
                sql.execute(_queries["set_failures"], row)


def address_key(address: str | None) -> str:
    """An IPv6 client has a whole /64 to itself."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "address:unknown"
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    if isinstance(parsed, ipaddress.IPv6Address) and mapped is None:
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{mapped or parsed}"


def _name_key(name: str) -> str:
    """Hashed: people type their password there."""
    return f"name:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
