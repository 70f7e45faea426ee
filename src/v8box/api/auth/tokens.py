"""Personal tokens: what programs sign in with on behalf of a user. Made, found, listed, deleted.

`v8b_pat_<id>_<secret><checksum>`. A token can do what its user can within its scopes, and in one project if it has one.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from v8box.api.auth import users
from v8box.api.auth.users import User, queries
from v8box.api.principals import Forbidden, Principal, Scope
from v8box.errors import BadRequest, V8BoxError
from v8box.kit.bearers import hash_secret, is_whole, make_secret
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, Row, Transaction
from v8box.storage.database import Value
from v8box.telemetry.actors import Actor, ActorKind
from v8box.telemetry.audit import Event, append

PREFIX: Final = "v8b_pat_"
MOST_PER_USER: Final = 200
MAX_LABEL: Final = 100
USED_SECONDS: Final = 60.0
"""How often at most a token's last use is written."""
KEEP_SECONDS: Final = 30 * 86_400.0
"""How long an expired token stays in the list."""
_TOKEN: Final = re.compile(r"v8b_pat_([0-9a-f]{16})_([0-9A-Za-z]{49})")


class TokenNotFound(V8BoxError):
    """There is no token with this id."""

    status = 404
    code = "token_not_found"


class TooManyTokens(V8BoxError):
    """The user has too many tokens; delete some."""

    status = 429
    code = "too_many_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token. Times are Unix times in seconds."""

    id: str
    user_id: str
    label: str
    scopes: frozenset[Scope]
    project: str | None
    """The one project it is confined to; None: all that its user has a role in."""
    created_at: float
    expires_at: float | None
    used_at: float | None


class PersonalTokens:
    """All tokens. `stop` writes what is left to write."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._tasks = TaskSet()
        self._used: dict[str, float] = {}  # last uses that are not written yet
        self._writing = False

    async def open(self) -> None:
        before = self._clock() - KEEP_SECONDS
        await self._database.write(lambda sql: sql.execute(queries["delete_old_tokens"], {"before": before}))

    async def stop(self) -> None:
        await self._tasks.cancel()
        await self._write_used()

    async def list(self, user: User) -> Sequence[Token]:
        """A user's tokens, oldest first."""
        rows = await self._database.read(lambda sql: sql.rows(queries["tokens_of"], {"user_id": user.id}))
        return [_token(row) for row in rows]

    async def get(self, token_id: str) -> Token:
        """Raises `TokenNotFound`."""
        row = await self._database.read(lambda sql: sql.row(queries["token_by_id"], {"id": token_id}))
        if row is None:
            raise TokenNotFound
        return _token(row)

    async def create(
        self,
        by: Principal,
        user: User,
        *,
        label: str,
        scopes: frozenset[Scope],
        project: str | None = None,
        lasts_seconds: float | None = None,
    ) -> tuple[Token, str]:
        """Makes a token for a user; gives it and its text, which is nowhere else. A token makes none: whoever steals
        one must not be able to keep what it opens. Raises `TooManyTokens`, `Forbidden`, `BadRequest`."""
        if by.actor.kind is ActorKind.TOKEN:
            raise Forbidden("A token makes no tokens: sign in with a password.")
        if not scopes:
            raise BadRequest(f"A token needs at least one scope of: {', '.join(Scope)}.")
        secret = make_secret()
        now = self._clock()
        expires_at = None if lasts_seconds is None else now + lasts_seconds
        token = Token(
            id=secrets.token_hex(8),
            user_id=user.id,
            label=label[:MAX_LABEL],
            scopes=scopes,
            project=project,
            created_at=now,
            expires_at=expires_at,
            used_at=None,
        )

        def write(sql: Transaction) -> None:
            users.get(sql, user.id)
            sql.execute(queries["delete_old_tokens"], {"before": now - KEEP_SECONDS})
            if len(sql.rows(queries["tokens_of"], {"user_id": user.id})) >= MOST_PER_USER:
                raise TooManyTokens(f"A user may have {MOST_PER_USER} tokens; delete some.")
            row: dict[str, Value] = {
                "id": token.id,
                "secret_hash": hash_secret(secret),
                "user_id": user.id,
                "label": token.label,
            }
            row |= {"scopes": msgspec.json.encode(sorted(scopes)).decode(), "project": project}
            sql.execute(queries["insert_token"], {**row, "created_at": now, "expires_at": expires_at})
            append(sql, _event("token.create", token, user, by.actor, after=_shown(token)))

        await self._database.write(write)
        return token, f"{PREFIX}{token.id}_{secret}"

    async def delete(self, token: Token, user: User, actor: Actor) -> None:
        """Ends it at once."""

        def write(sql: Transaction) -> None:
            if sql.row(queries["token_by_id"], {"id": token.id}) is None:
                raise TokenNotFound
            sql.execute(queries["delete_token"], {"id": token.id})
            append(sql, _event("token.delete", token, user, actor, before=_shown(token)))

        await self._database.write(write)
        self._used.pop(token.id, None)

    async def find(self, text: str) -> tuple[Token, User] | None:
        """The token with this text and its user, if both are good. Notes that it was used."""
        match = _TOKEN.fullmatch(text)
        if match is None or not is_whole(match[2]):
            return None
        given = hash_secret(match[2])

        def look(sql: Transaction) -> tuple[Token, User] | None:
            row = sql.row(queries["token_by_id"], {"id": match[1]})
            if row is None or not isinstance(row[-1], bytes) or not hmac.compare_digest(row[-1], given):
                return None
            token = _token(row)
            return token, users.get(sql, token.user_id)

        found = await self._database.read(look)
        now = self._clock()
        if found is None or found[1].disabled:
            return None
        token = found[0]
        if token.expires_at is not None and now >= token.expires_at:
            return None
        if token.used_at is None or now - token.used_at >= USED_SECONDS:
            self._used[token.id] = now
            if not self._writing:
                self._writing = True
                self._tasks.add(self._write_used(), "personal tokens: last use")
        return found

    async def _write_used(self) -> None:
        used, self._used = self._used, {}

        def write(sql: Transaction) -> None:
            for token_id, at in used.items():
                sql.execute(queries["set_token_used"], {"id": token_id, "used_at": at})

        try:
            if used:
                await self._database.write(write)
        finally:
            self._writing = False


def _token(row: Row) -> Token:
    token_id, user_id, label, scopes, project, created, expires, used, _ = row
    return Token(
        id=str(token_id),
        user_id=str(user_id),
        label=str(label),
        scopes=frozenset(Scope(each) for each in msgspec.json.decode(str(scopes), type=list[str])),
        project=None if project is None else str(project),
        created_at=float(str(created)),
        expires_at=None if expires is None else float(str(expires)),
        used_at=None if used is None else float(str(used)),
    )


def _shown(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "label": token.label,
        "scopes": sorted(token.scopes),
        "project": token.project,
        "expires_at": token.expires_at,
    }


def _event(
    action: str, token: Token, user: User, actor: Actor, *, before: object = None, after: object = None
) -> Event:
    resource = f"user/{user.name}/token/{token.id}"
    return Event(action=action, resource=resource, actor=actor, project=token.project, before=before, after=after)
