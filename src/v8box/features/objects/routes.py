"""Buckets and objects: /admin/s3/buckets/…

An object's key is the rest of its address. A key that a URL would change on its way (a part that is `.` or `..`, an
empty one in some clients) goes into the query instead: `…/objects/?key=a/../b`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.routes import Envelope, router, success
from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, BucketInfo, Condition, ListOptions, ObjectStore
from v8box.features.objects import schemas
from v8box.features.objects.download import Download
from v8box.features.objects.headers import byte_range, condition, content_range, metadata, object_headers, put_options
from v8box.features.objects.names import (
    MAX_KEY_BYTES,
    bucket_entry,
    bucket_id,
    checked_key,
    key_of,
    no_such_key,
    object_entry,
    utf8,
)

_BODY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_WITH_BODY = {"requestBody": {"required": True, "content": _BODY}}
_IS_BODY: dict[int | str, dict[str, Any]] = {200: {"content": _BODY}, 206: {"content": _BODY}, 304: {}}


_READS = needs(Role.VIEWER)
_WRITES = needs(Role.DEVELOPER, Scope.DATA)
_DELETES = needs(Role.ADMIN, Scope.DATA)


Check = Callable[[str], Awaitable[None]]
"""Whether a project may have one more. Raises what says why not."""


async def _always(_project: str) -> None:
    """There is room."""


def build_router(objects: ObjectStore, check_room: Check = _always) -> APIRouter:
    """The routes on a project's buckets. `check_room` is asked before one is made."""
    handlers = _Handlers(objects, check_room)
    made = router("/admin/s3", "s3")
    bucket, key = "/buckets/{bucket}", "/buckets/{bucket}/objects/{key:rest}"
    for method, path, handler, access, shape in (
        ("GET", "/buckets", handlers.list_buckets, _READS, Envelope[list[schemas.BucketEntry]]),
        ("POST", "/buckets", handlers.create_bucket, _WRITES, Envelope[schemas.BucketEntry]),
        ("PATCH", bucket, handlers.change_bucket, _WRITES, Envelope[schemas.BucketEntry]),
        ("DELETE", bucket, handlers.delete_bucket, _DELETES, Envelope[schemas.DeletedBucket]),
        ("GET", f"{bucket}/objects", handlers.list_objects, _READS, Envelope[schemas.ObjectPage]),
        ("POST", f"{bucket}/objects/delete", handlers.delete_objects, _WRITES, Envelope[schemas.DeletedKeys]),
        ("PATCH", key, handlers.change_object, _WRITES, Envelope[schemas.ObjectEntry]),
        ("DELETE", key, handlers.delete_object, _WRITES, Envelope[schemas.DeletedKeys]),
    ):
        status = 201 if handler == handlers.create_bucket else 200
        made.add_api_route(
            path, handler, methods=[method], response_model=shape, status_code=status, dependencies=[access]
        )
    made.add_api_route(
        key,
        handlers.put_object,
        methods=["PUT"],
        response_model=Envelope[schemas.ObjectEntry],
        status_code=201,
        openapi_extra=_WITH_BODY,
        dependencies=[_WRITES],
    )
    raw: dict[str, Any] = {"response_class": Response, "response_model": None, "dependencies": [_READS]}
    made.add_api_route(key, handlers.get_object, methods=["GET"], responses=_IS_BODY, **raw)
    made.add_api_route(key, handlers.head_object, methods=["HEAD"], **raw)
    return made


