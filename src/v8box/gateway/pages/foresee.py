"""What a request for a site would get, found out without sending anything: for `explain` and for trying rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from v8box.errors import V8BoxError
from v8box.gateway.pages.decide import SiteRequest, ToFile, ToHost, ToPlace, ToWorker, decide, matching_rule, worker_key
from v8box.gateway.pages.redirects import Redirect
from v8box.gateway.pages.release import LoadedRelease, Release

Kind = Literal["file", "redirect", "worker", "proxy", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What answers. `place`: the file, the address, the worker, or why nothing does; `rule`: of the site's redirects,
    the one that leads there."""

    project: str
    site: str
    preview: str
    password: bool
    kind: Kind
    status: int | None
    place: str
    worker_key: str | None
    """Under which the worker is found, where one answers."""
    rule: Redirect | None
    headers: Mapping[str, str]


def foresee(contents: Release, request: SiteRequest) -> Foreseen:
    """Of one release. On a copy of its rules, whose hits nobody counts. Blocking for as long as the rules take to be
    read."""
    release = LoadedRelease(request.route.key, contents)
    kind: Kind = "refused"
    status: int | None = None
    key: str | None = None
    headers: Mapping[bytes, bytes] = {}
    rule = matching_rule(release, request)
    try:
        outcome = decide(release, request)
    except V8BoxError as error:
        place, status = error.detail, error.status
    else:
        match outcome:
            case ToFile():
                kind, status, headers = "file", outcome.status, outcome.headers
                place = next(path for path, each in release.release.files.items() if each is outcome.asset)
            case ToPlace():
                kind, status, place, headers = "redirect", outcome.status, outcome.location, outcome.headers
            case ToHost():
                kind, place = "proxy", outcome.url
            case ToWorker():
                kind, place, rule = "worker", outcome.worker, None
                key = worker_key(request.route, outcome)
    route = request.route
    return Foreseen(
        project=route.project,
        site=route.site,
        preview=route.label,
        password=route.password_hash is not None,
        kind=kind,
        status=status,
        place=place,
        worker_key=key,
        rule=rule,
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()},
    )
