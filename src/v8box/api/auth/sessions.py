"""Sessions: what a sign-in opens, known by a random secret in a cookie, of which only a hash is kept.

A session ends when it was not used for the idle time, when its whole time is over, or when somebody ends it.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.api.auth import users
from v8box.api.auth.users import User, queries
from v8box.errors import V8BoxError
from v8box.kit.bearers import hash_secret, is_whole, make_secret
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, Row, Transaction
from v8box.storage.database import Value
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

logger = logging.getLogger(__name__)

MOST_PER_USER: Final = 100
"""The one that was not used for longest goes when another begins."""
USED_SECONDS: Final = 60.0
"""How often at most a session's last use is written."""
_MAX_AGENT: Final = 300


class SessionNotFound(V8BoxError):
    """There is no session with this id; it may have ended."""

    status = 404
    code = "session_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session. Times are Unix times in seconds."""

    id: str
    created_at: float
    used_at: float
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The session of a cookie, and whose it is."""

    session: Session
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """From where a session is used."""

    address: str | None
    user_agent: str | None = None
    in_the_open: bool = False
    """Whether what it sends crosses a network unencrypted, as far as the box can tell."""


@dataclass(frozen=True, slots=True)
class _Use:
    """The last use of a session."""

    user_id: str
    address: str | None
    at: float


class Sessions:
    """All sessions. `stop` writes what is left to write."""

    def __init__(
        self,
        database: Database,
        *,
        idle_seconds: float,
        longest_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.longest_seconds = longest_seconds
        self._idle_seconds = idle_seconds
        self._database = database
        self._clock = clock
        self._tasks = TaskSet()
        self._used: dict[str, _Use] = {}  # last uses that are not written yet
        self._writing = False

    async def stop(self) -> None:
        await self._tasks.cancel()
        await self._write_used()

    def begin(self, sql: Transaction, user: User, client: Client) -> tuple[Session, str]:
        """A new session and its secret, which is nowhere else. Those that ended are forgotten at this."""
        now = self._clock()
        secret = make_secret()
        agent = client.user_agent
        session = Session(
            id=secrets.token_hex(8),
            created_at=now,
            used_at=now,
            address=client.address,
            user_agent=None if agent is None else agent[:_MAX_AGENT],
        )
        row: dict[str, Value] = {"id": session.id, "secret_hash": hash_secret(secret), "user_id": user.id, "now": now}
        row |= {"address": session.address, "user_agent": session.user_agent}
        sql.execute(queries["delete_ended_sessions"], self._ended(now))
        sql.execute(queries["insert_session"], row)
        sql.execute(queries["delete_oldest_sessions"], {"user_id": user.id, "keep": MOST_PER_USER})
        sql.execute(queries["set_seen"], {"id": user.id, "now": now})
        return session, secret

    async def find(self, secret: str, client: Client) -> Found | None:
        """The session that a cookie opens, if it has not ended. Notes that it was used."""
        if not is_whole(secret):
            return None
        key = {"secret_hash": hash_secret(secret)}

        def look(sql: Transaction) -> Found | None:
            row = sql.row(queries["session_by_hash"], key)
            if row is None:
                return None
            user = users.get(sql, str(row[-1]))
            return None if user.disabled else Found(session=_session(row), user=user)

        found = await self._database.read(look)
        now = self._clock()
        if found is None or not self._lives(found.session, now):
            return None
        if now - found.session.used_at >= USED_SECONDS:
            self._used[found.session.id] = _Use(found.user.id, client.address, now)
            if not self._writing:
                self._writing = True
                self._tasks.add(self._write_used(), "sessions: last use")
        return found

    def ends_at(self, session: Session) -> float:
        """When it ends unless it is used before."""
        return min(session.created_at + self.longest_seconds, session.used_at + self._idle_seconds)

    async def list(self, user: User) -> Sequence[Session]:
        """A user's sessions, the last used first."""
        rows = await self._database.read(lambda sql: sql.rows(queries["sessions_of"], {"user_id": user.id}))
        now = self._clock()
        return [session for session in map(_session, rows) if self._lives(session, now)]

    async def end(self, user: User, session_id: str, actor: Actor) -> None:
        """Raises `SessionNotFound`."""

        def write(sql: Transaction) -> None:
            known = {str(row[0]) for row in sql.rows(queries["sessions_of"], {"user_id": user.id})}
            if session_id not in known:
                raise SessionNotFound
            sql.execute(queries["delete_session"], {"id": session_id, "user_id": user.id})
            append(sql, Event(action="session.delete", resource=f"user/{user.name}", actor=actor, before=session_id))

        await self._database.write(write)

    async def end_all(self, user: User, actor: Actor, *, but: str = "") -> None:
        def write(sql: Transaction) -> None:
            users.end_sessions(sql, user, but=but)
            append(sql, Event(action="session.delete_all", resource=f"user/{user.name}", actor=actor))

        await self._database.write(write)

    async def _write_used(self) -> None:
        used, self._used = self._used, {}

        def write(sql: Transaction) -> None:
            for session_id, use in used.items():
                sql.execute(queries["use_session"], {"id": session_id, "now": use.at, "address": use.address})
                sql.execute(queries["set_seen"], {"id": use.user_id, "now": use.at})

        try:
            if used:
                await self._database.write(write)
        finally:
            self._writing = False

    def _lives(self, session: Session, now: float) -> bool:
        return now < session.created_at + self.longest_seconds and now < session.used_at + self._idle_seconds

    def _ended(self, now: float) -> dict[str, float]:
        return {"idle_before": now - self._idle_seconds, "before": now - self.longest_seconds}


def _session(row: Row) -> Session:
    session_id, created, used, address, agent, *_ = row
    return Session(
        id=str(session_id),
        created_at=float(str(created)),
        used_at=float(str(used)),
        address=None if address is None else str(address),
        user_agent=None if agent is None else str(agent),
    )
