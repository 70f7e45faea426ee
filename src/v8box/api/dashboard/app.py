"""Answers with the dashboard where no route of the API is meant, and passes the rest on.

It stands before the API, which is built when it is first asked: a file needs neither FastAPI nor a session. By path
(`/admin/…`) and on the admin's own host (`/…`) it is the same files; which page an address is, the browser decides.
"""

from __future__ import annotations

from typing import Final

from v8box.api.asgi import ASGIApp, Receive, Scope, Send
from v8box.api.dashboard.files import BuiltFile, BuiltFiles

JSON_ONLY: Final = frozenset({"database", "s3", "login", "logout", "openapi.json"})
"""What is below /admin and never a page: the Data API and the founding product's sign-in."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self' blob:; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # Monaco and Radix write styles of their own into the page
    "img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; frame-src 'self' blob:; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_NOT_BUILT: Final = (
    b"The dashboard is not a part of this installation. In a checkout, `make dashboard` builds it; the commands and "
    b"the API work without it.\n"
)
_FOREVER: Final = b"public, max-age=31536000, immutable"


class Dashboard:
    """ASGI middleware around the admin API."""

    def __init__(self, app: ASGIApp, files: BuiltFiles) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = _place(scope)
        if place is None:
            await self._app(scope, receive, send)
            return
        files = await self._files.all()
        file = files.get(place)
        if file is None and place.startswith("/assets/"):
            # Never a page instead: a browser that has an older build would take it for a script.
            await _send(scope, send, 404, b"text/plain; charset=utf-8", b"There is no such file.\n")
            return
        if file is None:
            if not (_accepts_html(scope) or place == "/"):
                await self._app(scope, receive, send)
                return
            file = files.get("/index.html")
        if file is None:
            await _send(scope, send, 503, b"text/plain; charset=utf-8", _NOT_BUILT)
            return
        await self._send_file(scope, send, file)

    async def _send_file(self, scope: Scope, send: Send, file: BuiltFile) -> None:
        encoding = next((each for each in file.encodings if each in _accepted(scope)), None)
        etag = f'"{file.etag}{"-" + encoding if encoding else ""}"'.encode()
        headers = [(b"etag", etag), (b"cache-control", _FOREVER if file.immutable else b"no-cache")]
        if file.encodings:
            headers.append((b"vary", b"accept-encoding"))
        if etag in _header(scope, b"if-none-match"):
            await _send(scope, send, 304, None, b"", headers)
            return
        if encoding is not None:
            headers.append((b"content-encoding", encoding.encode()))
        body = await self._files.body(file, encoding)
        await _send(scope, send, 200, file.media_type.encode(), body, headers)


def _place(scope: Scope) -> str | None:
    """What is asked of the dashboard, below its own address; None: it is for the API."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None
    path: str = scope["path"]
    if path == "/api" or path.startswith("/api/"):
        return None
    if path == "/admin" or path.startswith("/admin/"):
        rest = path[len("/admin") :] or "/"
        return None if rest[1:].partition("/")[0] in JSON_ONLY else rest
    return path


def _accepts_html(scope: Scope) -> bool:
    return b"text/html" in _header(scope, b"accept")


def _accepted(scope: Scope) -> set[str]:
    """The encodings that the client takes."""
    accepted: set[str] = set()
    for each in _header(scope, b"accept-encoding").decode("latin-1").lower().split(","):
        name, _, weight = each.partition(";")
        if weight.replace(" ", "").rstrip("0") not in ("q=", "q=0."):
            accepted.add(name.strip())
    return accepted


def _header(scope: Scope, wanted: bytes) -> bytes:
    return b",".join(value for name, value in scope["headers"] if name.lower() == wanted)


async def _send(
    scope: Scope,
    send: Send,
    status: int,
    media_type: bytes | None,
    body: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    told = [*_HEADERS, *(headers or [(b"cache-control", b"no-store")])]
    if media_type is not None:
        told += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})
