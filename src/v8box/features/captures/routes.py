"""`…/workers/{worker}/profile`, and what came of it: `/api/v1/projects/{project}/captures`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from starlette.responses import FileResponse

from v8box.api.access import Forbidden, Principal, Role, Scope, needs
from v8box.api.deployed import Worker
from v8box.api.operations import Operations, Progress
from v8box.api.v1 import OperationInfo, Page, Paged, Time, accepted, answer, no_content, router_v1
from v8box.catalog.model import PRODUCTION, Placement
from v8box.errors import NotFound
from v8box.features.captures.service import Capture, CaptureKind, CaptureNotFound, Captures

MAX_SECONDS: Final = 60.0
_TYPES: Final = {
    CaptureKind.CPU_PROFILE: "application/json",
    CaptureKind.HEAP_SNAPSHOT: "application/json",
}

CaptureId = Annotated[str, Path(max_length=64, description="The capture's id.")]
Live = Callable[[str, str, str], Placement | None]
"""What is live of a worker: project, worker, environment."""


class NotLive(NotFound):
    """Nothing of this worker is live in this environment."""

    code = "not_live"


class ProfileOrder(BaseModel, extra="forbid"):
    """How long, and where."""

    seconds: float = Field(default=5.0, ge=0.1, le=MAX_SECONDS)
    environment: str = Field(default=PRODUCTION, max_length=32)


class SnapshotOrder(BaseModel, extra="forbid"):
    """Where."""

    environment: str = Field(default=PRODUCTION, max_length=32)


class CaptureInfo(BaseModel):
    """A file that was taken of a worker."""

    id: str
    kind: CaptureKind = Field(description="Also the ending of the file.")
    worker: str
    environment: str
    version: str
    created_at: Time
    created_by: str
    bytes: int
    note: str = Field(description="How much is in it, and what went wrong.")
    file: str = Field(description="Where it is downloaded, below /api/v1.")

    @classmethod
    def of(cls, capture: Capture) -> CaptureInfo:
        return cls(
            id=capture.id,
            kind=capture.kind,
            worker=capture.worker,
            environment=capture.environment,
            version=capture.version,
            created_at=datetime.fromtimestamp(capture.created_at, UTC),
            created_by=capture.created_by,
            bytes=capture.bytes,
            note=capture.note,
            file=f"/projects/{capture.project}/captures/{capture.id}/file",
        )


def build_router(captures: Captures, operations: Operations, live: Live) -> APIRouter:
    """The routes that take captures and show them."""
    routes = router_v1("/projects/{project}", "captures")

    def placement(project: str, worker: str, environment: str) -> Placement:
        found = live(project, worker, environment)
        if found is None:
            raise NotLive(f"Nothing of {worker} is live in {environment[:32]}.")
        return found

    @routes.post(
        "/workers/{worker}/profile",
        response_model=OperationInfo,
        status_code=202,
    )
    async def profile_worker(
        project: str, worker: Worker, who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)], body: ProfileOrder
    ) -> Response:
        """Takes a CPU profile: a process of its own is started, gets the worker's runs for so many seconds, and says a
        thousand times a second where its code is. Works for code that never yields, too. The operation's result is the
        capture."""
        target = placement(project, worker, body.environment)

        async def work(progress: Progress) -> Any:
            progress.step(f"profiling {worker} for {body.seconds:g} s")
            return CaptureInfo.of(await captures.profile(target, body.seconds, who.actor)).model_dump(mode="json")

        return accepted(await operations.start("worker.profile", project, who.actor, work))

    @routes.post(
        "/workers/{worker}/heap-snapshot",
        response_model=OperationInfo,
        status_code=202,
    )
    async def snapshot_heap(
        project: str, worker: Worker, who: Annotated[Principal, needs(Role.ADMIN, Scope.SECRETS)], body: SnapshotOrder
    ) -> Response:
        """Takes a heap snapshot of the process of the worker that has most in use. It holds whatever is in its memory,
        secrets and callers' data included, so it is for admins. The process answers nobody meanwhile (seconds, for a
        large heap a minute), needs many times its heap in memory, and is replaced afterwards."""
        target = placement(project, worker, body.environment)

        async def work(progress: Progress) -> Any:
            progress.step(f"taking a heap snapshot of {worker}")
            return CaptureInfo.of(await captures.heap_snapshot(target, who.actor)).model_dump(mode="json")

        return accepted(await operations.start("worker.heap_snapshot", project, who.actor, work))

    @routes.get("/captures", response_model=Page[CaptureInfo], dependencies=[needs(Role.DEVELOPER)])
    async def list_captures(project: str, page: Paged) -> Response:
        """The project's captures, newest first. They are deleted after a day."""
        found = captures.list(project)
        return answer(
            page.page_of_all(found, lambda each: (each.created_at, each.id), CaptureInfo.of, newest_first=True)
        )

    @routes.get("/captures/{capture_id}", response_model=CaptureInfo, dependencies=[needs(Role.DEVELOPER)])
    async def show_capture(project: str, capture_id: CaptureId) -> Response:
        """One capture."""
        return answer(CaptureInfo.of(captures.get(project, capture_id)))

    @routes.get(
        "/captures/{capture_id}/file",
        response_class=Response,
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def download_capture(
        project: str, capture_id: CaptureId, who: Annotated[Principal, needs(Role.DEVELOPER)]
    ) -> Response:
        """The file itself, for Chrome's DevTools. A heap snapshot is for admins: it holds the secrets of the worker and
        whatever it was just working on."""
        capture = captures.get(project, capture_id)
        if capture.kind is CaptureKind.HEAP_SNAPSHOT and who.role(project) < Role.ADMIN:
            raise Forbidden(f"This needs the role admin in the project {project}: a heap snapshot holds secrets.")
        file = captures.file(capture)
        if not await asyncio.to_thread(file.is_file):
            raise CaptureNotFound
        name = f"{capture.worker}-{capture.id}.{capture.kind}"
        return FileResponse(file, media_type=_TYPES[capture.kind], filename=name)

    @routes.delete("/captures/{capture_id}", status_code=204)
    async def delete_capture(
        project: str, capture_id: CaptureId, who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
    ) -> Response:
        """Deletes the file at once."""
        await captures.delete(project, capture_id, who.actor)
        return no_content()

    return routes
