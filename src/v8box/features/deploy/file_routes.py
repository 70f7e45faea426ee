"""The files of a worker as they are edited: …/workers/{worker}/files/…"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import DeployFault, Project, VersionShown, Worker
from v8box.api.etags import PreconditionFailed, is_unchanged
from v8box.api.v1 import Page, Paged, answer, check_if_match, no_content, router_v1
from v8box.catalog.deployments import check_environment
from v8box.catalog.versions import MAX_MESSAGE
from v8box.errors import PayloadTooLarge
from v8box.features.deploy.files import MAX_FILE_BYTES, Change, CheckHash, FileState, Saved, WorkerFiles
from v8box.features.deploy.routes import Show
from v8box.features.deploy.schemas import FileChange, FileChanges, FileInfo, FileSaved, FilesSaved
from v8box.features.deploy.served import fault
from v8box.features.deploy.uploads import Order

_READ: Final = [needs(Role.VIEWER)]
_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_AS_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": _TEXT}}
_BODY: Final = {"requestBody": {"required": True, "content": {"application/octet-stream": _TEXT["text/plain"]}}}
_SAFE: Final = {"content-security-policy": "sandbox; default-src 'none'"}


class ChangedMeanwhile(PreconditionFailed):
    """Somebody else has saved one of the files meanwhile. Get it again, and make the change on what it is now."""

    def __init__(self, path: str, sha256: str | None) -> None:
        what = "is gone" if sha256 is None else "was saved by somebody else"
        super().__init__(_etag(sha256 or "none"), f"{path[:200]} {what} meanwhile. Nothing was saved.")
        self.path = path


def build_router(files: WorkerFiles, show: Show) -> APIRouter:
    """The routes on the files of all workers."""
    routes = router_v1("/projects/{project}/workers/{worker}/files", "files")

    @routes.get("", response_model=Page[FileInfo], dependencies=_READ)
    async def list_worker_files(project: Project, worker: Worker, page: Paged) -> Response:
        """The worker's own files: those in the served folder, or those of its newest version."""
        found = await files.all(project, worker)
        return answer(page.page_of_all(found, lambda each: (each.path,), _info))

    @routes.get("/{path:rest}", response_class=Response, responses=_AS_TEXT, dependencies=_READ)
    async def show_worker_file(project: Project, worker: Worker, path: str, request: Request) -> Response:
        """One of them. `If-Match` of a save takes its ETag."""
        state, data = await files.read(project, worker, path)
        etag = _etag(state.sha256)
        if is_unchanged(request, etag):
            return Response(None, 304, {"etag": etag})
        return Response(data, 200, {**_SAFE, "etag": etag}, "text/plain; charset=utf-8")

    @routes.put("/{path:rest}", response_model=FileSaved, openapi_extra=_BODY)
    async def save_worker_file(
        project: Project,
        worker: Worker,
        path: str,
        request: Request,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
        environment: Annotated[
            str | None,
            Query(max_length=32, description="For a worker that is in no folder: make the new version live there."),
        ] = None,
        message: Annotated[str, Query(max_length=MAX_MESSAGE)] = "",
    ) -> Response:
        """Saves a file and answers what came of it. In the served folder the file itself is written, and is live when
        this answers; else a new version is made of the newest one's sources. With `If-Match` (the file's ETag) a save
        of somebody else's meanwhile is not written over: 412. `If-None-Match: *` is for a new file."""
        if environment is not None:
            check_environment(environment)
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_FILE_BYTES:
                raise PayloadTooLarge(f"A file may have {MAX_FILE_BYTES // 1_048_576} MB.")

        def check(known: str | None) -> None:
            if request.headers.get("if-none-match", "").strip() == "*" and known is not None:
                raise PreconditionFailed(_etag(known), "There is a file of this name already.")
            check_if_match(request, _etag(known or "none"))

        order = Order(project=project, actor=who.actor, environment=environment, message=message)
        saved = await files.save(worker, [Change(path, bytes(data), check)], order)
        [file] = saved.files
        body = FileSaved(file=_info(file), version=await shown(saved), error=_fault(saved))
        return answer(body, headers={"etag": _etag(file.sha256)})

    @routes.patch("", response_model=FilesSaved)
    async def save_worker_files(
        project: Project,
        worker: Worker,
        body: FileChanges,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
        environment: Annotated[
            str | None,
            Query(max_length=32, description="For a worker that is in no folder: make the new version live there."),
        ] = None,
    ) -> Response:
        """Saves, deletes and moves several files at once: all or none, as one version. For changes that need each
        other, which would not build one by one. A file that somebody else saved meanwhile is told by its `path`: 412.
        """
        if environment is not None:
            check_environment(environment)
        changes = [Change(each.path, _data(each), _unchanged(each)) for each in body.changes]
        order = Order(project=project, actor=who.actor, environment=environment, message=body.message)
        saved = await files.save(worker, changes, order)
        return answer(
            FilesSaved(files=[_info(each) for each in saved.files], version=await shown(saved), error=_fault(saved))
        )

    @routes.delete("/{path:rest}", status_code=204)
    async def delete_worker_file(
        project: Project,
        worker: Worker,
        path: str,
        request: Request,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
        environment: Annotated[
            str | None,
            Query(max_length=32, description="For a worker that is in no folder: make the new version live there."),
        ] = None,
        message: Annotated[str, Query(max_length=MAX_MESSAGE)] = "",
    ) -> Response:
        """Deletes a file, but not the main one. A worker of no folder gets a new version, and keeps the file where it
        would not build without it; older versions have it still. With `If-Match` a file that somebody else saved
        meanwhile is not deleted: 412."""
        if environment is not None:
            check_environment(environment)
        order = Order(project=project, actor=who.actor, environment=environment, message=message)
        change = Change(path, None, lambda known: check_if_match(request, _etag(known or "none")))
        await files.save(worker, [change], order)
        return no_content()

    async def shown(saved: Saved) -> VersionShown | None:
        return None if saved.version is None else await show(saved.version)

    return routes


def _data(change: FileChange) -> bytes | None:
    if change.text is None:
        return None
    data = change.text.encode()
    if len(data) > MAX_FILE_BYTES:
        raise PayloadTooLarge(f"{change.path[:200]}: a file may have {MAX_FILE_BYTES // 1_048_576} MB.")
    return data


def _unchanged(change: FileChange) -> CheckHash:
    def check(known: str | None) -> None:
        if change.base_sha256 is not None and change.base_sha256 != (known or ""):
            raise ChangedMeanwhile(change.path, known)

    return check


def _fault(saved: Saved) -> DeployFault | None:
    return None if saved.failed is None else fault(saved.failed)


def _info(state: FileState) -> FileInfo:
    return FileInfo(path=state.path, sha256=state.sha256, bytes=state.bytes)


def _etag(digest: str) -> str:
    return f'"{digest}"'