class _Handlers:
    """What each address does."""

    def __init__(self, objects: ObjectStore, check_room: Check) -> None:
        self._objects = objects
        self._check_room = check_room

    # ---- buckets

    async def list_buckets(self, project: ProjectHere) -> Response:
        """All buckets by name, with what they hold."""
        return success([bucket_entry(each) for each in await self._objects.buckets(project)])

    async def create_bucket(self, project: ProjectHere, body: schemas.NewBucket) -> Response:
        """A new, empty bucket."""
        bucket = bucket_id(project, body.name)
        await self._check_room(bucket.project)
        await self._objects.create_bucket(bucket, body.quota)
        return success(bucket_entry(await self._info(bucket)), 201)

    async def change_bucket(self, project: ProjectHere, bucket: str, body: schemas.BucketChange) -> Response:
        """Sets the quota. What a bucket already holds beyond it stays."""
        known = bucket_id(project, bucket)
        await self._objects.set_quota(known, body.quota)
        return success(bucket_entry(await self._info(known)))

    async def delete_bucket(self, project: ProjectHere, bucket: str) -> Response:
        """Deletes an empty bucket."""
        await self._objects.delete_bucket(bucket_id(project, bucket))
        return success({"deleted": bucket})

    # ---- objects

    async def list_objects(
        self,
        project: ProjectHere,
        bucket: str,
        prefix: Annotated[str, Query(max_length=MAX_KEY_BYTES)] = "",
        delimiter: Annotated[str, Query(max_length=100)] = "",
        cursor: Annotated[str, Query(max_length=4_096)] = "",
        limit: Annotated[int, Query(ge=1, le=schemas.MAX_KEYS)] = 100,
    ) -> Response:
        """One page of objects by key."""
        options = ListOptions(prefix=utf8(prefix), delimiter=utf8(delimiter), cursor=utf8(cursor), limit=limit)
        page = await self._objects.list_page(bucket_id(project, bucket), options)
        found = [object_entry(each) for each in page.objects]
        return success({"objects": found, "prefixes": page.prefixes, "cursor": page.cursor})

    async def put_object(self, project: ProjectHere, bucket: str, key: str, request: Request) -> Response:
        """Stores the body under the key. It streams to the store: its size is bounded by the disk and the quota."""
        options = put_options(request.headers)
        name = key_of(request, key)
        info = await self._objects.put(bucket_id(project, bucket), name, request.stream(), options)
        if info is None:
            raise BindingError("precondition_failed", "the condition did not hold: nothing was stored")
        return success(object_entry(info), 201)

    async def get_object(self, project: ProjectHere, bucket: str, key: str, request: Request) -> Response:
        """The object, or the part that `Range` names, as a download."""
        name, only_if = key_of(request, key), condition(request.headers)
        part = byte_range(request.headers.get("range"))
        found = await self._objects.get(bucket_id(project, bucket), name, part, only_if)
        if found is None:
            raise no_such_key(name)
        headers = object_headers(found.info)
        if found.body is None:
            if only_if is not None and only_if.none_match is not None:
                return Response(None, 304, headers)
            raise BindingError("precondition_failed", "the object is not the one that If-Match names")
        if part is not None:
            headers["content-range"] = content_range(found)
        return Download(206 if part is not None else 200, headers, found.body, found.length)

    async def head_object(self, project: ProjectHere, bucket: str, key: str, request: Request) -> Response:
        """What is known of the object, as headers."""
        name = key_of(request, key)
        info = await self._objects.head(bucket_id(project, bucket), name)
        if info is None:
            raise no_such_key(name)
        return Download(200, object_headers(info), b"", info.size)

    async def change_object(
        self, project: ProjectHere, bucket: str, key: str, body: schemas.ObjectChange, request: Request
    ) -> Response:
        """Sets the metadata, all of it: what is not named is removed. The content stays. `If-Match` guards against
        somebody else's change."""
        name, known = key_of(request, key), bucket_id(project, bucket)
        now = await self._objects.head(known, name)
        if now is None:
            raise no_such_key(name)
        only_if = condition(request.headers) or Condition(match=[now.etag])  # not another content that came meanwhile
        options = metadata(body.http, body.metadata, only_if)
        info = await self._objects.copy(known, name, known, name, options)
        if info is None:
            raise BindingError("precondition_failed", "the object was changed meanwhile: look at it again")
        return success(object_entry(info))

    async def delete_object(self, project: ProjectHere, bucket: str, key: str, request: Request) -> Response:
        """Deletes one object."""
        name, known = key_of(request, key), bucket_id(project, bucket)
        if await self._objects.head(known, name) is None:
            raise no_such_key(name)
        await self._objects.delete(known, [name])
        return success({"deleted": [name]})

    async def delete_objects(self, project: ProjectHere, bucket: str, body: schemas.Keys) -> Response:
        """Deletes up to 1 000 objects. Keys that are not there are no error."""
        keys = [checked_key(key) for key in body.keys]
        await self._objects.delete(bucket_id(project, bucket), keys)
        return success({"deleted": keys})

    # ---- names

    async def _info(self, bucket: BucketId) -> BucketInfo:
        for each in await self._objects.buckets(bucket.project):
            if each.name == bucket.name:
                return each
        raise BindingError("no_such_bucket", f"there is no bucket {bucket.name}")
