"""An error as an answer, for what is refused before the application is asked: as it would have answered it."""

from __future__ import annotations

from v8box.api.asgi import Receive, Scope, Send, send_json
from v8box.api.errors import body_of, describe, media_type
from v8box.errors import V8BoxError


async def send_refusal(scope: Scope, receive: Receive, send: Send, error: V8BoxError) -> None:
    """Answers with the error; a WebSocket is closed."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    failure, path = describe(error), str(scope.get("path", ""))
    body = body_of(failure, path, scope.get("request_id"))
    await send_json(scope, send, failure.status, body, media_type(path))
