"""`/api/v1/projects/{project}/api-keys`, and what policies refused: `/api/v1/projects/{project}/refusals`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from v8box.api.access import Principal, ProjectNotFound, Role, Scope, needs
from v8box.api.v1 import (
    Page,
    Paged,
    answer,
    check_if_match,
    created,
    etag_of,
    no_content,
    router_v1,
    shows_secret,
)
from v8box.errors import BadRequest
from v8box.features.api_keys.schemas import (
    ApiKeyChange,
    ApiKeyInfo,
    ApiKeyWithText,
    NewApiKey,
    RefusalsInfo,
    Rotation,
    plain,
)
from v8box.features.api_keys.service import ApiKeys, KeySettings
from v8box.gateway.policies.counts import Counts
from v8box.gateway.policies.keyring import ApiKey

Reader = Annotated[Principal, needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.ADMIN, Scope.SECRETS)]
KeyId = Annotated[str, Path(max_length=64, description="The key's id.")]
_UNSTABLE: Final = ("last_used_at", "expired", "previous_valid_until", "key")


def build_router(keys: ApiKeys, counts: Counts, exists: Callable[[str], bool]) -> APIRouter:
    """The routes on projects' API keys. `exists`: whether there is a project of a name."""
    routes = router_v1("/projects/{project}", "API keys")

    def show(key: ApiKey) -> ApiKeyInfo:
        return ApiKeyInfo.of(key, keys.keyring.last_used(key), time.time())

    def with_text(key: ApiKey, text: str) -> ApiKeyWithText:
        return ApiKeyWithText(**show(key).model_dump(), key=text)

    def check(request: Request) -> Callable[[ApiKey], None]:
        return lambda key: check_if_match(request, _etag(show(key)))

    @routes.get("/api-keys", response_model=Page[ApiKeyInfo])
    async def list_api_keys(project: str, _: Reader, page: Paged) -> Response:
        """The project's keys, oldest first, without their secrets."""
        return answer(page.page_of_all(keys.list(project), lambda key: (key.created_at, key.id), show))

    @routes.post("/api-keys", response_model=ApiKeyWithText, status_code=201)
    @shows_secret
    async def create_api_key(project: str, who: Writer, body: NewApiKey) -> Response:
        """Makes a key. Its text is in this answer and nowhere else."""
        if not exists(project):
            raise ProjectNotFound(f"There is no project called {project[:63]}.")
        settings = KeySettings(**plain({name: getattr(body, name) for name in NewApiKey.model_fields}))
        _check_expiry(settings.expires_at)
        key, text = await keys.create(project, settings, who.actor)
        info = with_text(key, text)
        return created(info, f"/projects/{project}/api-keys/{key.id}", etag=_etag(info))

    @routes.get("/api-keys/{key_id}", response_model=ApiKeyInfo)
    async def show_api_key(project: str, key_id: KeyId, _: Reader) -> Response:
        """One key."""
        info = show(keys.get(project, key_id))
        return answer(info, headers={"etag": _etag(info)})

    @routes.patch("/api-keys/{key_id}", response_model=ApiKeyInfo)
    async def change_api_key(
        request: Request, project: str, key_id: KeyId, who: Writer, body: ApiKeyChange
    ) -> Response:
        """Changes what a key opens, from the next request on. `If-Match` guards against changing what somebody else
        has changed meanwhile."""
        changes = body.changes()
        _check_expiry(changes.get("expires_at"))
        key = await keys.change(project, key_id, changes, who.actor, check(request))
        info = show(key)
        return answer(info, headers={"etag": _etag(info)})

    @routes.post("/api-keys/{key_id}/rotate", response_model=ApiKeyWithText)
    @shows_secret
    async def rotate_api_key(request: Request, project: str, key_id: KeyId, who: Writer, body: Rotation) -> Response:
        """Gives a key a new secret. For `overlap_seconds` the one of before is good as well, so that nobody is locked
        out while callers change over."""
        key, text = await keys.rotate(project, key_id, body.overlap_seconds, who.actor, check(request))
        return answer(with_text(key, text))

    @routes.delete("/api-keys/{key_id}", status_code=204)
    async def delete_api_key(project: str, key_id: KeyId, who: Writer) -> Response:
        """Deletes a key. It opens nothing from the next request on."""
        await keys.delete(project, key_id, who.actor)
        return no_content()

    @routes.get("/refusals", response_model=Page[RefusalsInfo])
    async def list_refusals(project: str, _: Reader, page: Paged) -> Response:
        """How often requests to the project's workers were refused since the box started, or would have been in a dry
        run: by worker, environment and code."""
        found = list(counts.of(project))
        return answer(
            page.page_of_all(
                found,
                lambda each: (each.worker, each.environment, each.code, int(each.dry_run)),
                lambda each: RefusalsInfo(
                    worker=each.worker,
                    environment=each.environment,
                    code=each.code,
                    dry_run=each.dry_run,
                    count=each.count,
                ),
            )
        )

    return routes


def _etag(info: ApiKeyInfo) -> str:
    """Of what people change; that the key was used is no change."""
    return etag_of({name: value for name, value in info.model_dump(mode="json").items() if name not in _UNSTABLE})


def _check_expiry(expires_at: float | None) -> None:
    if expires_at is not None and expires_at <= time.time():
        raise BadRequest("expires_at is in the past")
