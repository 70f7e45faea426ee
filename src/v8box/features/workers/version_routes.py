"""The versions of a worker: …/workers/{worker}/versions/… They are looked at, described, downloaded, compared."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project, Reference, VersionDetail, VersionShown, Worker, version_etag
from v8box.api.etags import is_unchanged
from v8box.api.v1 import Page, Paged, answer, check_if_match, no_content, router_v1
from v8box.catalog import Version, VersionInfo
from v8box.catalog.stored import plain_manifest
from v8box.errors import NotFound
from v8box.features.workers.archive import source_zip
from v8box.features.workers.diff import (
    MAX_FILE_BYTES,
    VersionDiff,
    diff_files,
    diff_manifests,
    diff_packages,
)
from v8box.features.workers.schemas import VersionChange
from v8box.features.workers.workers import Workers
from v8box.storage import BlobMissing

_READ: Final = [needs(Role.VIEWER)]
_AS_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_AS_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}
_SAFE: Final = {"content-security-policy": "sandbox; default-src 'none'"}
"""What users wrote is shown on the admin's own origin: it must never run there."""


def build_router(workers: Workers) -> APIRouter:
    """The routes on the versions of all workers."""
    routes = router_v1("/projects/{project}/workers/{worker}/versions", "versions")
    versions = workers.catalog.versions

    @routes.get("", response_model=Page[VersionShown], dependencies=_READ)
    async def list_versions(project: Project, worker: Worker, page: Paged) -> Response:
        """The newest first."""
        await workers.get(project, worker)
        last = page.after(int)
        before = None if last is None else int(last[0])
        found = await versions.list(project, worker, before=before, limit=page.fetch)
        deployments = await workers.catalog.deployments(worker, project=project)
        show = partial(
            VersionShown.of, deployments=deployments, at_sites=workers.catalog.live_at_sites(project, worker)
        )
        return answer(page.page(found, lambda info: (info.version.number,), show))

    @routes.get("/{ref}", response_model=VersionDetail, dependencies=_READ)
    async def show_version(project: Project, worker: Worker, ref: Reference) -> Response:
        """One version: its manifest, its files."""
        info, detail = await workers.detail(await workers.find(project, worker, ref))
        return answer(detail, headers={"etag": version_etag(info)})

    @routes.patch("/{ref}", response_model=VersionShown)
    async def change_version(
        project: Project,
        worker: Worker,
        ref: Reference,
        body: VersionChange,
        request: Request,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
    ) -> Response:
        """Sets its tags, its pin, its message. `If-Match` takes the ETag that a GET gave."""
        info = await versions.describe(
            await workers.find(project, worker, ref),
            who.actor,
            tags=body.tags,
            pinned=body.pinned,
            message=body.message,
            check=partial(_check, request),
        )
        return answer(await workers.shown(info), headers={"etag": version_etag(info)})

    @routes.delete("/{ref}", status_code=204)
    async def delete_version(
        project: Project,
        worker: Worker,
        ref: Reference,
        request: Request,
        who: Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)],
    ) -> Response:
        """Removes a version that is neither live, nor tagged, nor pinned. It cannot be brought back."""
        await versions.remove(await workers.find(project, worker, ref), who.actor, check=partial(_check, request))
        return no_content()

    # ---- what it is made of

    @routes.get("/{ref}/files/{path:rest}", response_class=Response, responses=_AS_TEXT, dependencies=_READ)
    async def show_version_file(
        project: Project, worker: Worker, ref: Reference, path: str, request: Request
    ) -> Response:
        """The text of one of its files."""
        version = await workers.find(project, worker, ref)
        digest = version.sources.get(path)
        if digest is None:
            raise NotFound(f"v{version.number} of {worker} has no file {path[:200]}")
        etag = f'"{digest}"'
        if is_unchanged(request, etag):
            return Response(None, 304, {"etag": etag})
        return _text(await versions.source(version, path), "text/plain; charset=utf-8", {"etag": etag})

    @routes.get("/{ref}/source.zip", response_class=Response, responses=_AS_FILE, dependencies=_READ)
    async def download_source(project: Project, worker: Worker, ref: Reference) -> Response:
        """All its files. A version that was deployed of them again is the same version."""
        version = await workers.find(project, worker, ref)
        for path, size in (await versions.sizes(version)).items():
            if size is None:
                raise BlobMissing(f"the file {path} is lost")
        headers = {"content-disposition": f'attachment; filename="{worker}-v{version.number}.zip"'}
        return StreamingResponse(source_zip(version, versions.source), 200, headers, "application/zip")

    @routes.get("/{ref}/bundle.js", response_class=Response, responses=_AS_TEXT, dependencies=_READ)
    async def download_bundle(project: Project, worker: Worker, ref: Reference) -> Response:
        """The one module that its sandboxes run."""
        version = await workers.find(project, worker, ref)
        return _text(await versions.bundle(version), "text/javascript; charset=utf-8", {})

    @routes.get("/{ref}/lock", response_class=Response, responses=_AS_TEXT, dependencies=_READ)
    async def download_lock(project: Project, worker: Worker, ref: Reference) -> Response:
        """Its packages as they were resolved: a deno.lock."""
        version = await workers.find(project, worker, ref)
        lock = await versions.lock(version)
        if lock is None:
            raise NotFound(f"v{version.number} of {worker} has no packages")
        return _text(lock, "application/json", {})

    @routes.get("/{a}/diff/{b}", response_model=VersionDiff, dependencies=_READ)
    async def diff_versions(project: Project, worker: Worker, a: Reference, b: Reference) -> Response:
        """What is different in `b`: files as a unified diff, packages, keys of the manifest."""
        before, after = await workers.find(project, worker, a), await workers.find(project, worker, b)
        changed = {
            path for path in {*before.sources, *after.sources} if before.sources.get(path) != after.sources.get(path)
        }
        files, short = await asyncio.to_thread(diff_files, await _texts(before, changed), await _texts(after, changed))
        return answer(
            VersionDiff(
                a=before.id,
                b=after.id,
                files=files,
                packages=diff_packages(await versions.lock(before), await versions.lock(after)),
                manifest=diff_manifests(plain_manifest(before.manifest), plain_manifest(after.manifest)),
                truncated=short,
            )
        )

    async def _texts(version: Version, paths: set[str]) -> dict[str, bytes | None]:
        sizes = await versions.sizes(version)
        return {
            path: await versions.source(version, path)
            if (sizes[path] or MAX_FILE_BYTES + 1) <= MAX_FILE_BYTES
            else None
            for path in sorted(paths & version.sources.keys())
        }

    return routes


def _check(request: Request, info: VersionInfo) -> None:
    check_if_match(request, version_etag(info))


def _text(data: bytes, media_type: str, headers: dict[str, str]) -> Response:
    return Response(data, 200, {**_SAFE, **headers}, media_type)
