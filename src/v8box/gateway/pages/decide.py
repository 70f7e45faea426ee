"""What answers a request for a site, top to bottom: workers mounted before the files, the site's redirects, the file,
workers mounted behind the files, what stands for a page that is not there. Nothing is sent and nothing waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from v8box.catalog.model import PREVIEW, PRODUCTION, held_key, route_key
from v8box.catalog.sites import SiteRoute
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.gateway.headers import Incoming
from v8box.gateway.pages import negotiate, resolve
from v8box.gateway.pages.answers import Prepared
from v8box.gateway.pages.patterns import MAX_PATH_SEGMENTS
from v8box.gateway.pages.redirects import Asked, Redirect
from v8box.gateway.pages.redirects import Found as Matched
from v8box.gateway.pages.release import Asset, LoadedRelease
from v8box.gateway.pages.resolve import Found

_REVALIDATE: Final = b"public, max-age=0, must-revalidate"
_IMMUTABLE: Final = b"public, max-age=31536000, immutable"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PRESET: Final[Mapping[bytes, bytes]] = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; "
    b"font-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'self'",
    b"x-frame-options": b"SAMEORIGIN",
    b"referrer-policy": b"strict-origin-when-cross-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    b"cross-origin-opener-policy": b"same-origin",
}
_HSTS: Final = b"max-age=31536000"
_DOTS: Final = frozenset({".", ".."})
_VARY: Final = {"language": b"Accept-Language", "cookie": b"Cookie"}
"""Which header of a request a condition of a rule looks at."""


class ProxyRefused(V8BoxError):
    """This site's rule leads to a host that its settings do not allow."""

    status = 502
    code = "proxy_refused"


class ToFile(NamedTuple):
    """A file answers. `headers` are those of the site and the box that do not depend on the client."""

    asset: Asset
    status: int
    headers: Mapping[bytes, bytes]
    at: int
    lasts: bool
    """Whether the same path always means this."""
    prepared: dict[tuple[str | None, str | None], Prepared]
    """Answers made before, by what the client accepts."""


class ToPlace(NamedTuple):
    """The browser is sent elsewhere, or gets a status without a page."""

    status: int
    location: str
    headers: Mapping[bytes, bytes]


class ToWorker(NamedTuple):
    worker: str
    version: str = ""
    """Of a function of the site's own."""


class ToHost(NamedTuple):
    """Another host's answer is passed on."""

    url: str


Outcome = ToFile | ToPlace | ToWorker | ToHost


class SiteRequest(NamedTuple):
    """A request for a site, as the gateway has read it. `prefix` is what stands before the site's own path."""

    route: SiteRoute
    incoming: Incoming
    method: str
    host: str
    path: str
    query: str
    prefix: str
    request_id: str
    extra: Sequence[tuple[bytes, bytes]] = ()
    """Headers of the box for this host, over all others."""
    varies: bytes = b""
    """The headers that the site's rules have looked at."""

    @property
    def secure(self) -> bool:
        return self.incoming.proto == "https"


def decide(release: LoadedRelease, request: SiteRequest) -> Outcome:
    """What answers. Raises `NotFound`, `BadRequest`."""
    _check_length(request)
    if (mount := release.mounted(request.path, first=True)) is not None:
        return ToWorker(mount.worker, mount.version)
    path = resolve.decode_path(request.path)
    if path is None:
        raise BadRequest("The path is not text in UTF-8.")
    found = resolve.find(release.release, path)
    ruled = False
    if release.redirects.rules:
        looked_at: set[str] = set()
        rule = _find_rule(release, request, found, looked_at)
        if looked_at:
            request = request._replace(varies=b", ".join(_VARY[name] for name in sorted(looked_at & _VARY.keys())))
        if rule is not None:
            return _follow(release, request, rule.rule, rule.place)
        ruled = True
    if found is None and (mount := release.mounted(request.path, first=False)) is not None:
        return ToWorker(mount.worker, mount.version)
    if found is None:
        found = resolve.not_found(release.release, path)
    if found is None:
        raise NotFound("This site has no such page.")
    if found.asset is None:
        return _moved(release, request, found)
    # Rules may look at more than the path, so what they say is not remembered; without rules the path decides.
    return _to_file(release, request, found, lasts=not ruled)


def decide_file(release: LoadedRelease, request: SiteRequest, *, follow: bool) -> ToFile | ToPlace:
    """What answers when only files may: rewrites to a file count, no other rule and no mount. Raises `NotFound`,
    `BadRequest`."""
    _check_length(request)
    path = resolve.decode_path(request.path)
    if path is None:
        raise BadRequest("The path is not text in UTF-8.")
    found = resolve.find(release.release, path)
    if release.redirects.rules:
        rule = release.redirects.find(
            _asked(request), lambda each: each.status == 200 and not each.proxies and (each.force or found is None)
        )
        if rule is not None:
            return _to_ruled_file(release, request, rule.rule, rule.place)
    if found is not None and found.asset is None and follow:
        found = resolve.find(release.release, found.path)
    if found is None:
        found = resolve.not_found(release.release, path)
    if found is None:
        raise NotFound("This site has no such page.")
    if found.asset is None:
        return _moved(release, request, found)
    return _to_file(release, request, found, lasts=False)


def _check_length(request: SiteRequest) -> None:
    """No rule fits a path of so many parts, not that of a header or of a worker that guards the site: then no file may
    answer it. Raises `NotFound`."""
    if request.path.count("/") > MAX_PATH_SEGMENTS:
        raise NotFound("This site has no such page.")


