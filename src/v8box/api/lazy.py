"""An application that is built at its first request, so that what it imports does not slow the box's start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json
from v8box.api.envelope import error_body

_log: Final = logging.getLogger(__name__)


class LazyApp:
    """Calls `build` in a thread, once, however many requests come meanwhile: they wait. A build that fails is logged,
    answered with 500, and tried again at the next request. `build` must neither touch the loop nor need one."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._app: ASGIApp | None = None
        self._building: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if app is None:
            try:
                app = await self._built()
            except Exception:
                _log.exception("The admin API could not be built")
                if scope["type"] == "http":
                    await send_json(
                        scope, send, 500, error_body("The admin API did not start; see the log", "internal")
                    )
                return
        await app(scope, receive, send)

    async def _built(self) -> ASGIApp:
        if self._building is None:
            self._building = asyncio.create_task(asyncio.to_thread(self._build), name="build admin API")
            self._building.add_done_callback(self._finish)
        return await asyncio.shield(self._building)  # a client that leaves does not stop what the others wait for

    def _finish(self, building: asyncio.Task[ASGIApp]) -> None:
        self._building = None
        if not building.cancelled() and building.exception() is None:
            self._app = building.result()
