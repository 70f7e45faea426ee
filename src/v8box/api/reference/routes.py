"""The addresses of the document and of its page. Both are for anybody: what there is to call is no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from v8box.api.access import anybody
from v8box.api.reference.page import ASSETS, POLICY, asset, page
from v8box.api.v1 import ERRORS, V1Route
from v8box.errors import NotFound

Document = Callable[[], dict[str, Any]]


def build_router(document: Document) -> APIRouter:
    """The routes on the document that `document` gives."""
    routes = APIRouter(prefix="/api", tags=["reference"], route_class=V1Route, responses=ERRORS)
    made: dict[str, bytes] = {}

    @routes.get("/v1/openapi.json", response_model=dict[str, Any], dependencies=[anybody()])
    async def show_openapi() -> Response:
        """The OpenAPI 3.1 document of the whole API."""
        if "json" not in made:
            made["json"] = msgspec.json.encode(document())
        return Response(made["json"], media_type="application/json")

    @routes.get("/docs", dependencies=[anybody()], include_in_schema=False)
    async def show_reference() -> Response:
        """The document as a page to read."""
        if "html" not in made:
            made["html"] = page(document()).encode()
        return Response(made["html"], media_type="text/html", headers={"content-security-policy": POLICY})

    @routes.get("/docs/{name}", dependencies=[anybody()], include_in_schema=False)
    async def show_reference_file(name: str) -> Response:
        """What the page needs."""
        if name not in ASSETS:
            raise NotFound
        return Response(asset(name), headers={"content-type": ASSETS[name], "cache-control": "max-age=300"})

    return routes
