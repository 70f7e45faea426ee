"""Many objects deleted as one operation: POST /admin/s3/buckets/{bucket}/objects/clear. It can be stopped midway."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response

from v8box.api.access import Principal, ProjectHere, Role, Scope, needs
from v8box.api.operations import Operations, Progress
from v8box.api.routes import Envelope, router, success
from v8box.api.v1 import OperationInfo
from v8box.bindings.s3.interface import BucketId, ListOptions, ObjectStore
from v8box.errors import BadRequest
from v8box.features.objects import schemas
from v8box.features.objects.names import bucket_id, checked_key, utf8

_PAGE: Final = 1_000
_AT_ONCE: Final = 50
_Clearer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DATA)]


def build_router(objects: ObjectStore, operations: Operations) -> APIRouter:
    """The route that clears."""
    routes = router("/admin/s3", "s3")

    @routes.post("/buckets/{bucket}/objects/clear", response_model=Envelope[OperationInfo], status_code=202)
    async def clear_objects(who: _Clearer, project: ProjectHere, bucket: str, body: schemas.Clearing) -> Response:
        """Deletes objects by key and all below prefixes, as an operation: GET /api/v1/operations/{id} tells how far it
        is, DELETE stops it. What comes after it began stays."""
        known = bucket_id(project, bucket)
        keys, prefixes = list(dict.fromkeys(map(checked_key, body.keys))), [utf8(prefix) for prefix in body.prefixes]
        if not keys and not prefixes:
            raise BadRequest("Name keys or prefixes.")
        await objects.list_page(known, ListOptions(limit=1))  # whether the bucket is there

        async def work(progress: Progress) -> Any:
            return {"deleted": await clear(objects, known, keys, prefixes, progress)}

        operation = await operations.start("objects.clear", project, who.actor, work)
        return success(OperationInfo.of(operation).model_dump(mode="json"), 202)

    return routes


async def clear(
    objects: ObjectStore, bucket: BucketId, keys: list[str], prefixes: list[str], progress: Progress
) -> int:
    """Page by page. Gives how many it deleted: keys that are not there are none of them."""
    began, deleted = time.time() * 1000, 0
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        found = await asyncio.gather(*(objects.head(bucket, key) for key in some))
        there = [key for key, info in zip(some, found, strict=True) if info is not None]
        if there:
            await objects.delete(bucket, there)
        deleted += len(there)
        progress.count(deleted)
    for prefix in prefixes:
        cursor: str | None = ""
        while cursor is not None:
            page = await objects.list_page(bucket, ListOptions(prefix=prefix, cursor=cursor, limit=_PAGE))
            old = [each.key for each in page.objects if each.uploaded <= began]
            if old:
                await objects.delete(bucket, old)
            deleted += len(old)
            progress.count(deleted)
            cursor = page.cursor
    return deleted
