"""`/api/v1/projects/{project}/cache`: how the response cache answers, and `…/cache/purge`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import Page, Paged, answer, router_v1
from v8box.features.cache_purge.schemas import CacheUse, Project, Purge, Purged
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.cache.counts import RESULTS
from v8box.gateway.cache.entries import Owner
from v8box.telemetry.audit import Event

Record = Callable[[Event], Awaitable[None]]
_READ = [needs(Role.VIEWER)]
Deployer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]


def build_router(cache: ResponseCache, record: Record) -> APIRouter:
    """The routes on the response cache. `record` writes into the audit log."""
    routes = router_v1("/projects/{project}/cache", "response cache")

    @routes.get("", response_model=Page[CacheUse], dependencies=_READ)
    async def list_cache_use(project: Project, page: Paged) -> Response:
        """How requests through the cache were answered, by worker and site."""
        found = sorted(cache.counts.of(project).items(), key=lambda each: (each[0].kind, each[0].name))

        def show(each: tuple[Owner, Any]) -> CacheUse:
            owner, counts = each
            entries, held = cache.store.memory.held(owner)
            known = {result: counts[result] for result in RESULTS}
            return CacheUse(kind=owner.kind, name=owner.name, entries=entries, bytes=held, **known)

        return answer(page.page_of_all(found, lambda each: (each[0].kind, each[0].name), show))

    @routes.post("/purge", response_model=Purged)
    async def purge_cache(project: Project, body: Purge, who: Deployer) -> Response:
        """Throws answers out of the cache, at once: what is on its way now is not kept either."""
        _purge(cache, project, body)
        await record(
            Event(
                action="cache.purge",
                resource=f"cache/{project}",
                project=project,
                actor=who.actor,
                after=body.model_dump(exclude_defaults=True),
            )
        )
        return answer(Purged())

    return routes


def _purge(cache: ResponseCache, project: str, what: Purge) -> None:
    purges = cache.purges
    owner: Owner | None = None
    if what.site is not None:
        owner = Owner(project, "site", what.site)
    elif what.worker is not None:
        owner = Owner(project, "worker", what.worker)
    if what.everything:
        purges.everything(project)
    elif owner is not None and not (what.tags or what.paths or what.prefixes):
        purges.owner(owner)
    for tag in what.tags:
        purges.tag(project, owner, tag)
    for path in what.paths:
        purges.path(project, owner, path)
    for prefix in what.prefixes:
        purges.prefix(project, owner, prefix)
