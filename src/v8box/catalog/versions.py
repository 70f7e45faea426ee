"""The versions of workers: their rows, the bytes they refer to, tags and pins, and which may be removed.

What is live is in `deployments`; nothing here changes it. A version that is live, tagged or pinned cannot be removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Final

import msgspec

from v8box.catalog.deployments import LOOKED_AT, Where, earlier, read_deployments, read_history
from v8box.catalog.model import Build, Manifest, Version, VersionInfo
from v8box.catalog.projects.quotas import CountQuotaExceeded
from v8box.catalog.stored import encode, integer, plain_manifest, read_version, read_version_info, version_row
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.storage import Blobs, Database, Transaction, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import RETENTION, Actor

MAX_MESSAGE: Final = 500
MAX_TAGS: Final = 20
TAG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NUMBER: Final = re.compile(r"v?([0-9]{1,9})")
_NEWER_THAN_ALL: Final = 1 << 62
_ID_LENGTH: Final = 20  # hex digits: 80 bits among one worker's versions
_BLOB_GRACE_SECONDS: Final = 3_600.0
"""A blob younger than this may belong to a deploy that has not written its version yet."""


_queries: Final = load_queries("v8box.catalog")

Check = Callable[[VersionInfo], None]
"""Looks at what is there, inside the transaction that changes it, and raises where it is not what was expected."""


class VersionInUse(V8BoxError):
    """The version is live, tagged or pinned. Deploy another one there, or take its tags and its pin off first."""

    status = 409
    code = "version_in_use"


class Versions:
    """All versions of all workers of the box."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    # ---- finding

    async def get(self, project: str, worker: str, version_id: str) -> Version:
        """The version with exactly this id. Raises `NotFound`."""
        key = {"project": project, "worker": worker, "id": version_id}
        row = await self._database.read(lambda sql: sql.row(_queries["version"], key))
        if row is None:
            raise NotFound(f"{worker} has no version {version_id}")
        return read_version(row)

    async def find(self, project: str, worker: str, reference: str) -> Version:
        """The version that is meant by a number (`12`, `v12`), a tag, an id, or the beginning of one, four characters
        at least. Raises `NotFound`, `BadRequest` when it could be two."""
        number = _NUMBER.fullmatch(reference)
        key: dict[str, str | int] = {"project": project, "worker": worker, "prefix": reference, "tag": reference}
        key["number"] = int(number[1]) if number else -1
        rows = await self._database.read(lambda sql: sql.rows(_queries["versions_like"], key))
        if not rows:
            raise NotFound(f"{worker} has no version {reference[:80]}: v8box versions {worker} lists them")
        if len(rows) > 1 and rows[0][1] == rows[1][1]:
            raise BadRequest(f"{reference[:80]} may be more than one version of {worker}: give more of the id")
        return await self.get(project, worker, str(rows[0][0]))

    async def info(self, project: str, worker: str, version_id: str) -> VersionInfo:
        """The version with what people say about it. Raises `NotFound`."""
        found = await self._infos(project, worker, version_id, _NEWER_THAN_ALL, 1)
        if not found:
            raise NotFound(f"{worker} has no version {version_id}")
        return found[0]

    async def list(
        self, project: str, worker: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[VersionInfo]:
        """Newest first; `before`: only those with a smaller number."""
        return await self._infos(project, worker, None, _NEWER_THAN_ALL if before is None else before, limit)

    async def last_saved(self, project: str, worker: str) -> Version | None:
        """What a worker's files are: the version that was made or deployed last. That is not the one with the highest
        number when somebody has deployed the content of an older one again. A rollback changes no files."""
        key = {"project": project, "worker": worker}

        def read(sql: Transaction) -> Version | None:
            newest = sql.rows(_queries["version_infos"], {**key, "id": None, "before": _NEWER_THAN_ALL, "limit": 1})
            if not newest:
                return None
            version = read_version_info(newest[0]).version
            deployed = sql.row(_queries["last_deployed"], key)
            if deployed is not None and datetime.fromisoformat(str(deployed[1])) >= version.created_at:
                row = sql.row(_queries["version"], {**key, "id": str(deployed[0])})
                return version if row is None else read_version(row)
            return version

        return await self._database.read(read)

    async def _infos(
        self, project: str, worker: str, version_id: str | None, before: int, limit: int
    ) -> Sequence[VersionInfo]:
        key = {"project": project, "worker": worker, "id": version_id, "before": before, "limit": limit}
        rows = await self._database.read(lambda sql: sql.rows(_queries["version_infos"], key))
        return [read_version_info(row) for row in rows]

    async def sizes(self, version: Version) -> Mapping[str, int | None]:
        """How many bytes each of the version's own files has, by path; None: it is lost."""
        paths = sorted(version.sources)
        sizes = await self._blobs.sizes([version.sources[path] for path in paths])
        return dict(zip(paths, sizes, strict=True))

    # ---- bytes

    async def bundle(self, version: Version) -> bytes:
        """The ES module. Raises `BlobMissing` when the store lost it."""
        return await self._blobs.get(version.bundle_hash)

    async def source_map(self, version: Version) -> bytes | None:
        """The source map of the bundle: JSON, version 3."""
        return None if version.source_map_hash is None else await self._blobs.get(version.source_map_hash)

    async def lock(self, version: Version) -> bytes | None:
        """The dependencies as they were resolved for this version, in the form of a deno.lock."""
        return None if version.lock_hash is None else await self._blobs.get(version.lock_hash)

    async def source(self, version: Version, path: str) -> bytes:
        """The text of one of the version's own files."""
        if path not in version.sources:
            raise NotFound(f"{version.worker} has no file {path[:200]}")
        return await self._blobs.get(version.sources[path])

    # ---- adding

    async def make(self, project: str, worker: str, build: Build, manifest: Manifest) -> Version:
        """The bytes into the blob store, all at once, since each waits for the disk. The version is not in the
        database yet: `add` puts it there."""
        schema = manifest.rules.schema
        if schema is not None and not schema.params:
            raise AssertionError("a schema that comes from an export was not read")  # it would be checked by nobody
        paths = sorted(build.sources)
        optional = [data for data in (build.source_map, build.lock) if data is not None]
        keys = await asyncio.gather(
            *(self._blobs.put(data) for data in (build.bundle, *optional, *(build.sources[path] for path in paths)))
        )
        rest = iter(keys[1:])
        source_map_hash = None if build.source_map is None else next(rest)
        lock_hash = None if build.lock is None else next(rest)
        sources = dict(zip(paths, rest, strict=True))
        content = [project, worker, plain_manifest(manifest), keys[0], source_map_hash, lock_hash, sources]
        return Version(
            id=hashlib.sha256(encode(content)).hexdigest()[:_ID_LENGTH],
            worker=worker,
            project=project,
            manifest=manifest,
            bundle_hash=keys[0],
            source_map_hash=source_map_hash,
            created_at=datetime.now(UTC),
            sources=MappingProxyType(sources),
            lock_hash=lock_hash,
        )

    # ---- what people say about them

    async def describe(
        self,
        version: Version,
        actor: Actor,
        *,
        tags: Iterable[str] | None = None,
        pinned: bool | None = None,
        message: str | None = None,
        check: Check | None = None,
    ) -> VersionInfo:
        """Changes what is given. A tag that another version of the worker has moves here. Raises `BadRequest`,
        `NotFound`, and what `check` raises."""
        wanted = None if tags is None else _check_tags(tags)
        text = None if message is None else check_message(message)
        key = _key(version)

        def write(sql: Transaction) -> VersionInfo:
            before = _info(sql, version)
            if check is not None:
                check(before)
            now = before.tags if wanted is None else wanted
            pin = before.pinned if pinned is None else pinned
            said = before.message if text is None else text
            moved = _tagged(sql, version, now)
            sql.execute(_queries["describe_version"], {**key, "message": said, "pinned": int(pin)})
            sql.execute(_queries["clear_tags"], key)
            for tag in now:
                sql.execute(_queries["set_tag"], {**key, "tag": tag})
            event = audit.Event(
                action="version.describe",
                resource=_resource(version),
                project=version.project,
                actor=actor,
                before={"tags": before.tags, "pinned": before.pinned, "message": before.message, **moved},
                after={"tags": now, "pinned": pin, "message": said},
            )
            audit.append(sql, event)
            return _info(sql, version)

        return await self._database.write(write)

    # ---- removing

    async def remove(self, version: Version, actor: Actor, *, check: Check | None = None) -> None:
        """Its bytes go with the next `sweep`. Raises `VersionInUse`, `NotFound`, and what `check` raises."""
        key = _key(version)

        def write(sql: Transaction) -> None:
            before = _info(sql, version)
            if check is not None:
                check(before)
            live = [str(environment) for (environment,) in sql.rows(_queries["environments_of_version"], key)]
            if live:
                raise VersionInUse(
                    f"v{version.number} is live in {', '.join(live)}: deploy another version there first"
                )
            if before.pinned or before.tags:
                raise VersionInUse
            holder = {"project": version.project, "worker": version.worker, "version": version.id}
            if sites := sql.rows(_queries["holders"], holder):
                raise VersionInUse(f"v{version.number} belongs to a release of the site {sites[0][0]!s}")
            sql.execute(_queries["delete_version"], key)
            event = audit.Event(
                action="version.delete",
                resource=_resource(version),
                project=version.project,
                actor=actor,
                before={"number": version.number, "message": before.message},
            )
            audit.append(sql, event)

        await self._database.write(write)

    async def prune(
        self, keep: int, *, project: str | None = None, worker: str | None = None, actor: Actor = RETENTION
    ) -> int:
        """Removes the versions of every worker (of a project, or only one) beyond its newest `keep` that nothing needs:
        those that are live, tagged or pinned stay, and what a rollback would bring back. Gives how many went."""
        gone = 0
        for row in await self._database.read(lambda sql: sql.rows(_queries["workers"], {"project": project})):
            owner, name = str(row[0]), str(row[1])
            if worker in (None, name):
                # One transaction each: a box of many workers does not stand still meanwhile.
                gone += await self._database.write(partial(_prune, owner, name, keep, actor))
        return gone

    async def sweep(self) -> int:
        """Removes the blobs that no version refers to. Gives how many. Reads all versions: not for every day's use."""
        kept: set[bytes] = set()
        after: int | None = 0
        while after is not None:  # in pieces; a version that is added meanwhile has blobs that were just put
            found, after = await self._database.read(partial(_referred, after))
            kept |= found
        gone = 0
        async for key in self._blobs.keys(older_than_seconds=_BLOB_GRACE_SECONDS):
            if bytes.fromhex(key) not in kept:
                gone += await self._blobs.delete(key, older_than_seconds=_BLOB_GRACE_SECONDS)
        return gone


def add_version(
    sql: Transaction, version: Version, actor: Actor, message: str, bundle_bytes: int, quota: int | None
) -> Version:
    """Puts a version that was made into the database, as part of a change; gives it as it is there, since the same
    content may have been there before. `quota`: how many workers the project may have. Raises `CountQuotaExceeded`."""
    if quota is not None:
        _check_room(sql, version, quota)
    row = {**version_row(version), "created_by": actor.name, "message": message, "bundle_bytes": bundle_bytes}
    sql.execute(_queries["add_version"], row)
    key = {"project": version.project, "worker": version.worker}
    sql.execute(_queries["note_number"], key)
    kept = sql.row(_queries["version"], {**key, "id": version.id})
    if kept is None:
        raise AssertionError("the version was just added")
    return read_version(kept)


def _check_room(sql: Transaction, version: Version, quota: int) -> None:
    """Whoever is over a lowered quota may still deploy the workers that are there."""
    names = {str(row[0]) for row in sql.rows(_queries["worker_names"], {"project": version.project})}
    if version.worker not in names and len(names) >= quota:
        raise CountQuotaExceeded(version.project, "workers", quota, len(names))


def check_message(message: str) -> str:
    """A message as it is kept. Raises `BadRequest`."""
    text = message.strip()
    if len(text) > MAX_MESSAGE or any(not (character.isprintable() or character == "\n") for character in text):
        raise BadRequest(f"A message is text of up to {MAX_MESSAGE} characters")
    return text


def _check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(tags))
    if len(wanted) > MAX_TAGS or any(not TAG.fullmatch(tag) or _NUMBER.fullmatch(tag) for tag in wanted):
        raise BadRequest(
            f"A version has up to {MAX_TAGS} tags: a-z, 0-9, dot, dash and underscore, beginning with a letter or "
            "digit, and not like a number"
        )
    return wanted


