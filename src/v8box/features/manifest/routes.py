"""`/api/v1/manifest.schema.json`: the JSON Schema of the manifest. Editors have none to sign in with."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from v8box.api.access import anybody
from v8box.api.v1 import router_v1
from v8box.catalog.manifest_schema import rendered

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "JSON Schema.", "content": {"application/schema+json": {"schema": {"type": "object"}}}}
}


def build_router() -> APIRouter:
    routes = router_v1("", "manifest")

    @routes.get("/manifest.schema.json", dependencies=[anybody()], response_class=Response, responses=_ANSWER)
    async def show_manifest_schema() -> Response:
        """The JSON Schema (2020-12) of a worker's manifest, for editors."""
        headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
        return Response(rendered(), media_type="application/schema+json", headers=headers)

    return routes
