"""The addresses of long work: GET /api/v1/operations, GET and DELETE /api/v1/operations/{id}."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from v8box.api.access import EVERY_PROJECT, Forbidden, Principal, Role, Scope, needs
from v8box.api.operations import MAX_WAIT_SECONDS, Operation, Operations, State
from v8box.api.v1 import OperationInfo, Page, Paged, answer, router_v1
from v8box.errors import NotFound


def build_router(operations: Operations) -> APIRouter:
    """The routes on all operations; each shows what its caller may see."""
    routes = router_v1("/operations", "operations")

    @routes.get("", response_model=Page[OperationInfo])
    async def list_operations(
        who: Annotated[Principal, needs(None)],
        page: Paged,
        project: Annotated[str | None, Query(max_length=63, description="Only those of this project.")] = None,
        state: Annotated[State | None, Query(description="Only those that stand so.")] = None,
    ) -> Response:
        """The newest first: of the projects that you have a role in, and of the box when you have one there."""
        last = page.after(str)
        before = None if last is None else str(last[0])
        projects = _visible(who, project)
        found = await operations.list(projects=projects, before=before, limit=page.fetch, state=state)
        return answer(page.page(found, lambda each: (each.id,), OperationInfo.of))

    @routes.get("/{operation_id}", response_model=OperationInfo)
    async def show_operation(
        who: Annotated[Principal, needs(None)],
        operation_id: str,
        wait: Annotated[
            float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for its end before answering.")
        ] = 0.0,
    ) -> Response:
        """How far it is. With `?wait=` the answer comes when it has ended, or then."""
        await _seen(operations, operation_id, who)
        return answer(OperationInfo.of(await operations.get(operation_id, wait)))

    @routes.delete("/{operation_id}", response_model=OperationInfo)
    async def cancel_operation(who: Annotated[Principal, needs(None, Scope.DEPLOY)], operation_id: str) -> Response:
        """Stops the work and tells how it stands then. What is done already stays done."""
        operation = await _seen(operations, operation_id, who)
        if not _is_own(who, operation) and who.role(operation.project) < Role.ADMIN:
            raise Forbidden("Only who started it, or an admin, may cancel an operation.")
        return answer(OperationInfo.of(await operations.cancel(operation_id)))

    return routes


def _visible(who: Principal, wanted: str | None) -> list[str | None] | None:
    """The projects whose operations are shown; None: all."""
    if wanted is not None:
        return [wanted] if who.role(wanted) else []
    if who.project is not None:
        return [who.project] if who.role(who.project) else []
    if who.role(None):
        return None
    return [name for name in who.roles if name != EVERY_PROJECT]


async def _seen(operations: Operations, operation_id: str, who: Principal) -> Operation:
    """The operation, if it is for this caller to see."""
    operation = await operations.get(operation_id)
    if not who.role(operation.project) and not _is_own(who, operation):
        raise NotFound("There is no such operation, or it is so old that it is forgotten.")
    return operation


def _is_own(who: Principal, operation: Operation) -> bool:
    return (who.actor.kind, who.actor.id) == (operation.actor.kind, operation.actor.id)
