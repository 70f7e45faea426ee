"""`Idempotency-Key`: a create that is sent again, because its answer was lost on the way, is not done again.

The answer to the first is kept for a day and given again. With a key the work goes on when its client leaves, since the
client will ask for the answer. Kept is a hash of the key; of the body a hash that is keyed with the key: neither tells
what was sent. An answer that shows a secret is not kept, only that there was one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from v8box.errors import BadRequest, V8BoxError
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries

if TYPE_CHECKING:
    from starlette.responses import Response

KEEP_SECONDS: Final = 86_400.0
MAX_ANSWERS: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_BODY_BYTES: Final = 64 * 1024
"""A larger answer is not kept: it would not be one of a create."""
_TIDY_EVERY: Final = 100
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = ("content-type", "etag", "location")
_queries: Final = load_queries("v8box.api")


class IdempotencyMismatch(V8BoxError):
    """This Idempotency-Key was used for another request: make a new key for each thing that you create."""

    status = 422
    code = "idempotency_mismatch"


class IdempotencyRunning(V8BoxError):
    """The first request with this Idempotency-Key is still at work. Ask again in a moment."""

    status = 409
    code = "idempotency_running"
    retry_after = 1


class IdempotencyUnknown(V8BoxError):
    """The box stopped while it worked on this request. Look whether it is there, then use a new key."""

    status = 409
    code = "idempotency_unknown"


class IdempotencyNotKept(V8BoxError):
    """This was done already, and its answer is not kept, since it shows a secret. If you have lost it, delete what was
    made and make another, with a new key."""

    status = 409
    code = "idempotency_not_kept"

    def __init__(self, location: str | None) -> None:
        super().__init__()
        if location is not None:
            self.location = location
            """Where that which was made is."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request under a key. `route` is all of it but the body."""

    key_hash: bytes
    route: str
    body_hash: bytes

    @classmethod
    def make(cls, key: str, principal: str, route: str, body: bytes) -> Claim:
        """Raises `BadRequest` for what is no key."""
        if not _KEY.fullmatch(key):
            raise BadRequest("Idempotency-Key has 1 to 255 visible ASCII characters: a UUID is good.")
        name = hashlib.sha256(f"{principal}\0{key}".encode()).digest()
        return cls(name, route, hmac.digest(key.encode(), body, "sha256"))


class Idempotency:
    """What was answered under which key. `open` it, and `close` it before the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[bytes, Claim] = {}
        self._tasks = TaskSet()
        self._claims = 0

    @classmethod
    async def open(cls, database: Database) -> Idempotency:
        await database.migrate("api", load_migrations("v8box.api"))
        await database.write(_tidy)
        return cls(database)

    async def close(self) -> None:
        """Ends what is still at work; it will be told to be unknown."""
        await self._tasks.cancel()

    async def once(self, claim: Claim, make: Callable[[], Awaitable[Response]], *, secret: bool) -> Response:
        """The answer that `make` gives, or that it gave before. With `secret` its body is not kept. An error is not
        kept either: the same key may try again."""
        running = self._running.get(claim.key_hash)
        if running is not None:
            raise IdempotencyRunning if running == claim else IdempotencyMismatch
        self._running[claim.key_hash] = claim
        work = self._tasks.add(self._perform(claim, make, secret), "request with an Idempotency-Key")
        outcome: Response | Exception = await asyncio.shield(work)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _perform(
        self, claim: Claim, make: Callable[[], Awaitable[Response]], secret: bool
    ) -> Response | Exception:
        try:
            earlier = await self._database.write(lambda sql: self._claim(claim, sql))
            if earlier is not None:
                return _replay(claim, earlier)
            try:
                response = await make()
            except Exception:
                await self._forget(claim)
                raise
            if response.status_code < 300:
                await self._keep(claim, response, secret)
            else:
                await self._forget(claim)
            return response
        except Exception as error:
            return error
        finally:
            del self._running[claim.key_hash]

    def _claim(self, claim: Claim, sql: Transaction) -> Row | None:
        """What is known of the key; None: it is new, and ours now."""
        now = time.time()
        self._claims += 1
        if self._claims % _TIDY_EVERY == 0:
            _tidy(sql)
        sql.execute(_queries["forget_expired"], {"now": now})
        row = (claim.key_hash, claim.route, claim.body_hash, now + KEEP_SECONDS)
        if sql.row(_queries["claim"], row) is not None:
            return None
        return sql.row(_queries["claimed"], {"key_hash": claim.key_hash})

    async def _keep(self, claim: Claim, response: Response, secret: bool) -> None:
        body = bytes(response.body)
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        secret = secret or "set-cookie" in response.headers or len(body) > MAX_BODY_BYTES
        values: dict[str, str | int | bytes | None] = {
            "key_hash": claim.key_hash,
            "status": response.status_code,
            "headers": msgspec.json.encode(headers).decode(),
            "body": None if secret else body,
            "size": 0 if secret else len(body),
        }
        await self._database.write(lambda sql: sql.execute(_queries["keep_answer"], values))

    async def _forget(self, claim: Claim) -> None:
        await self._database.write(lambda sql: sql.execute(_queries["forget_answer"], {"key_hash": claim.key_hash}))


def _tidy(sql: Transaction) -> None:
    sql.execute(_queries["forget_expired"], {"now": time.time()})
    sql.execute(_queries["forget_beyond"], {"answers": MAX_ANSWERS, "bytes": MAX_BYTES})


def _replay(claim: Claim, row: Row) -> Response:
    from starlette.responses import Response  # only once the admin API is there: it takes a while to import

    route, body_hash, state, status, headers, body = row
    if route != claim.route or not hmac.compare_digest(bytes(body_hash), claim.body_hash):  # type: ignore[arg-type]
        raise IdempotencyMismatch
    if state == "running":
        raise IdempotencyUnknown
    known = msgspec.json.decode(str(headers), type=dict[str, str])
    if body is None:
        raise IdempotencyNotKept(known.get("location"))
    assert isinstance(body, bytes)  # noqa: S101 - a blob
    return Response(body, int(str(status)), {**known, "idempotent-replayed": "true"})
