"""GET /api/v1/explain: what would answer a URL."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from v8box.api.access import Principal, Role, needs
from v8box.api.v1 import answer, router_v1
from v8box.features.explain.explain import Explainer, Explanation


def build_router(explainer: Explainer) -> APIRouter:
    """The one route."""
    routes = router_v1("/explain", "explain")

    @routes.get("", response_model=Explanation)
    async def explain_url(
        who: Annotated[Principal, needs(None)],
        url: Annotated[str, Query(min_length=1, max_length=4_096, description="With the host.")],
        method: Annotated[str, Query(pattern="^[A-Z]{1,20}$")] = "GET",
    ) -> Response:
        """From host and path to the worker, the versions that may answer, and each policy that applies, in order; or to
        what a site answers and by which of its rules. Of workers and sites in projects that you have no role in it says
        as little as of those that there are not."""
        return answer(await explainer.explain(url, method, lambda project: who.role(project) >= Role.VIEWER))

    return routes
