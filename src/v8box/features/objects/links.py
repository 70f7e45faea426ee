"""Presigned links: POST /admin/s3/buckets/{bucket}/links gives a URL that needs no sign-in, for one object and a while.

The URL is its own key: it is answered once and kept nowhere, neither here nor in a log.
"""

from __future__ import annotations

import time as clock
from typing import Final

from fastapi import APIRouter, Response

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.routes import Envelope, router, success
from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import ObjectStore, Presigner
from v8box.errors import BadRequest
from v8box.features.objects import schemas
from v8box.features.objects.headers import attachment
from v8box.features.objects.names import bucket_id, checked_key, no_such_key, time

_SHARES: Final = needs(Role.DEVELOPER, Scope.DATA)


def build_router(objects: ObjectStore, presigner: Presigner) -> APIRouter:
    """The route that makes links."""
    routes = router("/admin/s3", "s3")

    @routes.post(
        "/buckets/{bucket}/links", response_model=Envelope[schemas.Link], status_code=201, dependencies=[_SHARES]
    )
    async def create_link(project: ProjectHere, bucket: str, body: schemas.NewLink) -> Response:
        """A link to download one object, or to upload one, for whoever has it, until it expires. It ends earlier when
        the box's S3 key file is replaced."""
        known, key = bucket_id(project, bucket), checked_key(body.key)
        if any(part in (".", "..") for part in key.split("/")):
            raise BadRequest("A part of this key is . or .. and would be lost on the way of a link: rename the object.")
        if body.contentType is not None and (not body.contentType.isascii() or not body.contentType.isprintable()):
            raise BadRequest("contentType: printable ASCII, such as image/png.")
        if body.method == "GET":
            if await objects.head(known, key) is None:
                raise no_such_key(key)
        elif all(each.name != bucket for each in await objects.buckets(project)):
            raise BindingError("no_such_bucket", f"there is no bucket {bucket}: create it first")
        disposition = attachment(key) if body.download and body.method == "GET" else None
        url = presigner.presign(known, key, body.method, body.expiresInSeconds, body.contentType, disposition)
        must = {"content-type": body.contentType} if body.method == "PUT" and body.contentType is not None else {}
        expires = time(int((clock.time() + body.expiresInSeconds) * 1000))
        return success({"url": url, "method": body.method, "expires": expires, "headers": must}, 201)

    return routes
