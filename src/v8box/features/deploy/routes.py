"""The addresses that bring code: …/workers/{worker}/versions and …/check take it, /api/deploy takes a whole folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from v8box.api.access import Exists, Forbidden, PasswordChangeNeeded, Principal, Role, Scope, needs
from v8box.api.deployed import DeployedSite, Project, VersionShown, Worker, WorkerInfo
from v8box.api.multipart import receive_upload
from v8box.api.operations import Operations, Progress
from v8box.api.routes import read_body
from v8box.api.staging import BadArchive, Place, Staging
from v8box.api.v1 import ERRORS, OperationInfo, V1Route, accepted, answer, created, router_v1
from v8box.catalog import PRODUCTION, Version, route_key
from v8box.catalog.deployments import check_environment, check_project
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.versions import MAX_MESSAGE, check_message
from v8box.errors import BadRequest, V8BoxError
from v8box.features.deploy.discovery import FUNCTIONS
from v8box.features.deploy.events import Subject
from v8box.features.deploy.schemas import Checked, DeployedAll, DeployedWorker, DiagnosticInfo, NewVersion
from v8box.features.deploy.uploads import Order, Uploads, has_workers
from v8box.kit.archives import Bounds, Unpacked
from v8box.telemetry.actors import Actor

MAX_UPLOAD_BYTES: Final = 64 * 1024 * 1024
_WORKER_BOUNDS: Final = Bounds()
INDEX: Final = "index.html"
Show = Callable[[Version], Awaitable[VersionShown]]
"""A version as the API shows it."""
ShowWorker = Callable[[str, str], Awaitable[WorkerInfo]]

_Message = Annotated[str, Query(max_length=MAX_MESSAGE, description="Why, for those who read the history.")]
_Check = Annotated[bool, Query(description="Refuse it for errors of types, too.")]
_FORM: Final = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary", "description": "A ZIP or tar.gz."}},
    "required": ["file"],
}
_BINARY: Final = {"type": "string", "format": "binary"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": NewVersion.model_json_schema()},
            "multipart/form-data": {"schema": _FORM},
            "application/zip": {"schema": _BINARY},
            "application/gzip": {"schema": _BINARY},
        },
    }
}
_DEPLOY_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    **_FORM,
                    "properties": {
                        **_FORM["properties"],  # type: ignore[dict-item]
                        "project": {"type": "string", "default": "default"},
                        "environment": {"type": "string", "default": PRODUCTION},
                        "message": {"type": "string"},
                        "worker": {"type": "string", "description": "The archive is this one worker."},
                        "site": {"type": "string", "description": "The archive is this site."},
                    },
                }
            },
            "application/zip": {"schema": _BINARY},
            "application/gzip": {"schema": _BINARY},
        },
    }
}
_DEPLOYER: Final = needs(Role.DEVELOPER, Scope.DEPLOY)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOrder:
    """Where a site is to go. In another environment than production it is a preview of that name."""

    project: str
    site: str
    environment: str
    message: str
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDeploys:
    """How an archive that is a site is deployed: by the feature of sites, which is not known here."""

    bounds: Bounds
    deploy: Callable[[Place, SiteOrder, Callable[[str], None]], Awaitable[DeployedSite]]


def _untold(subject: Subject, why: str) -> None:
    """Nobody is told of a deploy that failed but whoever asked for it."""


class DeployRoutes:
    """What the routes share: receiving, staging, deploying, answering at once or later."""

    def __init__(
        self,
        uploads: Uploads,
        staging: Staging,
        operations: Operations,
        *,
        show: Show,
        show_worker: ShowWorker,
        base: str,
        sites: SiteDeploys,
        on_failed: Callable[[Subject, str], None] = _untold,
    ) -> None:
        """`on_failed` hears of a deploy that failed: of what, and why."""
        self.uploads = uploads
        self.show = show
        self.show_worker = show_worker
        self.base = base
        self.sites = sites
        self._staging = staging
        self._operations = operations
        self._on_failed = on_failed

    async def receive(self, request: Request, stack: AsyncExitStack) -> tuple[Place, NewVersion | None]:
        """The sources, in a place that is theirs until `stack` is closed."""
        if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
            wanted = _parse(await read_body(request))
            place = await stack.enter_async_context(self._staging.place())
            await place.write({path: text.encode() for path, text in wanted.files.items()})
            return place, wanted
        place = await stack.enter_async_context(self._staging.place())
        await self._receive_archive(request, place, _WORKER_BOUNDS, MAX_UPLOAD_BYTES)
        return place, None

    async def _receive_archive(
        self, request: Request, place: Place, bounds: Bounds, max_bytes: int
    ) -> tuple[dict[str, str], Unpacked]:
        upload = await receive_upload(request, place.upload, max_bytes=max_bytes)
        if upload.file is None:
            raise BadRequest("The form has no field `file` with the archive.")
        return dict(upload.fields), await place.unpack(bounds, keep_top={FUNCTIONS})

    async def receive_form(self, request: Request, stack: AsyncExitStack) -> tuple[Place, dict[str, str], bool]:
        """The same for an archive, with what the form says beside it (an archive by itself has it in the query), and
        whether it is a site."""
        place = await stack.enter_async_context(self._staging.place())
        bounds = self.sites.bounds
        fields, unpacked = await self._receive_archive(request, place, bounds, bounds.total_bytes)
        unknown = fields.keys() - {"project", "environment", "message", "worker", "site"}
        if unknown:
            raise BadRequest(f"The form has a field that is not known: {sorted(unknown)[0][:60]}")
        fields = {**dict(request.query_params), **fields}
        if fields.get("site") and fields.get("worker"):
            raise BadRequest("An archive is a worker or a site: say one of them.")
        is_site = bool(fields.get("site"))
        if not is_site and not fields.get("worker") and INDEX in unpacked.files:
            is_site = not await asyncio.to_thread(has_workers, place.files)
        if not is_site and (
            len(unpacked.files) > _WORKER_BOUNDS.entries or unpacked.total_bytes > _WORKER_BOUNDS.total_bytes
        ):
            most = f"{_WORKER_BOUNDS.entries} files and {_WORKER_BOUNDS.total_bytes // 1_048_576} MB"
            raise BadArchive(f"The archive is refused: workers have {most} at most")
        return place, fields, is_site

    @contextmanager
    def telling(self, subject: Subject) -> Iterator[None]:
        """Whoever wants to know hears of a deploy that fails within."""
        try:
            yield
        except V8BoxError as error:
            self._on_failed(subject, error.detail)
            raise

    async def perform(
        self,
        request: Request,
        stack: AsyncExitStack,
        order: Order,
        kind: str,
        work: Callable[[Callable[[str], None]], Awaitable[Any]],
        respond: Callable[[Any], Awaitable[Response]],
        tell: Callable[[Any], Awaitable[Any]],
        subject: Subject,
    ) -> Response:
        """Does the work now, or with `Prefer: respond-async` as an operation that takes the place with it."""

        async def told_work(step: Callable[[str], None]) -> Any:
            with self.telling(subject):
                return await work(step)

        if "respond-async" not in request.headers.get("prefer", ""):
            return await respond(await told_work(lambda _: None))
        held = stack.pop_all()

        async def later(progress: Progress) -> Any:
            async with held:
                return await tell(await told_work(progress.step))

        try:
            return accepted(await self._operations.start(kind, order.project, order.actor, later))
        except BaseException:
            await held.aclose()
            raise


def build_routers(deploys: DeployRoutes) -> list[APIRouter]:
    """The routes of this feature that take code."""
    return [_workers_router(deploys), _deploy_router(deploys)]


def _workers_router(deploys: DeployRoutes) -> APIRouter:
    routes = router_v1("/projects/{project}/workers/{worker}", "versions")

    @routes.post(
        "/versions",
        response_model=VersionShown,
        status_code=201,
        openapi_extra=_BODY,
        responses={202: {"model": OperationInfo}},
    )
    async def create_version(
        project: Project,
        worker: Worker,
        request: Request,
        who: Annotated[Principal, _DEPLOYER],
        environment: Annotated[
            str | None, Query(max_length=32, description="Make it live there. Left out: it is kept, and not live.")
        ] = None,
        message: _Message = "",
        check: _Check = False,
    ) -> Response:
        """Makes a version of a worker of its sources: JSON, a ZIP or a tar.gz. The same sources again are the same
        version. With `Prefer: respond-async` the answer is an operation."""
        order = _order(project, who, environment, message, check)
        async with AsyncExitStack() as stack:
            place, wanted = await deploys.receive(request, stack)
            if wanted is not None and wanted.message and not message:
                order = _order(project, who, environment, wanted.message, check)

            async def work(told: Callable[[str], None]) -> Version:
                manifest = None if wanted is None else wanted.manifest
                return await deploys.uploads.deploy_worker(place, worker, order, manifest=manifest, told=told)

            async def respond(version: Version) -> Response:
                shown = await deploys.show(version)
                return created(shown, f"/projects/{project}/workers/{worker}/versions/{version.id}")

            async def tell(version: Version) -> Any:
                return (await deploys.show(version)).model_dump(mode="json")

            subject = Subject(project, worker=worker)
            return await deploys.perform(request, stack, order, "version.create", work, respond, tell, subject)
        raise AssertionError("the stack lets nothing pass")

    @routes.put("", response_model=WorkerInfo, openapi_extra=_BODY)
    async def put_worker(
        project: Project,
        worker: Worker,
        request: Request,
        who: Annotated[Principal, _DEPLOYER],
        environment: Annotated[str, Query(max_length=32)] = PRODUCTION,
        message: _Message = "",
        check: _Check = False,
    ) -> Response:
        """Makes a worker, or a worker anew, of its sources, and makes it live. For one that comes from no folder."""
        async with AsyncExitStack() as stack:
            place, wanted = await deploys.receive(request, stack)
            text = message or ("" if wanted is None else wanted.message)
            order = _order(project, who, environment, text, check)
            with deploys.telling(Subject(project, worker=worker)):
                await deploys.uploads.deploy_worker(
                    place, worker, order, manifest=None if wanted is None else wanted.manifest
                )
        return answer(await deploys.show_worker(project, worker))

    @routes.post("/check", response_model=Checked, openapi_extra=_BODY)
    async def check_worker(
        project: Project, worker: Worker, request: Request, who: Annotated[Principal, _DEPLOYER]
    ) -> Response:
        """Bundles the sources and checks their types, and tells what is wrong. Nothing is kept."""
        async with AsyncExitStack() as stack:
            place, wanted = await deploys.receive(request, stack)
            found = await deploys.uploads.check_worker(
                place, worker, manifest=None if wanted is None else wanted.manifest
            )
        shown = [DiagnosticInfo.model_validate(each, from_attributes=True) for each in found]
        return answer(Checked(ok=not shown, diagnostics=shown))

    return routes


def _deploy_router(deploys: DeployRoutes) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["deploy"], route_class=V1Route, responses=ERRORS)

    @routes.post(
        "/deploy", response_model=DeployedAll, openapi_extra=_DEPLOY_FORM, responses={202: {"model": OperationInfo}}
    )
    async def deploy(request: Request, who: Annotated[Principal, needs(None, Scope.DEPLOY)]) -> Response:
        """Deploys every worker of an archive (`functions/…` and `v8box.toml`, as a served folder has them), all of them
        or none; with `worker`, the archive is that one worker. An archive with an `index.html` and no workers is a
        site: the one that `site` names, else the one called like `project`. For CI: a form with `project` and `file`.
        """
        if not any(who.role(project) >= Role.DEVELOPER for project in (None, who.project, *who.roles)):
            raise Forbidden("This needs the role developer in the project.")  # before the archive is taken
        async with AsyncExitStack() as stack:
            place, fields, is_site = await deploys.receive_form(request, stack)
            if is_site:
                return await _deploy_site(deploys, request, stack, place, fields, who)
            project = fields.get("project") or request.headers.get("v8box-project") or "default"
            _check_role(who, project)
            environment = fields.get("environment") or PRODUCTION
            worker = fields.get("worker")
            order = _order(project, who, environment, fields.get("message", ""), False)

            async def work(told: Callable[[str], None]) -> dict[str, Version]:
                if not worker:
                    return await deploys.uploads.deploy_folder(place, order, told=told)
                return {worker: await deploys.uploads.deploy_worker(place, worker, order, told=told)}

            def shown(versions: dict[str, Version]) -> DeployedAll:
                return DeployedAll(
                    project=project,
                    environment=environment,
                    message=order.message,
                    workers=[
                        DeployedWorker(
                            name=name,
                            version=version.id,
                            number=version.number,
                            url=f"{deploys.base}/run/{route_key(project, name, environment)}",
                        )
                        for name, version in sorted(versions.items())
                    ],
                )

            async def respond(versions: dict[str, Version]) -> Response:
                return answer(shown(versions))

            async def tell(versions: dict[str, Version]) -> Any:
                return shown(versions).model_dump(mode="json")

            subject = Subject(project, worker=worker)
            return await deploys.perform(request, stack, order, "workers.deploy", work, respond, tell, subject)
        raise AssertionError("the stack lets nothing pass")

    return routes


async def _deploy_site(
    deploys: DeployRoutes,
    request: Request,
    stack: AsyncExitStack,
    place: Place,
    fields: Mapping[str, str],
    who: Principal,
) -> Response:
    project = fields.get("project") or request.headers.get("v8box-project") or DEFAULT_PROJECT
    site = fields.get("site") or ""
    if not site:
        if project == DEFAULT_PROJECT:
            raise BadRequest("The archive is a site: say its name in the field `site`.")
        exists: Exists = request.app.state.project_exists
        site, project = project, project if await exists(project) else DEFAULT_PROJECT
    _check_role(who, project)
    order = _order(project, who, fields.get("environment") or PRODUCTION, fields.get("message", ""), False)
    wanted = SiteOrder(
        project=project, site=site, environment=order.environment or PRODUCTION, message=order.message, actor=who.actor
    )

    async def work(told: Callable[[str], None]) -> DeployedSite:
        return await deploys.sites.deploy(place, wanted, told)

    def shown(made: DeployedSite) -> DeployedAll:
        return DeployedAll(
            project=project, environment=wanted.environment, message=wanted.message, workers=[], site=made
        )

    async def respond(made: DeployedSite) -> Response:
        return answer(shown(made))

    async def tell(made: DeployedSite) -> Any:
        return shown(made).model_dump(mode="json")

    return await deploys.perform(request, stack, order, "site.deploy", work, respond, tell, Subject(project, site=site))


def _parse(body: bytes) -> NewVersion:
    try:
        return NewVersion.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        ) from error


def _order(project: str, who: Principal, environment: str | None, message: str, check: bool) -> Order:
    return Order(
        project=check_project(project),
        actor=who.actor,
        environment=None if environment is None else check_environment(environment),
        message=check_message(message),
        check=check,
    )


def _check_role(who: Principal, project: str) -> None:
    """As a route asks whose path names the project."""
    if who.must_change_password:
        raise PasswordChangeNeeded
    if who.role(project) < Role.DEVELOPER:
        raise Forbidden(f"This needs the role developer in the project {project[:63]}.")
