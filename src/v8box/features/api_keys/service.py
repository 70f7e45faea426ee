"""Keeps API keys: the table, and the keyring that the gateway asks. What is in one is in the other.

A key's text is shown when it is made or rotated and is nowhere else; at rest is a hash.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import msgspec

from v8box.catalog.policies import RateLimit
from v8box.errors import NotFound, V8BoxError
from v8box.gateway.policies.keyring import PREFIX, ApiKey, Keyring
from v8box.kit.bearers import hash_secret, make_secret
from v8box.storage import Database, DatabaseError, Row, Transaction, load_migrations, load_queries
from v8box.storage.database import Value
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.features.api_keys")

MOST_PER_PROJECT: Final = 1_000
MAX_NAME: Final = 100
MAX_OVERLAP_SECONDS: Final = 90 * 86_400
FLUSH_SECONDS: Final = 10.0

Check = Callable[[ApiKey], None]
"""Looks at what is there before it is changed, and raises when it is not what the caller thinks."""


class ApiKeyNotFound(NotFound):
    """The project has no API key with this id."""

    code = "api_key_not_found"


class TooManyApiKeys(V8BoxError):
    """The project has too many API keys; delete some."""

    status = 429
    code = "too_many_api_keys"


class _Scopes(msgspec.Struct, omit_defaults=True):
    workers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    allow_ips: tuple[str, ...] = ()
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """What people say about a key."""

    name: str
    workers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    allow_ips: tuple[str, ...] = ()
    rate_limit: RateLimit | None = field(default=None)
    expires_at: float | None = None

    @classmethod
    def of(cls, key: ApiKey) -> KeySettings:
        return cls(**{name: getattr(key, name) for name in cls.__slots__})

    def plain(self) -> dict[str, Any]:
        """For the audit log."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if value not in (None, [], ())}


