"""A site's files for the workers of its project: the same answer as a visitor's, caught instead of sent.

Files only, so that a worker mounted at the site never asks itself; and only of the worker's own project.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from v8box.bindings.assets.interface import AssetAnswer, AssetRequest
from v8box.catalog.model import PREVIEW
from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.errors import V8BoxError
from v8box.gateway.caught import Caught
from v8box.gateway.headers import Incoming
from v8box.gateway.pages.decide import SiteRequest
from v8box.gateway.pages.serve import Pages

_PIECE_BYTES: Final = 256 * 1024
_KEPT_BACK: Final = frozenset({b"server", b"x-request-id"})


class SiteAssets:
    """Answers for the sites of the present snapshot."""

    def __init__(self, table: Callable[[], SiteTable], pages: Pages) -> None:
        self._table = table
        self._pages = pages

    async def fetch(self, asked: AssetRequest) -> AssetAnswer:
        """What the site answers; an error of the site is an answer with its status, too."""
        route = self._route(asked)
        if route is None or route.project != asked.project:
            return _refusal(404, f"There is no site called {asked.site} in this project, or nothing of it is live.")
        incoming = Incoming([(name.encode("latin-1", "replace"), _bytes(value)) for name, value in asked.headers])
        incoming.proto = "https" if asked.secure else "http"
        label = route.site if not route.label else f"{route.label}--{route.site}"
        prefix = f"/pages/{label}"
        if ("x-forwarded-prefix", prefix) not in asked.headers:
            prefix = ""
        request = SiteRequest(
            route, incoming, asked.method, asked.host, asked.path, asked.query, prefix, request_id=asked.run
        )
        caught = Caught("the file could not be read to its end")
        sending = asyncio.create_task(self._answer(request, asked.follow, caught), name="a file for a worker")
        try:
            await caught.begun
            return _found(caught, sending)
        except V8BoxError as error:
            return _refusal(error.status, error.detail)
        except BaseException:
            sending.cancel()
            raise

    def _route(self, asked: AssetRequest) -> SiteRoute | None:
        """What is live; for a function at a preview of the site, what is shown there."""
        table = self._table()
        if asked.environment == PREVIEW:
            given = dict(asked.headers).get("x-forwarded-prefix", "").removeprefix("/pages/")
            for name in (asked.host.partition(".")[0], given):
                shown = table.previews.get(name)
                if shown is not None and shown.site == asked.site:
                    return shown
        return table.sites.get(asked.site)

    async def _answer(self, request: SiteRequest, follow: bool, caught: Caught) -> None:
        try:
            await self._pages.answer_file(request, caught.send, follow=follow)
        except BaseException as error:
            caught.fail(error)
            if isinstance(error, asyncio.CancelledError):
                raise


def _found(caught: Caught, sending: asyncio.Task[None]) -> AssetAnswer:
    body: bytes | AsyncIterator[bytes]
    if caught.first["type"] == "http.response.pathsend":
        body = _file(Path(caught.first["path"]))
    else:
        body = caught.body(sending)
        body = bytes(body) if isinstance(body, bytes | bytearray | memoryview) else body
    return AssetAnswer(status=caught.head["status"], headers=caught.headers(_KEPT_BACK), body=body)


async def _file(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
    finally:
        file.close()


def _refusal(status: int, detail: str) -> AssetAnswer:
    body = f"{detail}\n".encode()
    headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
    return AssetAnswer(status=status, headers=headers, body=body)


def _bytes(value: str) -> bytes:
    return value.encode("latin-1", "replace")
