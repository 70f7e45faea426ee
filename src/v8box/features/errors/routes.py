"""`/api/v1/projects/{project}/errors`: what workers throw and are killed for, grouped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import Page, Paged, answer, router_v1
from v8box.errors import BadRequest
from v8box.features.errors.excerpt import Excerpt, ReadSource, excerpt
from v8box.features.errors.model import Detail, ErrorKind, ErrorSort, ErrorState, Filter, Group
from v8box.features.errors.schemas import (
    LIST_HOURS,
    ErrorCounts,
    ErrorDetail,
    ErrorInfo,
    ErrorsChanged,
    ForwardingInfo,
    NewErrorState,
    NewErrorStates,
)
from v8box.features.errors.sentry import Status
from v8box.features.errors.service import MAX_AT_ONCE, Errors

Reader = Annotated[Principal, needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
Id = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="The error's id.")]
_UNRESOLVED = (ErrorState.OPEN, ErrorState.REGRESSED)


def build_router(errors: Errors, read_source: ReadSource, forwarding: Callable[[str], Sequence[Status]]) -> APIRouter:
    """The routes on errors. `read_source` gives the sources that are kept of versions, `forwarding` how a project's
    errors reach Sentry."""
    routes = router_v1("/projects/{project}/errors", "errors")

    async def show(project: str, error_id: str) -> ErrorDetail:
        detail = await errors.get(project, error_id)
        return ErrorDetail.of_detail(detail, await code_of(detail))

    async def code_of(detail: Detail) -> Excerpt | None:
        group = detail.group
        if group.top is None or not group.top.own:
            return None
        source = await read_source(group.project, group.worker, detail.stack_version.id, group.top.file)
        return None if source is None else excerpt(source, group.top.file, group.top.line)

    @routes.get("", response_model=Page[ErrorInfo])
    async def list_errors(
        project: str,
        _: Reader,
        page: Paged,
        state: Annotated[list[ErrorState] | None, Query(description="Only in this state; may be said again.")] = None,
        worker: Annotated[str | None, Query(max_length=63, description="Only of this worker.")] = None,
        environment: Annotated[str | None, Query(max_length=63, description="Only seen in this one.")] = None,
        version: Annotated[
            str | None, Query(max_length=64, description="Only seen in this version: an id, or a number like `v3`.")
        ] = None,
        kind: Annotated[ErrorKind | None, Query(description="Only of this kind.")] = None,
        q: Annotated[str | None, Query(max_length=200, description="What occurs in it, in any case.")] = None,
        sort: Annotated[ErrorSort, Query(description="What comes first.")] = ErrorSort.LAST_SEEN,
    ) -> Response:
        """What the project's workers throw and are killed for, each with its count in every hour of the last day."""
        after = page.after(float, str)
        wanted = Filter(
            states=tuple(state or ()), worker=worker, environment=environment, version=version, kind=kind, text=q
        )
        found, hours = await errors.list(
            project,
            wanted,
            sort=sort,
            after=None if after is None else (float(after[0]), str(after[1])),
            limit=page.fetch,
            hours=LIST_HOURS,
        )

        def shown(each: tuple[Group, float]) -> ErrorInfo:
            return ErrorInfo.of(each[0], hours.get(each[0].id, ()))

        return answer(page.page(found, lambda each: (each[1], each[0].id), shown))

    @routes.get("/counts", response_model=ErrorCounts)
    async def count_errors(
        project: str,
        _: Reader,
        worker: Annotated[str | None, Query(max_length=63, description="Only of this worker.")] = None,
        environment: Annotated[str | None, Query(max_length=63, description="Only seen in this one.")] = None,
    ) -> Response:
        """How many errors are in each state."""
        counted = await errors.states(project, worker, environment)
        return answer(ErrorCounts(**{str(state): count for state, count in counted.items()}))

    @routes.get("/forwarding", response_model=Page[ForwardingInfo])
    async def list_forwarding(project: str, _: Reader, page: Paged) -> Response:
        """Where the errors of workers are forwarded to (`SENTRY_DSN`), and what comes of it. Those that had no error
        since the box started are not in it."""
        found = list(forwarding(project))
        return answer(page.page_of_all(found, lambda each: (each.worker, each.environment), ForwardingInfo.of))

    @routes.post("/states", response_model=ErrorsChanged)
    async def change_errors(project: str, who: Writer, body: NewErrorStates) -> Response:
        """Resolves, ignores or reopens several at once: those with these ids, or all of a worker that are open or
        regressed. When one of the ids is not there, none changes."""
        if (body.ids is None) == (body.worker is None):
            raise BadRequest("Say ids or worker, one of the two.")
        wanted = Filter(states=_UNRESOLVED, worker=body.worker)
        changed = await errors.set_states(project, body.ids, wanted, ErrorState(body.state), _until(body), who.actor)
        return answer(ErrorsChanged(changed=changed, more=body.ids is None and changed == MAX_AT_ONCE))

    @routes.get("/{error_id}", response_model=ErrorDetail)
    async def show_error(project: str, error_id: Id, _: Reader) -> Response:
        """One error: its stack, the code around it, its last runs, the versions and hours it was seen in."""
        return answer(await show(project, error_id))

    @routes.patch("/{error_id}", response_model=ErrorDetail)
    async def change_error(project: str, error_id: Id, who: Writer, body: NewErrorState) -> Response:
        """Resolves an error, ignores it (for good, or until a time), or opens it again. One that is resolved and comes
        back in a newer version is `regressed`."""
        await errors.set_state(project, error_id, ErrorState(body.state), _until(body), who.actor)
        return answer(await show(project, error_id))

    return routes


def _until(body: NewErrorState) -> float | None:
    until = body.ignored_until
    if until is None:
        return None
    return (until if until.tzinfo is not None else until.replace(tzinfo=UTC)).timestamp()