def _key(version: Version) -> dict[str, str]:
    return {"project": version.project, "worker": version.worker, "id": version.id}


def _resource(version: Version) -> str:
    return f"worker/{version.worker}/version/{version.id}"


def _info(sql: Transaction, version: Version) -> VersionInfo:
    rows = sql.rows(_queries["version_infos"], {**_key(version), "before": _NEWER_THAN_ALL, "limit": 1})
    if not rows:
        raise NotFound(f"{version.worker} has no version {version.id}: it was removed")
    return read_version_info(rows[0])


def _tagged(sql: Transaction, version: Version, tags: Sequence[str]) -> dict[str, dict[str, str]]:
    """For the audit log: which of these tags another version has, and gives up."""
    key = {"project": version.project, "worker": version.worker}
    rows = sql.rows(_queries["tags"], key)
    moved = {str(tag): str(id_) for tag, id_ in rows if tag in tags and id_ != version.id}
    return {"moved": moved} if moved else {}


def _prune(project: str, worker: str, keep: int, actor: Actor, sql: Transaction) -> int:
    key = {"project": project, "worker": worker}
    needed = _rolled_back_to(sql, project, worker)
    ids = [str(row[0]) for row in sql.rows(_queries["versions_to_prune"], {**key, "keep": keep})]
    ids = [version_id for version_id in ids if version_id not in needed]
    for version_id in ids:
        sql.execute(_queries["delete_version"], {**key, "id": version_id})
    if ids:
        resource = f"worker/{worker}"
        event = audit.Event(
            action="version.prune", resource=resource, project=project, actor=actor, before={"versions": ids}
        )
        audit.append(sql, event)
    return len(ids)


def _rolled_back_to(sql: Transaction, project: str, worker: str) -> set[str]:
    """What a rollback would bring back, in each environment."""
    needed: set[str] = set()
    for each in read_deployments(sql, project, worker):
        where = Where(project=project, environment=each.environment, worker=worker)
        needed.update(islice(earlier(read_history(sql, where, LOOKED_AT, None)), 1))
    return needed


def _referred(after: int, sql: Transaction) -> tuple[set[bytes], int | None]:
    """What some versions refer to, and from where to read on; None at the end."""
    kept: set[bytes] = set()
    last: int | None = None
    for rowid, bundle, source_map, lock, sources in sql.rows(_queries["hashes"], {"after": after}):
        last = integer(rowid)
        kept.update(bytes.fromhex(str(key)) for key in (bundle, source_map, lock) if key is not None)
        kept.update(map(bytes.fromhex, msgspec.json.decode(str(sources), type=dict[str, str]).values()))
    return kept, last
