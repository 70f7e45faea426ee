"""What is set for a site beside its files: /api/v1/projects/{project}/sites/{site}/settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import answer, router_v1
from v8box.catalog.sites import Site
from v8box.features.pages.schemas import Project, SettingsChange, SettingsInfo, SiteName
from v8box.features.pages.service import PagesService
from v8box.gateway.pages.release import Release, SiteSettings


def build_router(service: PagesService) -> APIRouter:
    """The routes on settings."""
    routes = router_v1("/projects/{project}/sites/{site}/settings", "sites")

    @routes.get("", response_model=SettingsInfo, dependencies=[needs(Role.VIEWER)])
    async def show_site_settings(project: Project, site: SiteName) -> Response:
        """What is set for the site, what its own file has, and what counts."""
        found = await service.sites.get(project, site)
        live = None
        if found.live_number is not None:
            live = await service.contents(await service.sites.release(project, site, found.live_number))
        return answer(_shown(found, live))

    @routes.patch("", response_model=SettingsInfo)
    async def change_site_settings(
        project: Project,
        site: SiteName,
        body: SettingsChange,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
    ) -> Response:
        """Changes what is set. What is live gets it at once: as a new release with the same files, from which one can
        go back. What the site's own `v8box.toml` says goes before it."""
        changes = body.model_dump(exclude_unset=True)
        return answer(_shown(*await service.set_settings(project, site, changes, who.actor)))

    return routes


def _shown(site: Site, live: Release | None) -> SettingsInfo:
    return SettingsInfo(
        set=dict(site.settings),
        own=list((live.own if live is not None else None) or ()),
        live=None if live is None else _plain(live.settings),
        release=site.live_number,
    )


def _plain(settings: SiteSettings) -> dict[str, object]:
    """Without the mounts of the site's functions, which nobody sets."""
    mounts = [
        {"path": each.pattern, "worker": each.worker, "first": each.first}
        for each in settings.mounts
        if not each.version
    ]
    values = {name: getattr(settings, name) for name in settings.__struct_fields__ if name != "mounts"}
    return {**msgspec.to_builtins(values), "mounts": mounts}
