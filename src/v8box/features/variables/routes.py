"""`/api/v1/projects/{project}/variables`: lists, single values, many at once, `.env` files, versions, rollback.

The query names the level: `?worker=` and `?environment=`, left out for every one. A value of a secret goes in and never
comes out. The ETag is the level's revision, compared inside the transaction that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.routes import read_body
from v8box.api.v1 import Page, Paged, answer, check_if_match, no_content, router_v1
from v8box.catalog.model import PRODUCTION, Manifest
from v8box.catalog.variables import (
    Changed,
    Effective,
    Level,
    NewValue,
    ValueVersion,
    Variable,
    VariableNotFound,
    Variables,
    Wanted,
)
from v8box.errors import BadRequest, V8BoxError
from v8box.features.variables.env_file import read_env_file
from v8box.features.variables.schemas import (
    BulkBody,
    ChangedInfo,
    EffectiveInfo,
    RollBackBody,
    ValueVersionInfo,
    VariableBody,
    VariableInfo,
)

FindManifest = Callable[[str, str, str], Manifest | None]
"""The manifest of what is live: project, environment, worker."""

_BULK_SCHEMA: Final = BulkBody.model_json_schema(ref_template="#/components/schemas/{model}")
_BULK_SCHEMA.pop("$defs")  # `VariableBody` is among the document's own
_CREATED: Final[dict[int | str, dict[str, Any]]] = {201: {"model": VariableInfo, "description": "It is new."}}
_BULK_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _BULK_SCHEMA},
            "text/plain": {"schema": {"type": "string", "examples": ["# a .env file\nTOKEN='abc'\n"]}},
        },
    }
}


class UnsupportedBody(V8BoxError):
    """Send application/json, or a .env file as text/plain."""

    status = 415
    code = "unsupported_media_type"


@dataclass(frozen=True, slots=True)
class _Named:
    """A variable that an address names."""

    level: Level
    name: str


def _level(
    project: str,
    worker: Annotated[str | None, Query(description="Left out: every worker of the project.")] = None,
    environment: Annotated[str | None, Query(description="Left out: every environment.")] = None,
) -> Level:
    return Level.of(project, environment, worker)


def _named(
    level: Annotated[Level, Depends(_level)], name: Annotated[str, Path(max_length=1_000, description="Its name.")]
) -> _Named:
    return _Named(level, name)


Reader = Annotated[Principal, needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.SECRETS)]
At = Annotated[Level, Depends(_level)]
Named = Annotated[_Named, Depends(_named)]


def build_router(variables: Variables, find_manifest: FindManifest) -> APIRouter:
    """The routes on projects' variables."""
    routes = router_v1("/projects/{project}/variables", "variables")

    @routes.get("", response_model=Page[VariableInfo | EffectiveInfo])
    async def list_variables(
        paging: Paged,
        level: At,
        who: Reader,
        effective: Annotated[
            bool, Query(description="What the worker gets in the environment, from wherever it comes.")
        ] = False,
        every_level: Annotated[bool, Query(description="Those of all levels of the project.")] = False,
    ) -> Response:
        """The variables of one level; or what a worker gets in the end. Secrets are listed without their values."""
        see = _sees_values(who, level.project)
        if effective:
            if not level.worker or every_level:
                raise BadRequest("effective=true needs worker=, and no every_level")
            environment = level.environment or PRODUCTION
            manifest = find_manifest(level.project, environment, level.worker)
            wanted = Wanted(env={}) if manifest is None else Wanted(env=manifest.env, required=manifest.env_required)
            found = await variables.effective(level.project, environment, level.worker, wanted)
            return answer(paging.page_of_all(found, lambda each: (each.name,), lambda each: _effective(each, see)))
        if every_level:
            if level != Level(level.project):
                raise BadRequest("every_level=true goes without worker= and environment=")
            everything = await variables.of_project(level.project)
            return answer(paging.page_of_all(everything, _position, lambda each: _info(each, see)))
        items, revision = await variables.of_level(level)
        page = paging.page_of_all(items, _position, lambda each: _info(each, see))
        return answer(page, headers={"etag": _etag(revision)})

    @routes.put("/{name}", response_model=VariableInfo, responses=_CREATED)
    async def set_variable(
        request: Request,
        named: Named,
        body: VariableBody,
        who: Writer,
    ) -> Response:
        """Sets one variable. Workers that get it go on with the new value, running requests with the one of before."""
        new = {named.name: NewValue(value=body.value, secret=body.secret)}
        changed = await variables.change(named.level, new, actor=who.actor, check=_check(request))
        return await _show(variables, named, changed)

    @routes.post("", response_model=ChangedInfo, openapi_extra=_BULK_BODY)
    async def set_variables(
        request: Request,
        level: At,
        who: Writer,
        secret: Annotated[
            bool | None,
            Query(description="For values that do not say it. Left out: as they are; new ones of a .env file are."),
        ] = None,
        replace: Annotated[bool, Query(description="Delete all others of this level.")] = False,
    ) -> Response:
        """Sets many variables, or none when one of them is wrong: JSON, or a `.env` file as `text/plain`."""
        values, delete = await _bulk(request, secret)
        changed = await variables.change(
            level, values, delete=delete, replace=replace, actor=who.actor, check=_check(request)
        )
        shown = {"set": changed.set, "unchanged": changed.unchanged, "deleted": changed.deleted}
        return answer(shown, headers={"etag": _etag(changed.revision)})

    @routes.delete("/{name}", status_code=204)
    async def delete_variable(request: Request, named: Named, who: Writer) -> Response:
        """Deletes a variable, all of its versions included."""
        await variables.change(named.level, {}, delete=(named.name,), actor=who.actor, check=_check(request))
        return no_content()

    @routes.get("/{name}/versions", response_model=Page[ValueVersionInfo])
    async def list_variable_versions(paging: Paged, named: Named, who: Reader) -> Response:
        """The last 20 values, newest first: who set them, and when."""
        see = _sees_values(who, named.level.project)
        found = await variables.versions(named.level, named.name)
        page = paging.page_of_all(
            found, lambda each: (each.version,), lambda each: _version(each, see), newest_first=True
        )
        return answer(page)

    @routes.post("/{name}/rollback", response_model=VariableInfo)
    async def roll_back_variable(
        request: Request,
        named: Named,
        body: RollBackBody,
        who: Writer,
    ) -> Response:
        """Sets the value of an earlier version again, as a new version."""
        changed = await variables.roll_back(
            named.level, named.name, body.version, actor=who.actor, check=_check(request)
        )
        return await _show(variables, named, changed)

    return routes


