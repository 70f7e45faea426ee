"""Tokens that open databases from outside: made, verified, listed, revoked.

A token is `v8db_<id>_<secret><checksum>`: 16 hex digits that name it, 256 random bits in 43 characters of base 62, and
their CRC-32 in 6, so that secret scanners and we can tell a mistyped token from a wrong one. At rest is a hash only.
All tokens are in memory, so that a request waits for no disk.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

import msgspec

from v8box.bindings.db.interface import DatabaseId
from v8box.errors import V8BoxError
from v8box.features.hrana.limits import HranaLimits
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries

logger = logging.getLogger(__name__)

Access = Literal["read", "write"]

USED_SECONDS: Final = 60.0
"""How often at most a token's last use is written."""
KEEP_SECONDS: Final = 30 * 86_400.0
"""How long an expired token stays in the list."""
MAX_LABEL: Final = 100
_PREFIX: Final = "v8db_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32
_TOKEN: Final = re.compile(r"v8db_([0-9a-f]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")
_queries: Final = load_queries("v8box.features.hrana")


class TokenRefused(V8BoxError):
    """The token is not valid: it is mistyped, expired or revoked. Make another one."""

    status = 401
    code = "token_invalid"


class DatabaseForbidden(V8BoxError):
    """The token does not open this database."""

    status = 403
    code = "database_forbidden"


class DatabaseUnnamed(V8BoxError):
    """The token opens several databases: name one in the URL, with a slash at its end, e.g. libsql://db.<domain>/crm/"""

    status = 400
    code = "database_unnamed"


class TokenNotFound(V8BoxError):
    """There is no token with this id."""

    status = 404
    code = "token_not_found"


class TooManyTokens(V8BoxError):
    """The project has too many tokens; delete some."""

    status = 429
    code = "too_many_tokens"


@dataclass(slots=True, eq=False)
class Token:
    """One token, as the box knows it. Times are Unix times in seconds."""

    id: str
    project: str
    databases: tuple[str, ...] | None
    """The databases it opens; None for all of its project, also those to come."""
    access: Access
    label: str
    created_at: float
    expires_at: float | None
    used_at: float | None = None
    secret_hash: bytes = field(default=b"", repr=False)
    revoked: bool = False

    @property
    def valid(self) -> bool:
        return not self.revoked and (self.expires_at is None or time.time() < self.expires_at)

    def database(self, name: str | None) -> DatabaseId:
        """The database a request means that names `name` or nothing. Raises for one that the token does not open."""
        if name is None:
            if self.databases is None or len(self.databases) != 1:
                raise DatabaseUnnamed
            name = self.databases[0]
        elif self.databases is not None and name not in self.databases:
            raise DatabaseForbidden(f"This token does not open the database {name[:63]}.")
        return DatabaseId(self.project, name)


