"""The admin API for the access keys of the S3 API: GET and POST /admin/s3/keys, DELETE /admin/s3/keys/{id}."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.routes import Envelope, Shape, router, success
from v8box.features.s3_api.service import MAX_BUCKETS, MAX_LABEL, AccessKey, AccessKeys

_MAX_SECONDS: Final = 10 * 366 * 86_400
_MANAGES: Final = needs(Role.ADMIN, Scope.DATA)
_REGION: Final = "us-east-1"

PermissionName = Literal["read", "write", "list"]


class KeyRequest(Shape):
    """An access key to make."""

    label: str = Field(min_length=1, max_length=MAX_LABEL, description="What it is for; shown in the list.")
    buckets: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_BUCKETS,
        description="The buckets it is for. Left out: all of the project, those to come as well.",
    )
    permissions: list[PermissionName] = Field(
        default=["read", "write", "list"],
        min_length=1,
        max_length=3,
        description="`read`: objects and their metadata. `write`: put, copy, delete; buckets too. `list`: names.",
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=_MAX_SECONDS, description="How long it is good for. Left out: until it is revoked."
    )


class KeyInfo(BaseModel):
    """An access key as the list shows it."""

    id: str = Field(description="The access key id that clients are given.")
    project: str
    label: str
    buckets: list[str] | None = Field(description="None: all of the project.")
    permissions: list[PermissionName]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="Exact to a minute.")
    usable: bool = Field(description="Neither revoked nor expired.")


class NewKey(KeyInfo):
    """An access key that was just made, and all that a client has to be told."""

    secret: str = Field(description="The secret access key. It is shown this once.")
    endpoint: str
    region: str = Field(description="Any other is as good.")


def build_router(keys: AccessKeys, address: Callable[[], str]) -> APIRouter:
    """The routes on a project's keys. `address` gives where the buckets are served from, as
    `http(s)://host[:port][/path]`."""
    routes = router("/admin/s3/keys", "s3 keys")

    @routes.get("", response_model=Envelope[list[KeyInfo]], dependencies=[needs(Role.VIEWER)])
    async def list_s3_keys(project: ProjectHere) -> Response:
        """The project's keys, the newest first. Those that ended stay for 90 days."""
        return success([_info(key) for key in await keys.list(project)])

    @routes.post("", response_model=Envelope[NewKey], status_code=201, dependencies=[_MANAGES])
    async def create_s3_key(project: ProjectHere, wanted: KeyRequest) -> Response:
        """Makes a key. Its secret is in this answer and nowhere else."""
        expires = None
        if wanted.expires_in_seconds is not None:
            expires = int((time.time() + wanted.expires_in_seconds) * 1000)
        key, secret = await keys.create(
            project, wanted.label, buckets=wanted.buckets, permissions=wanted.permissions, expires=expires
        )
        return success({**_info(key), "secret": secret, "endpoint": address(), "region": _REGION}, 201)

    @routes.delete("/{key_id}", response_model=Envelope[None], dependencies=[_MANAGES])
    async def revoke_s3_key(project: ProjectHere, key_id: str) -> Response:
        """Ends a key at once. URLs that were presigned with it end too."""
        await keys.revoke(project, key_id)
        return success(None)

    return routes


def _info(key: AccessKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "project": key.project,
        "label": key.label,
        "buckets": None if key.buckets is None else sorted(key.buckets),
        "permissions": [name for name in ("read", "write", "list") if name in key.permissions],
        "created_at": _iso(key.created),
        "expires_at": _iso(key.expires),
        "revoked_at": _iso(key.revoked),
        "last_used_at": _iso(key.last_used),
        "usable": key.usable(time.time()),
    }


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
