"""Everything below /api/v1/projects/{project}/sites: sites, releases, previews, domains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.auth.passwords import Passwords
from v8box.api.v1 import Page, Paged, answer, created, no_content, router_v1
from v8box.catalog.sites import KEEP, Keep, Site
from v8box.errors import BadRequest
from v8box.features.pages.schemas import (
    ComparedFile,
    Difference,
    FileDifference,
    FilePath,
    GoLive,
    HistoryEntry,
    Label,
    Manifest,
    Missing,
    NewPreview,
    NewSite,
    Number,
    PreviewInfo,
    Project,
    Release,
    ReleaseChange,
    RollBack,
    SiteFile,
    SiteInfo,
    SiteName,
    SiteSummary,
)
from v8box.features.pages.service import PagesService

_READ = [needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
Admin = Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)]

Address = Callable[[str], str]
"""Where the site or preview with this label answers."""


def build_routers(service: PagesService, address: Address, passwords: Passwords) -> Sequence[APIRouter]:
    """The routes on sites. Deploys are in `deploy_routes`, host names in `domain_routes`."""
    return [_sites(service, address), _releases(service, address), _previews(service, address, passwords)]


def _etag(site: Site) -> str:
    return f'"{site.number}"'


def expected_number(request: Request) -> int | None:
    """The change that an If-Match names. Raises `BadRequest` for what is no tag of a site."""
    held = request.headers.get("if-match")
    if held is None or held.strip() == "*":
        return None
    number = held.strip().strip('"')
    if not number.isdigit() or len(number) > 18:
        raise BadRequest('If-Match takes the ETag of the site, e.g. "7"')
    return int(number)


def _sites(service: PagesService, address: Address) -> APIRouter:
    routes = router_v1("/projects/{project}/sites", "sites")
    sites = service.sites

    @routes.get("", response_model=Page[SiteSummary], dependencies=_READ)
    async def list_sites(project: Project, page: Paged) -> Response:
        """The sites of a project by name, each with its live release and host names."""
        found = await sites.overview(project)
        shown = page.page_of_all(
            found,
            lambda each: (each[0].name,),
            lambda each: SiteSummary.summed(*each, address(each[0].name)),
        )
        return answer(shown)

    @routes.post("", response_model=SiteInfo, status_code=201)
    async def create_site(project: Project, body: NewSite, who: Writer) -> Response:
        """A site without a release. Deploying to a name that is free makes the site, too."""
        site = await service.create(project, body.name, who.actor)
        return created(SiteInfo.of(site, address(site.name)), f"/projects/{project}/sites/{site.name}")

    @routes.get("/{site}", response_model=SiteInfo, dependencies=_READ)
    async def show_site(project: Project, site: SiteName) -> Response:
        """One site."""
        found = await sites.get(project, site)
        return answer(SiteInfo.of(found, address(site)), headers={"etag": _etag(found)})

    @routes.delete("/{site}", status_code=204)
    async def delete_site(project: Project, site: SiteName, who: Admin) -> Response:
        """Takes a site off with all its releases, previews and host names. It cannot be brought back."""
        found = await sites.get(project, site)
        if found.fingerprint:
            raise BadRequest(f"{site} comes from the served folder: delete pages/{site} there")
        await service.delete(project, site, who.actor)
        return no_content()

    @routes.get("/{site}/history", response_model=Page[HistoryEntry], dependencies=_READ)
    async def list_site_history(project: Project, site: SiteName, page: Paged) -> Response:
        """What went live when, newest first."""
        entries = await sites.history(project, site, limit=1_000)
        return answer(page.page_of_all(entries, lambda entry: (entry["number"],), newest_first=True))

    @routes.post("/{site}/rollback", response_model=SiteInfo)
    async def roll_back_site(
        request: Request, project: Project, site: SiteName, body: RollBack, who: Writer
    ) -> Response:
        """Goes back to the release that was live before, or to another one."""
        found = await service.roll_back(
            project, site, who.actor, to=body.to, message=body.message, expected=expected_number(request)
        )
        return answer(SiteInfo.of(found, address(site)), headers={"etag": _etag(found)})

    @routes.put("/{site}/live", response_model=SiteInfo)
    async def set_live_release(
        request: Request, project: Project, site: SiteName, body: GoLive, who: Writer
    ) -> Response:
        """Makes a release the live one. With `If-Match`, only if nothing went live meanwhile."""
        found = await sites.go_live(
            project,
            site,
            body.release,
            who.actor,
            change="promoted",
            message=body.message,
            expected=expected_number(request),
        )
        return answer(SiteInfo.of(found, address(site)), headers={"etag": _etag(found)})

    return routes


def _releases(service: PagesService, address: Address) -> APIRouter:
    routes = router_v1("/projects/{project}/sites/{site}", "sites")
    sites = service.sites

    async def shown(project: str, site: str, number: int) -> Release:
        info = await sites.release(project, site, number)
        return Release.of(service.shown(info), await sites.get(project, site), address(f"{info.id}--{site}"))

    @routes.get("/releases", response_model=Page[Release], dependencies=_READ)
    async def list_releases(project: Project, site: SiteName, page: Paged) -> Response:
        """The releases of a site, newest first."""
        position = page.after(int)
        before = None if position is None else int(position[0])
        found = await sites.releases(project, site, before=before, limit=page.fetch)
        present = await sites.get(project, site)
        return answer(
            page.page(
                found,
                lambda info: (info.number,),
                lambda info: Release.of(service.shown(info), present, address(f"{info.id}--{site}")),
            )
        )

    @routes.get("/releases/{number}", response_model=Release, dependencies=_READ)
    async def show_release(project: Project, site: SiteName, number: Number) -> Response:
        """One release."""
        return answer(await shown(project, site, number))

    @routes.patch("/releases/{number}", response_model=Release)
    async def change_release(
        project: Project, site: SiteName, number: Number, body: ReleaseChange, who: Writer
    ) -> Response:
        """Changes the message or the pin. A pinned release stays for ever."""
        await sites.describe_release(project, site, number, who.actor, message=body.message, pinned=body.pinned)
        return answer(await shown(project, site, number))

    @routes.delete("/releases/{number}", status_code=204)
    async def delete_release(project: Project, site: SiteName, number: Number, who: Admin) -> Response:
        """Removes a release that is not live, pinned or shown in a preview."""
        await sites.delete_release(project, site, number, who.actor)
        return no_content()

    @routes.get("/releases/{number}/files", response_model=Page[SiteFile], dependencies=_READ)
    async def list_release_files(project: Project, site: SiteName, number: Number, page: Paged) -> Response:
        """The files of a release, by path."""
        release = await service.contents(await sites.release(project, site, number))
        files = list(release.files.items())
        return answer(
            await asyncio.to_thread(page.page_of_all, files, lambda file: (file[0],), lambda file: SiteFile.of(*file))
        )

    @routes.get("/releases/{older}/diff/{newer}", response_model=Difference, dependencies=_READ)
    async def compare_releases(project: Project, site: SiteName, older: Number, newer: Number) -> Response:
        """Which files came, went or have other bytes, and which rules are others."""
        return answer(await service.compare(project, site, older, newer))

    @routes.get("/releases/{older}/diff/{newer}/file", response_model=FileDifference, dependencies=_READ)
    async def compare_release_files(
        project: Project, site: SiteName, older: Number, newer: Number, path: FilePath
    ) -> Response:
        """One file as it is in both, with its texts."""
        before, after = await service.sides(project, site, older, newer, path)
        return answer(FileDifference(path=path, before=ComparedFile.of(before), after=ComparedFile.of(after)))

    @routes.post("/missing", response_model=Missing)
    @changes_nothing
    async def list_missing_files(
        project: Project, site: SiteName, body: Manifest, who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
    ) -> Response:
        """Which files of a wanted release have to be sent; the others are here already."""
        return answer(Missing(missing=await service.missing(project, site, body.files)))

    return routes


def _previews(service: PagesService, address: Address, passwords: Passwords) -> APIRouter:
    routes = router_v1("/projects/{project}/sites/{site}/previews", "sites")

    @routes.get("", response_model=Page[PreviewInfo], dependencies=_READ)
    async def list_previews(project: Project, site: SiteName, page: Paged) -> Response:
        """The named previews of a site."""
        found = await service.sites.previews(project, site)
        shown = page.page_of_all(
            found,
            lambda preview: (preview.label,),
            lambda preview: PreviewInfo.of(preview, address(f"{preview.label}--{site}")),
        )
        return answer(shown)

    @routes.put("/{label}", response_model=PreviewInfo)
    async def set_preview(project: Project, site: SiteName, label: Label, body: NewPreview, who: Writer) -> Response:
        """Shows a release under a name, to all who know it or to those with a password, for ever or for a while. Of a
        preview that is there, what is left out stays as it is: another release throws nothing open."""
        until: datetime | Keep | None = None
        if "expires_in_seconds" not in body.model_fields_set:
            until = KEEP
        elif body.expires_in_seconds is not None:
            until = datetime.now(UTC) + timedelta(seconds=body.expires_in_seconds)
        hashed: str | Keep | None = None
        if "password" not in body.model_fields_set:
            hashed = KEEP
        elif body.password is not None:
            hashed = await passwords.hash(body.password)
        await service.sites.set_preview(
            project, site, label, body.release, who.actor, password_hash=hashed, expires_at=until
        )
        (preview,) = [each for each in await service.sites.previews(project, site) if each.label == label]
        return answer(PreviewInfo.of(preview, address(f"{label}--{site}")))

    @routes.delete("/{label}", status_code=204)
    async def delete_preview(project: Project, site: SiteName, label: Label, who: Writer) -> Response:
        """Removes a preview. Its release stays."""
        await service.sites.delete_preview(project, site, label, who.actor)
        return no_content()

    return routes