class Tokens:
    """All tokens. `open` it before use; `close` writes what is left to write."""

    MOST_PER_PROJECT: ClassVar[int] = HranaLimits().tokens

    def __init__(self, database: Database, *, most_per_project: int = MOST_PER_PROJECT) -> None:
        self._database = database
        self._most = most_per_project
        self._tokens: dict[str, Token] = {}
        self._used: dict[str, float] = {}  # last uses that are not written yet
        self._tasks = TaskSet()
        self._writing = False
        self._subscribers: list[Callable[[Token], None]] = []

    @classmethod
    async def open(cls, database: Database, *, most_per_project: int = MOST_PER_PROJECT) -> Tokens:
        """Brings the table up to date and loads the tokens."""
        await database.migrate("database_tokens", load_migrations("v8box.features.hrana"))
        tokens = cls(database, most_per_project=most_per_project)
        before = time.time() - KEEP_SECONDS

        def load(transaction: Transaction) -> list[Row]:
            transaction.execute(_queries["delete_expired_tokens"], {"before": before})
            return transaction.rows(_queries["all_tokens"])

        tokens._tokens = {token.id: token for token in map(_from_row, await database.write(load))}
        return tokens

    async def close(self) -> None:
        await self._tasks.cancel()
        await self._write_used()

    def on_revoked(self, subscriber: Callable[[Token], None]) -> None:
        """Calls `subscriber` with every token that is deleted."""
        self._subscribers.append(subscriber)

    def list(self, project: str) -> Sequence[Token]:
        """The project's tokens, oldest first."""
        return [token for token in self._tokens.values() if token.project == project]

    async def create(
        self,
        project: str,
        *,
        label: str,
        access: Access,
        databases: Sequence[str] | None,
        expires_at: float | None = None,
    ) -> tuple[Token, str]:
        """Makes a token; gives it and its text, which is nowhere else. Raises `TooManyTokens`."""
        self._forget_old()
        if len(self.list(project)) >= self._most:
            raise TooManyTokens(f"A project may have {self._most} database tokens; delete some.")
        secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
        token = Token(
            id=secrets.token_hex(8),
            project=project,
            databases=None if databases is None else tuple(dict.fromkeys(databases)),
            access=access,
            label=label[:MAX_LABEL],
            created_at=time.time(),
            expires_at=expires_at,
            secret_hash=_hash(secret),
        )
        row = {
            "id": token.id,
            "project": project,
            "databases": None if token.databases is None else msgspec.json.encode(token.databases).decode(),
            "access": access,
            "label": token.label,
            "secret_hash": token.secret_hash,
            "created_at": token.created_at,
            "expires_at": expires_at,
        }
        self._tokens[token.id] = token  # before the wait, so that many at once cannot slip past the limit
        try:
            await self._database.write(lambda transaction: transaction.execute(_queries["insert_token"], row))
        except BaseException:
            self._tokens.pop(token.id, None)
            token.revoked = True
            raise
        return token, f"{_PREFIX}{token.id}_{secret}{_checksum(secret)}"

    async def delete(self, project: str, token_id: str) -> None:
        """Revokes a token: whatever it has open ends. Raises `TokenNotFound`."""
        token = self._tokens.get(token_id)
        if token is None or token.project != project:
            raise TokenNotFound
        await self._database.write(lambda transaction: transaction.execute(_queries["delete_token"], {"id": token_id}))
        token.revoked = True
        self._tokens.pop(token_id, None)
        self._used.pop(token_id, None)
        for subscriber in self._subscribers:
            subscriber(token)

    def verify(self, text: str | None) -> Token:
        """The valid token with this text. Raises `TokenRefused`. Notes that it was used."""
        if not text:
            raise TokenRefused("A token is needed: Authorization: Bearer v8db_… (authToken in the client).")
        match = _TOKEN.fullmatch(text)
        if match is None or _checksum(match[2]) != match[3]:
            raise TokenRefused("This is no database token of a V8Box, or it is not complete.")
        token = self._tokens.get(match[1])
        if token is None or not hmac.compare_digest(token.secret_hash, _hash(match[2])) or token.revoked:
            raise TokenRefused("The token is not known here: it was deleted, or belongs to another box.")
        now = time.time()
        if token.expires_at is not None and now >= token.expires_at:
            raise TokenRefused("The token has expired: make another one.")
        if token.used_at is None or now - token.used_at >= USED_SECONDS:
            token.used_at = self._used[token.id] = now
            if not self._writing:
                self._writing = True
                self._tasks.add(self._write_used(), "database tokens: last use")
        return token

    async def _write_used(self) -> None:
        used, self._used = self._used, {}

        def write(transaction: Transaction) -> None:
            for token_id, at in used.items():
                transaction.execute(_queries["set_token_used"], {"id": token_id, "used_at": at})

        try:
            if used:
                await self._database.write(write)
        finally:
            self._writing = False

    def _forget_old(self) -> None:
        """Expired tokens take no room for ever; the next start takes them out of the database."""
        before = time.time() - KEEP_SECONDS
        for token in list(self._tokens.values()):
            if token.expires_at is not None and token.expires_at < before:
                del self._tokens[token.id]


def _from_row(row: Row) -> Token:
    token_id, project, databases, access, label, secret_hash, created_at, expires_at, used_at = row
    names = None if databases is None else tuple(msgspec.json.decode(str(databases), type=list[str]))
    known: dict[str, Any] = {"created_at": created_at, "expires_at": expires_at, "used_at": used_at}
    known |= {"id": token_id, "project": project, "access": access, "label": label, "secret_hash": secret_hash}
    return Token(databases=names, **known)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