class ApiKeys:
    """All API keys of the box. `open` it, let `write_forever` run, `close` it."""

    def __init__(self, database: Database, keyring: Keyring, clock: Callable[[], float]) -> None:
        self.keyring = keyring
        self._database = database
        self._clock = clock
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, database: Database, *, clock: Callable[[], float] = time.time) -> ApiKeys:
        """Brings the table up to date and loads the keys."""
        await database.migrate("api_keys", load_migrations("v8box.features.api_keys"))
        rows = await database.read(lambda sql: sql.rows(_queries["all_keys"]))
        return cls(database, Keyring(map(_read, rows)), clock)

    async def close(self) -> None:
        await self._flush()

    # ---- looking

    def list(self, project: str) -> Sequence[ApiKey]:
        """Oldest first."""
        return self.keyring.of(project)

    def get(self, project: str, key_id: str) -> ApiKey:
        """Raises `ApiKeyNotFound`."""
        key = self.keyring.get(project, key_id)
        if key is None:
            raise ApiKeyNotFound
        return key

    # ---- changing. The lock keeps the keyring in the order of the transactions.

    async def create(self, project: str, settings: KeySettings, actor: Actor) -> tuple[ApiKey, str]:
        """Makes a key; gives it and its text. Raises `TooManyApiKeys`."""
        return await _to_its_end(self._create(project, settings, actor))

    async def _create(self, project: str, settings: KeySettings, actor: Actor) -> tuple[ApiKey, str]:
        secret = make_secret()
        values = {name: getattr(settings, name) for name in KeySettings.__slots__}
        key = ApiKey(
            id=secrets.token_hex(8),
            project=project,
            created_at=self._clock(),
            created_by=actor.name,
            secret_hash=hash_secret(secret),
            **values,
        )
        row: dict[str, Value] = {
            "id": key.id,
            "project": project,
            "name": key.name,
            "scopes": _scopes(key),
            "secret_hash": key.secret_hash,
            "created_at": key.created_at,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
        }
        event = _event("api_key.create", key, actor, after=settings.plain())

        def write(sql: Transaction) -> None:
            sql.execute(_queries["insert_key"], row)
            append(sql, event)

        async with self._changing:
            if len(self.keyring.of(project)) >= MOST_PER_PROJECT:
                raise TooManyApiKeys(f"A project may have {MOST_PER_PROJECT} API keys; delete some.")
            await self._database.write(write)
            self.keyring.put(key)
        return key, f"{PREFIX}{key.id}_{secret}"

    async def change(self, project: str, key_id: str, changes: dict[str, Any], actor: Actor, check: Check) -> ApiKey:
        """Changes what is given of `KeySettings`, from the next request on. Raises `ApiKeyNotFound`."""
        return await _to_its_end(self._change(project, key_id, changes, actor, check))

    async def _change(self, project: str, key_id: str, changes: dict[str, Any], actor: Actor, check: Check) -> ApiKey:
        async with self._changing:
            before = self.get(project, key_id)
            check(before)
            key = replace(before, **changes)
            row = {"id": key.id, "name": key.name, "scopes": _scopes(key), "expires_at": key.expires_at}
            event = _event(
                "api_key.change", key, actor, before=KeySettings.of(before).plain(), after=KeySettings.of(key).plain()
            )

            def write(sql: Transaction) -> None:
                sql.execute(_queries["update_key"], row)
                append(sql, event)

            await self._database.write(write)
            self.keyring.put(replace(key, used_at=self.keyring.last_used(before)))
            return key

    async def rotate(
        self, project: str, key_id: str, overlap_seconds: float, actor: Actor, check: Check
    ) -> tuple[ApiKey, str]:
        """Gives the key a new secret; the one of before is good for so much longer. Raises `ApiKeyNotFound`."""
        return await _to_its_end(self._rotate(project, key_id, overlap_seconds, actor, check))

    async def _rotate(
        self, project: str, key_id: str, overlap_seconds: float, actor: Actor, check: Check
    ) -> tuple[ApiKey, str]:
        async with self._changing:
            before = self.get(project, key_id)
            check(before)
            secret = make_secret()
            key = replace(
                before,
                secret_hash=hash_secret(secret),
                previous_hash=before.secret_hash if overlap_seconds else None,
                previous_until=self._clock() + overlap_seconds if overlap_seconds else 0.0,
                used_at=self.keyring.last_used(before),
            )
            row = {
                "id": key.id,
                "secret_hash": key.secret_hash,
                "previous_hash": key.previous_hash,
                "previous_until": key.previous_until,
            }
            event = _event("api_key.rotate", key, actor, after={"overlap_seconds": overlap_seconds})

            def write(sql: Transaction) -> None:
                sql.execute(_queries["rotate_key"], row)
                append(sql, event)

            await self._database.write(write)
            self.keyring.put(key)
            return key, f"{PREFIX}{key.id}_{secret}"

    async def delete(self, project: str, key_id: str, actor: Actor) -> None:
        """The key opens nothing any more. Raises `ApiKeyNotFound`."""
        await _to_its_end(self._delete(project, key_id, actor))

    async def _delete(self, project: str, key_id: str, actor: Actor) -> None:
        async with self._changing:
            key = self.get(project, key_id)
            event = _event("api_key.delete", key, actor, before=KeySettings.of(key).plain())

            def write(sql: Transaction) -> None:
                sql.execute(_queries["delete_key"], {"id": key.id})
                append(sql, event)

            await self._database.write(write)
            self.keyring.remove(key.id)

    # ---- last use

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self._flush()
            except DatabaseError as error:  # a full disk, say: a later use is written later
                _log.warning("when API keys were used could not be written down: %s", error)

    async def _flush(self) -> None:
        used = self.keyring.take_used()

        def write(sql: Transaction) -> None:
            for key_id, at in used.items():
                sql.execute(_queries["note_used"], {"id": key_id, "used_at": at})

        if used:
            await self._database.write(write)


def _event(action: str, key: ApiKey, actor: Actor, *, before: Any = None, after: Any = None) -> Event:
    resource = f"api_key/{key.id}"
    return Event(action=action, resource=resource, project=key.project, actor=actor, before=before, after=after)


def _scopes(key: ApiKey) -> str:
    scopes = _Scopes(**{name: getattr(key, name) for name in _Scopes.__struct_fields__})
    return msgspec.json.encode(scopes).decode()


def _read(row: Row) -> ApiKey:
    key_id, project, name, scopes, secret, previous, until, created_at, created_by, expires_at, used_at = row
    read = msgspec.json.decode(str(scopes), type=_Scopes)
    known: dict[str, Any] = {field: getattr(read, field) for field in _Scopes.__struct_fields__}
    known |= {"secret_hash": secret, "previous_hash": previous, "previous_until": until}
    known |= {"created_at": created_at, "created_by": created_by, "expires_at": expires_at, "used_at": used_at}
    return ApiKey(id=str(key_id), project=str(project), name=str(name), **known)


async def _to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """A change that began ends, whoever stops waiting: the table and the keyring must not come apart."""
    return await asyncio.shield(asyncio.ensure_future(change))
