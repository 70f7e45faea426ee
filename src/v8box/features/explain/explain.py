"""Follows a URL as the gateway does, without calling anything. Where it leads nowhere, it says why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, Field

from v8box.api.deployed import DeployedShare
from v8box.catalog import Manifest, Route, RouteTable
from v8box.catalog.stored import plain_manifest
from v8box.errors import BadRequest, NotFound
from v8box.gateway.pages.foresee import Foreseen
from v8box.gateway.routing import Router, Target

Describe = Callable[[Manifest], Sequence[Mapping[str, Any]]]
"""The policies of a manifest in the order in which they are asked: `policy`, `on`, `detail`."""
Foresee = Callable[[Target, str, str], Awaitable[Foreseen | None]]
"""What a site would answer at a target, to a method and a query; None where no site is."""
_MOUNTS = {"admin": "the admin API", "db": "databases, for LibSQL clients", "s3": "buckets, for S3 clients"}


class PolicyInfo(BaseModel):
    """One thing that is asked of a request."""

    policy: str
    on: bool
    detail: str | None = None


class ExplainedVersion(DeployedShare):
    """A version that may answer."""

    policies: list[PolicyInfo] = Field(description="In the order in which they are asked.")
    limits: dict[str, int]
    net: str | list[str] = Field(description="What it may reach.")


class ExplainedRule(BaseModel):
    """A rule of a site's redirects."""

    line: int
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    status: int


class ExplainedSite(BaseModel):
    """What a site answers to a client that sends no headers."""

    name: str
    preview: str | None = Field(description="The label: a name, or a release's id.")
    password: bool = Field(description="Whether visitors are asked for one.")
    kind: Literal["file", "redirect", "worker", "proxy", "refused"]
    status: int | None
    place: str = Field(description="The file, the address, the worker, or why nothing answers.")
    rule: ExplainedRule | None = Field(description="The rule that leads there.")
    headers: dict[str, str]


class Explanation(BaseModel):
    """Where a URL leads."""

    url: str
    method: str
    host: str
    path: str
    leads_to: str | None = Field(description="`worker`, `site`, a part of the box, or nothing.")
    reason: str | None = Field(description="Why it is answered 400, 404 or 405 as it stands.")
    project: str | None = None
    worker: str | None = None
    environment: str | None = None
    site: str | None = None
    seen_path: str | None = Field(default=None, description="The path that the worker sees.")
    sticky: str | None = None
    versions: list[ExplainedVersion] = []
    answer: ExplainedSite | None = Field(default=None, description="What the site answers.")


class Explainer:
    """Looks at the snapshot of this moment."""

    def __init__(
        self, router: Callable[[], Router], routes: Callable[[], RouteTable], describe: Describe, foresee: Foresee
    ) -> None:
        self._router = router
        self._foresee = foresee
        self._routes = routes
        self._describe = describe

    async def explain(self, url: str, method: str, may_see: Callable[[str], bool]) -> Explanation:
        """`may_see`: whether the caller may look at a project. Raises `BadRequest` for what is no URL."""
        host, path, query = _split(url)
        told = Explanation(url=url, method=method, host=host, path=path, leads_to=None, reason=None)
        try:
            target = self._router().resolve(host.encode("latin-1"), path.encode("latin-1"))
        except (BadRequest, NotFound) as error:
            told.reason = error.detail
            return told
        except UnicodeEncodeError:
            told.reason = "The host is not ASCII: write international names in their xn-- form."
            return told
        if target.worker:
            self._explain_worker(told, target, may_see)
        elif target.site is not None:
            await self._explain_site(told, target, query, may_see)
        elif target.mount is not None:
            told.leads_to = _MOUNTS.get(target.mount, str(target.mount))
        else:
            told.leads_to = f"the box's own page {target.rest}"
        return told

    def _explain_worker(self, told: Explanation, target: Target, may_see: Callable[[str], bool]) -> None:
        route = self._routes().workers.get(target.worker)
        if route is None or not may_see(route.project):
            told.reason = f"There is no worker {target.worker} that is live and that you may look at."
            return
        told.leads_to, told.seen_path = "worker", target.rest
        self._show_route(told, route)
        if told.method in ("CONNECT", "TRACE"):
            told.reason = "This method is never answered."

    def _show_route(self, told: Explanation, route: Route) -> None:
        told.project, told.worker, told.environment = route.project, route.worker, route.environment
        told.sticky = route.sticky
        told.versions = [self._version(route, index) for index in range(len(route.shares))]

    async def _explain_site(
        self, told: Explanation, target: Target, query: str, may_see: Callable[[str], bool]
    ) -> None:
        found = await self._foresee(target, told.method, query)
        if found is None or not may_see(found.project):
            told.reason = f"There is no site {target.site} with a release, that you may look at."
            return
        told.leads_to, told.project, told.site, told.seen_path = "site", found.project, found.site, target.rest or "/"
        rule = found.rule
        told.answer = ExplainedSite(
            name=found.site,
            preview=found.preview or None,
            password=found.password,
            kind=found.kind,
            status=found.status,
            place=found.place,
            rule=None
            if rule is None
            else ExplainedRule.model_validate(
                {"line": rule.line, "from": rule.source, "to": rule.target, "status": rule.status}
            ),
            headers=dict(found.headers),
        )
        if found.kind == "refused":
            told.reason = found.place
        if found.worker_key is not None:
            route = self._routes().workers.get(found.worker_key)
            if route is None:
                told.reason = f"The worker {found.place} is mounted there, and not deployed."
            else:
                self._show_route(told, route)

    def _version(self, route: Route, index: int) -> ExplainedVersion:
        share = route.shares[index]
        manifest = share.placement.manifest
        net = manifest.permissions.net
        return ExplainedVersion(
            version=share.placement.id,
            number=share.placement.number,
            weight=share.weight,
            policies=[PolicyInfo.model_validate(each) for each in self._describe(manifest)],
            limits=plain_manifest(manifest)["limits"],
            net=net if isinstance(net, str) else list(net),
        )


def _split(url: str) -> tuple[str, str, str]:
    """Host with port, the path as it goes over the wire, and the query."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise BadRequest(f"url is no URL: {error}") from error
    if parts.scheme not in ("http", "https", "ws", "wss") or not host:
        raise BadRequest("url is a whole URL, such as https://api.example.com/run/hello")
    return host, quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._"), parts.query