def worker_key(route: SiteRoute, outcome: ToWorker) -> str:
    """Under which the gateway finds the worker: a mounted one is that of production wherever it is mounted, a function
    is the release's own."""
    if not outcome.version:
        return route_key(route.project, outcome.worker, PRODUCTION)
    environment = PREVIEW if route.label else PRODUCTION
    return held_key(route.project, outcome.worker, environment, outcome.version)


def matching_rule(release: LoadedRelease, request: SiteRequest) -> Redirect | None:
    """The rule of the site's that a request fits, if there is one."""
    path = resolve.decode_path(request.path)
    if path is None or not release.redirects.rules:
        return None
    rule = _find_rule(release, request, resolve.find(release.release, path))
    return None if rule is None else rule.rule


def _find_rule(
    release: LoadedRelease, request: SiteRequest, found: Found | None, looked_at: set[str] | None = None
) -> Matched | None:
    """A file wins over a rule that is not forced."""
    return release.redirects.find(_asked(request), lambda each: each.force or found is None, looked_at)


def _follow(release: LoadedRelease, request: SiteRequest, rule: Redirect, place: str) -> Outcome:
    """What a rule of the site's says: it is asked once, so a rewrite never leads to another rule."""
    if rule.status in _REDIRECTS:
        place = request.prefix + place if place.startswith("/") else place
        return ToPlace(rule.status, place, _headers(release, request, None))
    if rule.proxies:
        parts = urlsplit(place)
        if (parts.hostname or "") not in release.release.settings.proxy_hosts:
            raise ProxyRefused
        if not _DOTS.isdisjoint(unquote(parts.path).split("/")):
            raise BadRequest("The path leads out of what the rule is for.")  # the other host would follow it there
        return ToHost(place)
    return _to_ruled_file(release, request, rule, place)


def _to_ruled_file(release: LoadedRelease, request: SiteRequest, rule: Redirect, place: str) -> ToFile | ToPlace:
    """The file that a rule shows in another's stead."""
    path = resolve.decode_path(place.partition("?")[0].partition("#")[0])
    found = None if path is None else resolve.find(release.release, path)
    if found is not None and found.asset is None:
        found = resolve.find(release.release, found.path)
    if found is None or found.asset is None:
        if rule.status != 200:
            return ToPlace(rule.status, "", _headers(release, request, None))
        found = resolve.not_found(release.release, path or "/")
        if found is None or found.asset is None:
            raise NotFound("This site has no such page.")
        return _to_file(release, request, found, lasts=False)
    return _to_file(release, request, Found(found.path, found.asset, rule.status), lasts=False)


def _moved(release: LoadedRelease, request: SiteRequest, found: Found) -> ToPlace:
    query = f"?{request.query}" if request.query else ""
    return ToPlace(
        found.status, request.prefix + resolve.encode_path(found.path) + query, _headers(release, request, None)
    )


def _to_file(release: LoadedRelease, request: SiteRequest, found: Found, *, lasts: bool) -> ToFile:
    if found.asset is None:
        raise AssertionError("a redirect has no file")
    return ToFile(found.asset, found.status, _headers(release, request, found), release.release.at, lasts, {})


def _headers(release: LoadedRelease, request: SiteRequest, found: Found | None) -> Mapping[bytes, bytes]:
    """The headers of the box, then the site's own over them."""
    headers: dict[bytes, bytes] = {b"x-content-type-options": b"nosniff"}
    if request.varies:
        headers[b"vary"] = request.varies
    lasting = found is not None and found.status == 200 and resolve.is_hashed(found.path)
    # Of redirects, too: a browser keeps a 301 that says nothing for ever, and no rollback would help.
    headers[b"cache-control"] = _IMMUTABLE if lasting else _REVALIDATE
    if release.release.settings.security_headers:
        headers |= _PRESET
        if request.secure:
            headers[b"strict-transport-security"] = _HSTS
    if release.headers:
        for name, value in release.headers.of(request.host.partition(":")[0], request.path).items():
            if value is None:
                headers.pop(name.encode(), None)
            else:
                headers[name.encode()] = value.encode("latin-1")
    return headers | dict(preview_headers(request.route))


def preview_headers(route: SiteRoute) -> list[tuple[bytes, bytes]]:
    """What a preview says to every answer, whatever the site or a worker says: no search engine is to find it, and what
    is behind a password is not for a CDN, which asks nobody for one."""
    headers = [(b"x-robots-tag", b"noindex")] if route.label else []
    if route.password_hash is not None:
        headers.append((b"cache-control", b"private, no-cache"))
    return headers


def _asked(request: SiteRequest) -> Asked:
    incoming = request.incoming
    cookies = incoming.first("cookie")
    languages = incoming.first("accept-language")
    return Asked(
        host=request.host.partition(":")[0],
        path=request.path,
        query=request.query,
        country=incoming.first("cf-ipcountry") or "",
        languages=_by_weight(languages) if languages else (),
        cookies=frozenset(part.partition("=")[0].strip() for part in cookies.split(";")) if cookies else frozenset(),
    )


def _by_weight(header: str) -> tuple[str, ...]:
    weights = negotiate.qualities(header)
    return tuple(sorted((name for name in weights if weights[name] > 0), key=lambda name: -weights[name]))
