"""Host names of one's own: /api/v1/projects/{project}/sites/{site}/domains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import Page, Paged, answer, created, no_content, router_v1
from v8box.catalog.sites import Sites
from v8box.features.pages.domains import Fetch, FindTexts, check, check_not_the_boxs, fetch, find_texts
from v8box.features.pages.schemas import DomainInfo, Host, NewDomain, Project, SiteName

_READ = [needs(Role.VIEWER)]
Admin = Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)]


def build_router(
    sites: Sites, domain_of_box: str, *, texts: FindTexts = find_texts, fetches: Fetch = fetch
) -> APIRouter:
    """The routes on host names. `texts` and `fetches` are how a proof is looked for."""
    routes = router_v1("/projects/{project}/sites/{site}/domains", "sites")

    @routes.get("", response_model=Page[DomainInfo], dependencies=_READ)
    async def list_domains(project: Project, site: SiteName, page: Paged) -> Response:
        """The host names of a site, verified or not."""
        found = await sites.domains(project, site)
        return answer(page.page_of_all(found, lambda domain: (domain.host,), DomainInfo.of))

    @routes.post("", response_model=DomainInfo, status_code=201)
    async def add_domain(project: Project, site: SiteName, body: NewDomain, who: Admin) -> Response:
        """Adds a host name. It answers once it is verified: set the record or point the name here, then verify."""
        check_not_the_boxs(body.host, domain_of_box)
        domain = await sites.add_domain(project, site, body.host, who.actor)
        return created(DomainInfo.of(domain), f"/projects/{project}/sites/{site}/domains/{domain.host}")

    @routes.post("/{host}/verify", response_model=DomainInfo)
    async def verify_domain(project: Project, site: SiteName, host: Host, who: Admin) -> Response:
        """Looks for the proof, and lets the host name answer when it is there."""
        domain = await sites.domain(project, site, host.lower())
        check_not_the_boxs(domain.host, domain_of_box)
        if domain.verified_at is None:
            await check(domain, texts, fetches)
            domain = await sites.verify_domain(project, site, domain.host, who.actor)
        return answer(DomainInfo.of(domain))

    @routes.delete("/{host}", status_code=204)
    async def delete_domain(project: Project, site: SiteName, host: Host, who: Admin) -> Response:
        """Removes a host name: it answers no more."""
        await sites.delete_domain(project, site, host.lower(), who.actor)
        return no_content()

    return routes
