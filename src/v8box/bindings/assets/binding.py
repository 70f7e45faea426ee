"""The `assets` binding: the files of a site of the worker's project, for `env.<NAME>.fetch()`.

Only sites that the manifest names, and only files: a worker that is mounted at a site can ask for what lies behind
itself, and never for itself.
"""

from __future__ import annotations

from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from v8box.bindings.assets.interface import AssetRequest, FetchAsset
from v8box.bindings.interface import Answer, BindingError, Call, StatelessBinding

MAX_URL: Final = 16_384
_PASSED: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cf-ipcountry",
        "cookie",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "x-forwarded-prefix",
    }
)
"""Headers that decide what is sent. The site sees no other."""


class _Fetch(msgspec.Struct):
    """One call, as the client sends it."""

    site: str
    url: str
    method: str = "GET"
    follow: bool = True
    headers: list[tuple[str, str]] = []


class AssetsBinding(StatelessBinding):
    """`fetch` asks the box for a file."""

    name: ClassVar[str] = "assets"

    def __init__(self, fetch: FetchAsset) -> None:
        self._fetch = fetch

    async def call(self, call: Call) -> Answer:
        if call.operation != "fetch":
            raise BindingError("unknown_operation", f"assets has no operation {call.operation[:40]!r}")
        request = _read(call)
        answer = await self._fetch(request)
        body = None if isinstance(answer.body, bytes) and not answer.body else answer.body
        return Answer({"status": answer.status, "headers": [list(pair) for pair in answer.headers]}, body, rows=1)


def _read(call: Call) -> AssetRequest:
    try:
        asked = msgspec.convert(call.args, _Fetch)
        parts = urlsplit(asked.url[: MAX_URL + 1])
    except (msgspec.ValidationError, ValueError) as error:
        raise BindingError("invalid_argument", f"fetch: {error}") from error
    if len(asked.url) > MAX_URL:
        raise BindingError("invalid_argument", f"a URL has up to {MAX_URL} characters")
    if asked.site not in call.scope.grants.get("assets", frozenset()):
        raise BindingError("site_not_granted", f"the manifest does not have the site {asked.site[:63]!r}: bind it")
    return AssetRequest(
        project=call.scope.project,
        site=asked.site,
        method=asked.method.upper(),
        host=parts.netloc.rpartition("@")[2],
        secure=parts.scheme == "https",
        path=parts.path if parts.path.startswith("/") else "/" + parts.path,
        query=parts.query,
        follow=asked.follow,
        run=call.scope.run,
        environment=call.scope.environment,
        headers=[(name.lower(), value) for name, value in asked.headers if name.lower() in _PASSED],
    )
