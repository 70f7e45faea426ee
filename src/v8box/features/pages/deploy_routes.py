"""The addresses that bring files: …/releases takes an archive or a list of files that were sent one by one before, and
…/files/{sha256} takes those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.deployed import DeployedSite
from v8box.api.multipart import receive_upload
from v8box.api.operations import Operations, Progress
from v8box.api.routes import read_body
from v8box.api.staging import Place
from v8box.api.v1 import OperationInfo, accepted, answer, created, router_v1
from v8box.catalog.model import PRODUCTION
from v8box.catalog.sites import ReleaseInfo
from v8box.errors import BadRequest
from v8box.features.pages.build import Told, Untold
from v8box.features.pages.routes import Address
from v8box.features.pages.schemas import MAX_MESSAGE, NewRelease, Project, Release, Sent, Sha256, SiteName
from v8box.features.pages.service import Deploy, PagesService

Work = Callable[[Told], Awaitable[ReleaseInfo]]

_BINARY: Final = {"type": "string", "format": "binary"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {**_BINARY, "description": "A ZIP or tar.gz. A single folder at its top is taken off."},
                        "message": {"type": "string", "maxLength": MAX_MESSAGE},
                        "live": {"type": "string", "enum": ["true", "false"], "default": "true"},
                    },
                    "required": ["file"],
                    "additionalProperties": False,
                }
            },
            "application/zip": {"schema": _BINARY},
            "application/gzip": {"schema": _BINARY},
            "application/json": {"schema": NewRelease.model_json_schema()},
        },
    }
}
_BYTES: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
}
_FILES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {**_BINARY, "description": "A ZIP or tar.gz."}},
                    "required": ["file"],
                }
            },
            "application/zip": {"schema": _BINARY},
            "application/gzip": {"schema": _BINARY},
        },
    }
}
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
Live = Annotated[bool, Query(description="Whether the release answers at once. It has an address in any case.")]
Message = Annotated[str, Query(max_length=MAX_MESSAGE, description="Why, for those who read the history.")]


def build_router(service: PagesService, address: Address, operations: Operations) -> APIRouter:
    """The routes that take files."""
    routes = router_v1("/projects/{project}/sites/{site}", "sites")

    async def show(info: ReleaseInfo, project: str) -> Release:
        site = await service.sites.get(project, info.site)
        return Release.of(service.shown(info), site, address(f"{info.id}--{info.site}"))

    async def perform(request: Request, stack: AsyncExitStack, wanted: Deploy, work: Work) -> Response:
        """Does the work now, or with `Prefer: respond-async` as an operation that takes the place with it."""
        if "respond-async" not in request.headers.get("prefer", ""):
            info = await work(Untold())
            where = f"/projects/{wanted.project}/sites/{wanted.site}/releases/{info.number}"
            return created(await show(info, wanted.project), where)
        held = stack.pop_all()

        async def later(progress: Progress) -> Any:
            async with held:
                return (await show(await work(progress), wanted.project)).model_dump(mode="json")

        try:
            return accepted(await operations.start("release.create", wanted.project, wanted.actor, later))
        except BaseException:
            await held.aclose()
            raise

    @routes.post(
        "/releases",
        response_model=Release,
        status_code=201,
        openapi_extra=_BODY,
        responses={202: {"model": OperationInfo}},
    )
    async def create_release(
        project: Project, site: SiteName, request: Request, who: Writer, live: Live = True, message: Message = ""
    ) -> Response:
        """Makes a release of a ZIP or tar.gz (a form with `file`, or the archive as it is), or of files that were sent
        ahead (JSON: by path their SHA-256), and makes it live. The site is made if there is none of this name. With
        `Prefer: respond-async` the answer is an operation."""
        wanted = Deploy(project=project, site=site, actor=who.actor, message=message, live=live)
        await service.check(replace(wanted, live=False))  # before its bytes are taken
        if _kind(request) == "application/json":
            given = _parse(await read_body(request))
            wanted = _with(wanted, given.message, given.live)
            async with AsyncExitStack() as stack:
                return await perform(
                    request, stack, wanted, lambda told: service.deploy_stored(wanted, given.files, told)
                )
        async with AsyncExitStack() as stack:
            place = await stack.enter_async_context(service.staged())
            upload = await receive_upload(request, place.upload, max_bytes=service.max_bytes)
            if upload.file is None:
                raise BadRequest("The form has no field `file` with the archive.")
            if unknown := upload.fields.keys() - {"message", "live"}:
                raise BadRequest(f"The form has a field that is not known: {min(unknown)[:60]}")
            deploy = _with(wanted, _short(upload.fields.get("message", "")), _flag(upload.fields.get("live", "true")))
            return await perform(request, stack, deploy, lambda told: service.deploy_archive(deploy, place, told))
        raise AssertionError("the stack lets nothing pass")

    @routes.put("/files/{sha256}", response_model=Sent, openapi_extra=_BYTES)
    @changes_nothing  # that anybody sees: the release that names it will
    async def send_file(project: Project, site: SiteName, sha256: Sha256, request: Request, who: Writer) -> Response:
        """Sends the bytes of one file ahead of the release that names it. They wait for it some hours."""
        await service.check(Deploy(project=project, site=site, actor=who.actor, live=False))
        return answer(Sent(bytes=await service.upload(project, site, sha256, request.stream())))

    @routes.post("/files", response_model=Sent, openapi_extra=_FILES)
    @changes_nothing
    async def send_files(project: Project, site: SiteName, request: Request, who: Writer) -> Response:
        """Sends the bytes of many files at once: an archive whose entries may be called as they like. They are told by
        their SHA-256."""
        await service.check(Deploy(project=project, site=site, actor=who.actor, live=False))
        async with service.staged() as place:
            upload = await receive_upload(request, place.upload, max_bytes=service.max_bytes)
            if upload.file is None:
                raise BadRequest("The form has no field `file` with the archive.")
            return answer(Sent(bytes=await service.upload_archive(project, site, place)))
        raise AssertionError("the place lets nothing pass")

    return routes


class Deployer:
    """Deploys files that lie in a place already, for /api/deploy."""

    def __init__(self, service: PagesService, address: Address) -> None:
        self._service = service
        self._address = address

    async def deploy(self, place: Place, wanted: Deploy, environment: str, told: Callable[[str], None]) -> DeployedSite:
        """In another environment than production it becomes a preview of that name."""
        live = environment == PRODUCTION
        project, site = wanted.project, wanted.site
        info = await self._service.deploy_folder(replace(wanted, live=live), place, _Steps(told))
        if not live:
            await self._service.sites.set_preview(project, site, environment, info.number, wanted.actor)
        return DeployedSite(
            name=site,
            project=project,
            release=info.number,
            url=self._address(site if live else f"{environment}--{site}"),
            release_url=self._address(f"{info.id}--{site}"),
        )


class _Steps(Untold):
    """Tells of the steps alone."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def step(self, text: str) -> None:
        self._told(text)


def _with(wanted: Deploy, message: str, live: bool) -> Deploy:
    """What the body says counts where the address does not say it."""
    return replace(wanted, message=wanted.message or message, live=wanted.live and live)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _short(message: str) -> str:
    if len(message) > MAX_MESSAGE:
        raise BadRequest(f"message: up to {MAX_MESSAGE} characters.")
    return message


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadRequest("live: true or false.")
    return text == "true"


def _parse(body: bytes) -> NewRelease:
    try:
        return NewRelease.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        ) from error
