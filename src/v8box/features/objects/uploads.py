"""Uploads in parts, for files that are large or connections that break: below /admin/s3/buckets/{bucket}/uploads.

What was sent stays until the upload is completed, aborted, or left alone for a week: who knows its id and key asks
which parts are there, and sends the rest.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.routes import Envelope, router, success
from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import ObjectStore, PartInfo
from v8box.features.objects import schemas
from v8box.features.objects.headers import metadata
from v8box.features.objects.names import MAX_KEY_BYTES, bucket_id, checked_key, object_entry, time, utf8
from v8box.kit.times import now

_READS: Final = needs(Role.VIEWER)
_WRITES: Final = needs(Role.DEVELOPER, Scope.DATA)
_SHOWN: Final = 1_000
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Key = Annotated[str, Query(min_length=1, max_length=MAX_KEY_BYTES, description="What the upload will be called.")]


def build_router(objects: ObjectStore) -> APIRouter:
    """The routes on a bucket's uploads."""
    routes = router("/admin/s3", "s3")
    every, one = "/buckets/{bucket}/uploads", "/buckets/{bucket}/uploads/{upload}"

    @routes.get(every, response_model=Envelope[list[schemas.UploadEntry]], dependencies=[_READS])
    async def list_uploads(
        project: ProjectHere, bucket: str, prefix: Annotated[str, Query(max_length=MAX_KEY_BYTES)] = ""
    ) -> Response:
        """Uploads that are neither completed nor aborted, up to 1 000."""
        found = await objects.list_uploads(bucket_id(project, bucket), utf8(prefix))
        return success([{"id": each.id, "key": each.key, "started": time(each.started)} for each in found[:_SHOWN]])

    @routes.post(every, response_model=Envelope[schemas.UploadEntry], status_code=201, dependencies=[_WRITES])
    @changes_nothing  # that anybody sees, until it is completed
    async def create_upload(project: ProjectHere, bucket: str, body: schemas.NewUpload) -> Response:
        """Begins an upload. Its parts have 5 MiB or more, but for the last one."""
        http = {} if body.contentType is None else {"contentType": body.contentType}
        options = metadata(http, body.metadata)
        upload = await objects.create_upload(bucket_id(project, bucket), checked_key(body.key), options)
        return success({"id": upload, "key": body.key, "started": now()}, 201)

    @routes.get(one, response_model=Envelope[list[schemas.PartEntry]], dependencies=[_READS])
    async def list_parts(project: ProjectHere, bucket: str, upload: str, key: Key) -> Response:
        """The parts that have arrived whole, by number."""
        parts = await objects.list_parts(bucket_id(project, bucket), checked_key(key), upload)
        return success([_part(each) for each in parts])

    @routes.put(
        one + "/parts/{number}", response_model=Envelope[schemas.PartEntry], openapi_extra=_BODY, dependencies=[_WRITES]
    )
    @changes_nothing
    async def put_part(
        project: ProjectHere, bucket: str, upload: str, number: int, key: Key, request: Request
    ) -> Response:
        """Sends one part, 1 to 10 000. One that is there is replaced; one that breaks off is as if never sent."""
        if not 1 <= number <= schemas.MAX_PARTS:
            raise BindingError("invalid_argument", f"parts are numbered 1 to {schemas.MAX_PARTS}")
        part = await objects.put_part(
            bucket_id(project, bucket), checked_key(key), upload, number, request.stream(), {}
        )
        return success(_part(part))

    @routes.post(one + "/complete", response_model=Envelope[schemas.ObjectEntry], dependencies=[_WRITES])
    async def complete_upload(project: ProjectHere, bucket: str, upload: str, body: schemas.Completion) -> Response:
        """Makes the object of its parts. Where there is one already it needs `replace`; the upload stays meanwhile."""
        known, key = bucket_id(project, bucket), checked_key(body.key)
        if not body.replace and await objects.head(known, key) is not None:
            raise BindingError("precondition_failed", "there is an object of this key: say replace to replace it")
        parts = [(each.number, each.etag) for each in body.parts]
        return success(object_entry(await objects.complete_upload(known, key, upload, parts)))

    @routes.delete(one, response_model=Envelope[schemas.Aborted], dependencies=[_WRITES])
    @changes_nothing
    async def abort_upload(project: ProjectHere, bucket: str, upload: str, key: Key) -> Response:
        """Ends an upload and removes its parts."""
        await objects.abort_upload(bucket_id(project, bucket), checked_key(key), upload)
        return success({"aborted": upload})

    return routes


def _part(part: PartInfo) -> dict[str, Any]:
    return {"number": part.number, "etag": part.etag, "sizeBytes": part.size}
