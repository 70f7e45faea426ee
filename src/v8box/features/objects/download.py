"""An object's body on its way to the client: as fast as that takes it, and no longer than it is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Response

from v8box.api.asgi import Receive, Scope, Send


class Download(Response):
    """An answer whose body is bytes or a stream. The stream is closed however the answer ends."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes | AsyncIterator[bytes], length: int) -> None:
        super().__init__(None, status)
        self._body = body
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self.raw_headers.append((b"content-length", b"%d" % length))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if isinstance(self._body, bytes):
            await send({"type": "http.response.body", "body": self._body, "more_body": False})
            return
        gone = asyncio.create_task(_disconnected(receive), name="watch for a client that leaves")
        try:
            async for chunk in self._body:
                if gone.done():  # the server takes what is sent to nobody without a word
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            await close(self._body)


async def close(body: bytes | AsyncIterator[bytes] | None) -> None:
    """Lets go of what a stream holds open."""
    aclose: Any = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
