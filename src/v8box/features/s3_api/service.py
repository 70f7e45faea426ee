"""Access keys of the S3 API: made, listed, revoked, and found again by their id when a request was signed with one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.s3_api.box_key import BoxKey
from v8box.kit.names import BUCKET
from v8box.kit.tasks import TaskSet
from v8box.storage import Database, load_migrations, load_queries
from v8box.storage.database import Row

logger = logging.getLogger(__name__)

MAX_KEYS: Final = 1_000
"""Usable access keys of one project."""
MAX_BUCKETS: Final = 100
"""Buckets that one access key may be confined to."""
MAX_LABEL: Final = 200

_PACKAGE: Final = "v8box.features.s3_api"
_REMEMBERED: Final = 4_096
_FRESH_SECONDS: Final = 30.0  # another process may have revoked a key that is remembered here
_USED_SECONDS: Final = 60.0
_KEPT_MILLISECONDS: Final = 90 * 86_400_000
_SQL: Final = load_queries(_PACKAGE)


class Permission(StrEnum):
    """What an access key may do with its buckets."""

    READ = "read"  # objects and their metadata
    WRITE = "write"  # put, copy to, delete; buckets too
    LIST = "list"  # names of objects, uploads, buckets


ALL_PERMISSIONS: Final = frozenset(Permission)


class TooManyKeys(V8BoxError):
    """The project has as many access keys as it may. Revoke one first."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "too_many_keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """One access key without its secret. All times are milliseconds since 1970."""

    id: str
    project: str
    label: str
    buckets: frozenset[str] | None
    """None is every bucket of the project, those to come too."""
    permissions: frozenset[Permission]
    created: int
    expires: int | None = None
    last_used: int | None = None
    """At most a minute old."""
    revoked: int | None = None

    def usable(self, now: float) -> bool:
        """Whether it may be used at `now`, seconds since 1970."""
        return self.revoked is None and (self.expires is None or now * 1000 < self.expires)


class AccessKeys:
    """The access keys of all projects. `open` it; `stop` it before the database is closed."""

    def __init__(self, database: Database, box_key: BoxKey, clock: Callable[[], float]) -> None:
        self.box_key = box_key
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, tuple[AccessKey | None, float]] = OrderedDict()
        self._revocations = 0
        self._used: dict[str, float] = {}
        self._tasks = TaskSet()

    @classmethod
    async def open(cls, database: Database, key_file: Path, *, clock: Callable[[], float] = time.time) -> AccessKeys:
        """`key_file` is made when it is missing. `clock` gives seconds since 1970."""
        await database.migrate("s3_keys", load_migrations(_PACKAGE))
        known = await database.read(lambda transaction: transaction.row(_SQL["any"]))
        if known is not None and not await asyncio.to_thread(key_file.exists):
            logger.warning("%s is missing and is made anew: all S3 access keys and presigned URLs end", key_file)
        return cls(database, await asyncio.to_thread(BoxKey.load, key_file), clock)

    async def stop(self) -> None:
        await self._tasks.cancel()

    async def create(
        self,
        project: str,
        label: str,
        *,
        buckets: Iterable[str] | None = None,
        permissions: Iterable[str] = ALL_PERMISSIONS,
        expires: int | None = None,
    ) -> tuple[AccessKey, str]:
        """A new key and its secret, which is never shown again. Raises `BadRequest`, `TooManyKeys`."""
        now = int(self._clock() * 1000)
        key = AccessKey(
            id=self.box_key.new_id(),
            project=project,
            label=_label(label),
            buckets=None if buckets is None else _bucket_names(buckets),
            permissions=_permissions(permissions),
            created=now,
            expires=expires,
        )
        if expires is not None and expires <= now:
            raise BadRequest("An access key must expire in the future.")

        def add(transaction: Any) -> None:
            transaction.execute(_SQL["forget_ended"], {"project": project, "before": now - _KEPT_MILLISECONDS})
            (count,) = transaction.row(_SQL["count_usable"], {"project": project, "now": now})
            if count >= MAX_KEYS:
                raise TooManyKeys
            transaction.execute(_SQL["add"], _bindings(key))

        await self._database.write(add)
        return key, self.box_key.secret(key.id)

    async def list(self, project: str) -> list[AccessKey]:
        """The project's keys, the newest first; those that ended are there for 90 days."""
        rows = await self._database.read(lambda transaction: transaction.rows(_SQL["list"], {"project": project}))
        return [_read(row) for row in rows]

    async def revoke(self, project: str, key_id: str) -> None:
        """Ends a key at once. Raises `NotFound`."""
        bindings: dict[str, str | int] = {"id": key_id, "project": project, "now": int(self._clock() * 1000)}
        found = await self._database.write(lambda transaction: transaction.row(_SQL["revoke"], bindings))
        self._revocations += 1
        self._known.pop(key_id, None)
        if found is None:
            raise NotFound("There is no such access key.")

    async def find(self, key_id: str) -> AccessKey | None:
        """The key of that id if it is usable. Ask only for ids whose signature was right: others need no answer."""
        now = self._clock()
        known = self._known.get(key_id)
        if known is not None and 0 <= now - known[1] < _FRESH_SECONDS:
            self._known.move_to_end(key_id)
            key = known[0]
        else:
            key = await self._look_up(key_id, now)
        if key is None or not key.usable(now):
            return None
        self._note_use(key, now)
        return key

    async def _look_up(self, key_id: str, now: float) -> AccessKey | None:
        revocations = self._revocations
        row = await self._database.read(lambda transaction: transaction.row(_SQL["find"], {"id": key_id}))
        key = None if row is None else _read(row)
        if revocations == self._revocations:  # else it may be one that was revoked since it was read
            self._known[key_id] = key, now
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return key

    def _note_use(self, key: AccessKey, now: float) -> None:
        """Written beside the request, at most once a minute."""
        last = self._used.get(key.id, (key.last_used or 0) / 1000)
        if abs(now - last) < _USED_SECONDS:
            return
        if len(self._used) >= _REMEMBERED:
            self._used.clear()
        self._used[key.id] = now
        self._tasks.add(self._write_use(key.id, int(now * 1000)), "s3 key use")

    async def _write_use(self, key_id: str, now: int) -> None:
        await self._database.write(lambda transaction: transaction.execute(_SQL["used"], {"id": key_id, "now": now}))


