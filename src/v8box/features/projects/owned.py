"""What a project owns, kind by kind: how many there are, and how they are removed with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from v8box.bindings.db.interface import DEFAULT_DATABASE, DatabaseId, Databases
from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, ListOptions, ObjectStore
from v8box.telemetry.actors import Actor

Count = Callable[[str], Awaitable[int]]
Remove = Callable[[str, Actor], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """One kind of thing. `count` None: a project that has only such things counts as empty (keys, roles). `remove` may
    be called again after it was interrupted."""

    kind: str
    """In the plural, as people read it; the name of a quota where there is one."""
    remove: Remove
    count: Count | None = None


def of_databases(databases: Databases) -> Owned:
    """The databases; the default one counts once there is something in it, and is emptied."""

    async def count(project: str) -> int:
        return sum(each.name != DEFAULT_DATABASE or each.size_bytes > 0 for each in await databases.names(project))

    async def remove(project: str, _: Actor) -> None:
        for each in await databases.names(project):
            try:
                await databases.delete(DatabaseId(project, each.name))
            except BindingError as error:
                # Gone meanwhile; or a server without an admin API, which has one database and no projects.
                if error.code not in ("DATABASE_NOT_FOUND", "DB_NOT_AVAILABLE"):
                    raise

    return Owned(kind="databases", count=count, remove=remove)


def of_buckets(objects: ObjectStore) -> Owned:
    """The buckets with their objects and open uploads. Those that the settings name are emptied; they count once there
    is something in them."""

    async def count(project: str) -> int:
        # A server does not say how many objects a bucket has.
        return sum(each.objects is None or each.objects > 0 for each in await objects.buckets(project))

    async def remove(project: str, _: Actor) -> None:
        for each in await objects.buckets(project):
            await _remove_bucket(objects, BucketId(project, each.name))

    return Owned(kind="buckets", count=count, remove=remove)


async def _remove_bucket(objects: ObjectStore, bucket: BucketId) -> None:
    try:
        for upload in await objects.list_uploads(bucket):
            await objects.abort_upload(bucket, upload.key, upload.id)
        while found := (await objects.list_page(bucket, ListOptions())).objects:
            await objects.delete(bucket, [each.key for each in found])
        await objects.delete_bucket(bucket)
    except BindingError as error:
        if error.code not in ("no_such_bucket", "bucket_required", "no_such_upload"):
            raise
