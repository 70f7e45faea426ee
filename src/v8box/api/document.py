"""What the OpenAPI document has beyond what FastAPI finds by itself: who may call, what errors are, keys of creates.

FastAPI declares its own 422, which nothing here answers; errors are 4XX and 5XX with the type of their address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.routing import APIRoute

from v8box.api.access import access_of
from v8box.api.errors import media_type
from v8box.api.v1 import V1Route

TITLE: Final = "V8Box admin API"
VERSION: Final = "1"
"""Of the API, not of the box: whoever has not signed in need not know that one."""
DESCRIPTION: Final = """\
What the `v8box` command and the dashboard use, and what your own programs may use.

Below `/api` answers are plain JSON and errors are problem details (RFC 9457). Below `/admin`, as in the founding
product, an answer is `{success, data|error, timestamp}`. Call with a personal token, `Authorization: Bearer …`, or with
the cookie of a session.
"""

_SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal token (`v8box token create`), or the local operator's.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "v8box_session",
        "description": "The cookie that signing in sets; over TLS its name begins with `__Host-`.",
    },
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a request that is sent again, with the same key and body, give the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}


def complete(document: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Adds it, in place."""
    by_name = {route.name: route for route in routes}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_errors(operation["responses"], path)
            route = by_name.get(operation["operationId"])
            if route is not None:
                operation.update(_access(route))
                if takes_key(route):
                    operation.setdefault("parameters", []).append(_KEY)
    components = document.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    components["securitySchemes"] = _SCHEMES


def takes_key(route: APIRoute) -> bool:
    """Whether a request to it is done once for each `Idempotency-Key`."""
    return (
        isinstance(route, V1Route) and "POST" in (route.methods or ()) and not route.streams and not _is_public(route)
    )


def _is_public(route: APIRoute) -> bool:
    asked = access_of(route)
    return asked is not None and asked.public


def _complete_errors(responses: dict[str, Any], path: str) -> None:
    responses.pop("422", None)
    for status in ("4XX", "5XX"):
        content: Mapping[str, Any] | None = responses.get(status, {}).get("content")
        if content and "application/json" in content:
            responses[status]["content"] = {media_type(path): content["application/json"]}


def _access(route: APIRoute) -> dict[str, Any]:
    """Who may call, for people, for programs and for OpenAPI's own tools."""
    asked = access_of(route)
    if asked is None or asked.public:
        return {"security": [], "x-v8box-access": "anybody"}
    told = "anybody who is signed in" if asked.role is None else f"{asked.role.word} of the {_where(asked.box)}"
    return {
        "security": [{"token": []}, {"session": []}],
        "x-v8box-access": f"{told}; a token needs the scope {asked.scope}",
    }


def _where(box: bool) -> str:
    return "whole box" if box else "project"
