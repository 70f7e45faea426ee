"""An ASGI application of a test, served by the server that the box uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from tests.servers.ports import free_port

START_SECONDS = 60.0
STOP_SECONDS = 5.0


@asynccontextmanager
async def serving(app: Callable[..., Any], port: int | None = None, **options: Any) -> AsyncIterator[int]:
    """Serves it on a port of this machine, which is given; answers by then."""
    port = port or free_port()
    options = {"interface": Interfaces.ASGINL, "http": HTTPModes.auto, "log_enabled": False, **options}
    server = Server(app, address="127.0.0.1", port=port, **options)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        yield port
    finally:
        server.stop()  # type: ignore[no-untyped-call] # granian has no types here
        await asyncio.wait([task], timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
