"""The redirect rules of a site, how often each was the one, and what a request would get: below …/sites/{site}."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Query, Response

from v8box.api.access import Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.v1 import Page, Paged, answer, router_v1
from v8box.catalog.sites import ReleaseInfo, SiteRoute
from v8box.errors import BadRequest, NotFound
from v8box.features.pages.routes import Address
from v8box.features.pages.schemas import MAX_NUMBER, Asked, HeaderInfo, Project, RedirectInfo, SiteName, Tried
from v8box.features.pages.service import PagesService
from v8box.gateway.headers import Incoming
from v8box.gateway.pages.decide import SiteRequest
from v8box.gateway.pages.foresee import foresee
from v8box.gateway.pages.headers import Headers
from v8box.gateway.pages.release import LoadedRelease
from v8box.gateway.pages.release import Release as ReleaseContents
from v8box.gateway.pages.sources import host_that_fits

MAX_COUNTED: Final = 20_000
"""Files for which it is worked out which header rules are for them; times the hosts that rules name."""

Load = Callable[[str], Awaitable[LoadedRelease]]
"""A release as this node serves it, by the key of its blob."""


def build_router(service: PagesService, load: Load, address: Address) -> APIRouter:
    """The routes on rules."""
    routes = router_v1("/projects/{project}/sites/{site}", "sites")

    async def wanted(project: str, site: str, release: int | None) -> tuple[ReleaseInfo, bool]:
        """A release, and whether it is live. Left out: the live one."""
        present = await service.sites.get(project, site)
        number = present.live_number if release is None else release
        if number is None:
            raise NotFound(f"Nothing of {site[:63]} is live yet: deploy it first.")
        return await service.sites.release(project, site, number), number == present.live_number

    @routes.get("/redirects", response_model=Page[RedirectInfo], dependencies=[needs(Role.VIEWER)])
    async def list_redirects(
        project: Project,
        site: SiteName,
        page: Paged,
        release: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Left out: the live one.")] = None,
        unused: Annotated[bool, Query(description="Only rules that were never the one.")] = False,
    ) -> Response:
        """The redirect rules, in the order in which they are looked at, with their hits."""
        info, _ = await wanted(project, site, release)
        rules = (await load(info.key)).redirects
        found = [
            (number, rule, hits)
            for number, (rule, hits) in enumerate(zip(rules.rules, rules.hits, strict=True), 1)
            if not (unused and hits)
        ]
        return answer(page.page_of_all(found, lambda each: (each[0],), lambda each: RedirectInfo.of(*each)))

    @routes.get("/headers", response_model=Page[HeaderInfo], dependencies=[needs(Role.VIEWER)])
    async def list_headers(
        project: Project,
        site: SiteName,
        page: Paged,
        release: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Left out: the live one.")] = None,
        unused: Annotated[bool, Query(description="Only rules that no file of the release is for.")] = False,
    ) -> Response:
        """The header rules in the order in which they stand, with how many files each is for. All that fit count. Lines
        that are no rules are in the release's `report`."""
        info, _ = await wanted(project, site, release)
        contents = await service.contents(info)
        counts = await asyncio.to_thread(_files_of_blocks, contents)
        found = [
            (number, block, files)
            for number, (block, files) in enumerate(zip(contents.headers, counts, strict=True), 1)
            if not (unused and files != 0)
        ]
        return answer(page.page_of_all(found, lambda each: (each[0],), lambda each: HeaderInfo.of(*each)))

    @routes.post("/try", response_model=Tried, dependencies=[needs(Role.VIEWER, Scope.READ)])
    @changes_nothing
    async def try_request(project: Project, site: SiteName, body: Asked) -> Response:
        """What a request would get, and which rule leads there. Nothing is sent, and nothing counted."""
        info, is_live = await wanted(project, site, body.release)
        contents = await service.contents(info)
        label = "" if is_live else info.id
        route = SiteRoute(site=site, project=project, key=info.key, label=label)
        host = urlsplit(address(site if is_live else f"{info.id}--{site}")).netloc
        request = _request(body, route, host)
        found = await asyncio.to_thread(foresee, contents, request)
        outcome = "not_found" if found.kind == "refused" and found.status == 404 else found.kind
        rule = found.rule
        return answer(
            Tried(
                outcome=outcome,
                status=found.status,
                place=found.place,
                rule=None if rule is None else RedirectInfo.of(contents.redirects.index(rule) + 1, rule, 0),
                headers=dict(found.headers),
                header_rules=await asyncio.to_thread(_blocks_for, contents, request, found.kind),
            )
        )

    return routes


def _blocks_for(contents: ReleaseContents, request: SiteRequest, kind: str) -> list[int]:
    """The numbers of the header rules that count for an answer: those of workers and other hosts have none."""
    if kind not in ("file", "redirect") or not contents.headers:
        return []
    host = request.host.partition(":")[0].lower()
    return [place + 1 for place in Headers(contents.headers).places(host, request.path)]


def _files_of_blocks(contents: ReleaseContents) -> list[int | None]:
    """How many files each header rule is for, at all of their addresses: `/a/index.html` is `/a/`, too."""
    blocks = contents.headers
    hosts = {host_that_fits(each.source) for each in blocks}
    if not blocks or len(contents.files) * len(hosts) > MAX_COUNTED:
        return [None] * len(blocks)
    headers = Headers(blocks)
    counts = [0] * len(blocks)
    for path in contents.files:
        addresses = {
            path,
            path.removesuffix("index.html"),
            path.removesuffix(".html"),
            path.removesuffix("/index.html"),
        }
        found = {place for host in hosts for address in addresses for place in headers.places(host, address or "/")}
        for place in found:
            counts[place] += 1
    return list(counts)


def _request(asked: Asked, route: SiteRoute, host: str) -> SiteRequest:
    try:
        parts = urlsplit(asked.url)
    except ValueError as error:
        raise BadRequest(f"url is no URL: {error}") from error
    if not parts.path.startswith("/") and not (parts.netloc and not parts.path):
        raise BadRequest("url is a path such as /old?x=1, or a whole URL")
    headers = [(b"host", (parts.netloc or host).encode("ascii", "ignore"))]
    for name, value in ((b"cf-ipcountry", asked.country), (b"accept-language", asked.language)):
        if value:
            headers.append((name, value.encode("latin-1", "replace")))
    if asked.cookies:
        headers.append((b"cookie", "; ".join(f"{name}=1" for name in asked.cookies).encode("latin-1", "replace")))
    incoming = Incoming(headers)
    incoming.proto = parts.scheme or "https"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return SiteRequest(route, incoming, asked.method, parts.netloc or host, path, query, "", request_id="")