def _label(label: str) -> str:
    stripped = label.strip()
    if not 1 <= len(stripped) <= MAX_LABEL or not stripped.isprintable():
        raise BadRequest(f"A label is 1 to {MAX_LABEL} printable characters, so that you know the key again.")
    return stripped


def _bucket_names(buckets: Iterable[str]) -> frozenset[str]:
    names = frozenset(buckets)
    if not 1 <= len(names) <= MAX_BUCKETS:
        raise BadRequest(f"An access key is for 1 to {MAX_BUCKETS} buckets, or for all when none is named.")
    for name in sorted(names):
        if not BUCKET.fullmatch(name):
            raise BadRequest(f"{name[:70]!r} is no bucket's name: 3 to 63 of a-z, 0-9, . and -.")
    return names


def _permissions(permissions: Iterable[str]) -> frozenset[Permission]:
    try:
        found = frozenset(map(Permission, permissions))
    except ValueError:
        found = frozenset()
    if not found:
        raise BadRequest("The permissions are one or more of read, write, list.")
    return found


def _bindings(key: AccessKey) -> dict[str, str | int | None]:
    encode = msgspec.json.encode
    return {
        "id": key.id,
        "project": key.project,
        "label": key.label,
        "buckets": None if key.buckets is None else encode(sorted(key.buckets)).decode(),
        "permissions": encode(sorted(key.permissions)).decode(),
        "created": key.created,
        "expires": key.expires,
    }


def _read(row: Row) -> AccessKey:
    key_id, project, label, buckets, permissions, created, expires, last_used, revoked = row
    decode: Any = msgspec.json.decode
    return AccessKey(
        id=str(key_id),
        project=str(project),
        label=str(label),
        buckets=None if buckets is None else frozenset(decode(buckets)),
        permissions=frozenset(map(Permission, decode(permissions))),
        created=int(created or 0),
        expires=None if expires is None else int(expires),
        last_used=None if last_used is None else int(last_used),
        revoked=None if revoked is None else int(revoked),
    )
