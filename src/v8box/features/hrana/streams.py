"""The open streams of all clients, counted, and the batons by which a client over HTTP finds its stream again.

A baton is 256 random bits, good for one request of the same token on the same database. A stream that waits longer
than `HranaLimits.idle_seconds` for it is rolled back and forgotten.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from typing import Final

from v8box.bindings.db.interface import NAME, SCRATCH_PREFIX, DatabaseId, Databases, View
from v8box.errors import NotFound, V8BoxError
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.stream import Allowance, Stream, Transactions
from v8box.features.hrana.texts import TextBudget, Texts
from v8box.features.hrana.tokens import Token
from v8box.kit.tasks import TaskSet

_VIEW: Final = View(encoding="hrana")
_SEEN_SECONDS: Final = (
    0.05  # asking costs a third of a point read; a database that is deleted must not be used for long
)
_MOST_SEEN: Final = 1_000


class StreamExpired(V8BoxError):
    """The stream is gone: it ends when it is not used for some seconds, and a baton is good for one request."""

    status = 400
    code = "stream_expired"


class TooManyStreams(V8BoxError):
    """Too many streams are open; close some, or try again shortly."""

    status = 429
    code = "too_many_streams"


class Held:
    """A stream with its owner. `texts` are its own over HTTP, its WebSocket's otherwise."""

    __slots__ = ("baton", "closed", "database", "stream", "texts", "timer", "token")

    def __init__(self, stream: Stream, texts: Texts, token: Token, database: DatabaseId) -> None:
        self.stream = stream
        self.texts = texts
        self.token = token
        self.database = database
        self.baton: str | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.closed = False


class Streams:
    """Opens, parks and closes streams. `close_all` ends them; nothing may be opened after."""

    def __init__(self, databases: Databases, limits: HranaLimits) -> None:
        self._databases = databases
        self._limits = limits
        self._transactions = Transactions(limits.transactions)
        self._budget = TextBudget(limits)
        self._seen: dict[DatabaseId, float] = {}  # databases that are there, and until when that is believed
        self._open: set[Held] = set()
        self._per_token: Counter[str] = Counter()
        self._parked: dict[str, Held] = {}
        self._tasks = TaskSet()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def parked(self) -> int:
        return len(self._parked)

    def texts(self) -> Texts:
        """Room for SQL texts; whoever asks clears it at its end."""
        return Texts(self._budget)

    def allowance(self) -> Allowance:
        return Allowance(self._limits.steps, self._limits.response_bytes)

    async def find(self, token: Token, name: str | None) -> DatabaseId:
        """The database that a client means. Raises `V8BoxError` when the token does not open it or it is not there."""
        database = token.database(name)
        now = asyncio.get_running_loop().time()
        if now >= self._seen.get(database, 0.0):
            if (
                not NAME.fullmatch(database.name)
                or database.name.startswith(SCRATCH_PREFIX)
                or not await self._databases.exists(database)
            ):
                self._seen.pop(database, None)
                raise NotFound(f"There is no database called {database.name[:63]}.")
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[database] = now + _SEEN_SECONDS
        return database

    def open(self, token: Token, database: DatabaseId, texts: Texts) -> Held:
        """A new stream. Raises `TooManyStreams`."""
        if len(self._open) >= self._limits.streams or self._per_token[token.id] >= self._limits.token_streams:
            raise TooManyStreams
        handle = self._databases.open(database, _VIEW)
        read_only = token.access == "read"
        stream = Stream(handle, database.project, self._transactions, self._limits, read_only=read_only)
        held = Held(stream, texts, token, database)
        self._open.add(held)
        self._per_token[token.id] += 1
        return held

    def new_baton(self) -> str:
        return secrets.token_urlsafe(32)

    def park(self, held: Held, baton: str) -> None:
        """Keeps the stream for whoever brings the baton."""
        held.baton = baton
        self._parked[baton] = held
        held.timer = asyncio.get_running_loop().call_later(self._limits.idle_seconds, self._forget, held)

    def resume(self, baton: str, token: Token, database: DatabaseId) -> Held:
        """The stream of a baton, which is used up by this. Raises `StreamExpired`, also for a baton of another token
        or database: that one stays good for its owner."""
        held = self._parked.get(baton)
        if held is None or held.token is not token or held.database != database:
            raise StreamExpired
        self._unpark(held)
        return held

    async def close(self, held: Held, *, own_texts: bool = True) -> None:
        """Rolls back what is open in the stream and forgets it; harmless when that is done already."""
        if held.closed:
            return
        held.closed = True
        self._unpark(held)
        try:
            await held.stream.close()
        finally:
            if own_texts:
                held.texts.clear()
            self._open.discard(held)
            self._per_token[held.token.id] -= 1
            if not self._per_token[held.token.id]:
                del self._per_token[held.token.id]

    def revoke(self, token: Token) -> None:
        """Ends the parked streams of a token that is no more."""
        for held in [held for held in self._parked.values() if held.token is token]:
            self._forget(held)

    async def close_all(self) -> None:
        for held in list(self._open):
            await self.close(held)
        await self._tasks.cancel()

    def _forget(self, held: Held) -> None:
        self._unpark(held)  # at once: its baton is worth nothing from here on
        self._tasks.add(self.close(held), "close an idle database stream")

    def _unpark(self, held: Held) -> None:
        if held.baton is not None:
            self._parked.pop(held.baton, None)
            held.baton = None
        if held.timer is not None:
            held.timer.cancel()
            held.timer = None