def _sees_values(who: Principal, project: str) -> bool:
    return who.role(project) >= Role.DEVELOPER and Scope.SECRETS in who.scopes


def _etag(revision: int) -> str:
    return f'"{revision}"'


def _check(request: Request) -> Callable[[int], None]:
    return lambda revision: check_if_match(request, _etag(revision))


async def _bulk(request: Request, secret: bool | None) -> tuple[dict[str, NewValue], list[str]]:
    """What a body sets, and what it deletes. It is read here, since it comes in two kinds."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/plain":
        read = read_env_file(await read_body(request))
        flag = True if secret is None else secret  # a .env file is where people keep secrets
        return {name: NewValue(value=value, secret=flag) for name, value in read.items()}, []
    if kind != "application/json":
        raise UnsupportedBody
    try:
        body = BulkBody.model_validate_json(await read_body(request))
    except ValidationError as error:
        # what was sent stays out of it: it may be a secret
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None
    given: Mapping[str, str | VariableBody | None] = body.variables
    values = {name: _new(value, secret) for name, value in given.items() if value is not None}
    return values, [name for name, value in given.items() if value is None]


def _new(value: str | VariableBody, secret: bool | None) -> NewValue:
    if isinstance(value, str):
        return NewValue(value=value, secret=secret)
    return NewValue(value=value.value, secret=secret if value.secret is None else value.secret)


async def _show(variables: Variables, named: _Named, changed: Changed) -> Response:
    """The variable after a change; another one may have come in between, and then this is what is there now."""
    items, revision = await variables.of_level(named.level)
    found = next((each for each in items if each.name == named.name), None)
    if found is None:
        raise VariableNotFound("Somebody has deleted it meanwhile.")
    status = 201 if changed.set and found.version == 1 else 200
    return answer(_info(found, see=True), status, {"etag": _etag(revision)})


def _position(variable: Variable) -> tuple[str, ...]:
    return variable.name, variable.level.worker, variable.level.environment


def _info(variable: Variable, see: bool) -> VariableInfo:
    return VariableInfo(
        name=variable.name,
        worker=variable.level.worker or None,
        environment=variable.level.environment or None,
        secret=variable.secret,
        value=variable.value if see else None,
        version=variable.version,
        updated_at=variable.updated_at,
        updated_by=variable.updated_by,
    )


def _effective(effective: Effective, see: bool) -> EffectiveInfo:
    return EffectiveInfo(
        name=effective.name,
        secret=effective.secret,
        value=effective.value if see else None,
        source=effective.source,
        missing=effective.source is None,
        overrides=list(effective.overrides),
    )


def _version(version: ValueVersion, see: bool) -> ValueVersionInfo:
    return ValueVersionInfo(
        version=version.version,
        current=version.current,
        secret=version.secret,
        value=version.value if see else None,
        created_at=version.created_at,
        created_by=version.created_by,
    )
