"""The addresses of the audit log: GET /api/v1/audit, /audit/export, /audit/verify."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from v8box.api.access import EVERY_PROJECT, Forbidden, PasswordChangeNeeded, Principal, Role, needs
from v8box.api.v1 import ActorInfo, Page, Paged, Time, answer, rfc3339, router_v1
from v8box.errors import BadRequest
from v8box.features.audit.export import FORMATS
from v8box.features.audit.store import AuditLog, Filter
from v8box.telemetry.audit import Entry, Event, record
from v8box.telemetry.audit_chain import verify


def _word(description: str) -> Any:
    return Query(max_length=200, description=description)


_Files: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The entries, oldest first.",
        "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind, _ in FORMATS.values()},
    }
}


class EntryInfo(BaseModel):
    """One change: who made it, when, from where, what was before and after."""

    number: int
    at: Time
    project: str | None = Field(description="`null`: it is of the box itself.")
    actor: ActorInfo
    address: str | None = Field(description="The client's IP address; `null`: the box did it.")
    request_id: str | None
    action: str = Field(
        description="`<resource>.<verb>`, or an operation's id where nothing more is known.",
        examples=["worker.deploy"],
    )
    resource: str = Field(description="What it was done to.", examples=["worker/hello"])
    before: Any = Field(description="Secrets are masked, long values cut.")
    after: Any
    previous: str = Field(description="The hash of the entry before.")
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> EntryInfo:
        event = entry.event
        return cls(
            number=entry.number,
            at=entry.at,
            project=event.project,
            actor=ActorInfo.of(event.actor),
            address=event.actor.address,
            request_id=event.actor.request_id,
            action=event.action,
            resource=event.resource,
            before=event.before,
            after=event.after,
            previous=entry.previous,
            hash=entry.hash,
        )


class Verification(BaseModel):
    """What a look through the chain found."""

    ok: bool
    entries: int = Field(description="How many were looked at.")
    head: int = Field(description="The number of the newest entry.")
    head_hash: str = Field(description="Its hash: noted elsewhere, it shows later that the log up to here is the same.")
    first_bad: int | None = Field(description="The first entry that is not what was written.")
    reason: str | None


def _filter(
    project: Annotated[str | None, Query(max_length=63, description="Only those of this project.")] = None,
    actor: Annotated[str | None, _word("Who: an id or a name.")] = None,
    action: Annotated[str | None, _word("What the action begins with, e.g. `worker.`")] = None,
    resource: Annotated[str | None, _word("The resource, or what it lies below, e.g. `worker/hello`.")] = None,
    since: Annotated[datetime | None, Query(description="From this time on.")] = None,
    until: Annotated[datetime | None, Query(description="Before this time.")] = None,
    text: Annotated[str | None, _word("What occurs anywhere in the entry, in any case.")] = None,
) -> Filter:
    return Filter(
        projects=None if project is None else [project],
        actor=actor,
        action=action,
        resource=resource,
        since=_time(since),
        until=_time(until),
        text=text,
    )


def build_router(log: AuditLog) -> APIRouter:
    """The routes on the log. Admins see the entries of their projects, admins of the box all."""
    routes = router_v1("/audit", "audit")
    verifying = asyncio.Lock()

    @routes.get("", response_model=Page[EntryInfo])
    async def list_audit(
        who: Annotated[Principal, needs(None)], wanted: Annotated[Filter, Depends(_filter)], page: Paged
    ) -> Response:
        """Who changed what, newest first. A page may be short or empty though `next_cursor` says that others follow:
        the log is looked through a stretch at a time."""
        last = page.after(int)
        wanted = _narrowed(wanted, who)
        found, below = await log.newest(wanted, below=None if last is None else int(last[0]), limit=page.limit)
        return answer(page.page_up_to([EntryInfo.of(each) for each in found], None if below is None else (below,)))

    @routes.get("/export", response_class=Response, responses=_Files)
    async def export_audit(
        who: Annotated[Principal, needs(None)],
        wanted: Annotated[Filter, Depends(_filter)],
        format: Annotated[Literal["jsonl", "csv"], Query(description="JSON lines, or CSV for spreadsheets.")] = "jsonl",
    ) -> Response:
        """All that match, as a file, oldest first. In CSV a cell that a spreadsheet would take for a formula begins
        with `'`. The export itself is in the log."""
        wanted = _narrowed(wanted, who)
        project = wanted.projects[0] if wanted.projects and len(wanted.projects) == 1 else None
        event = Event(action="audit.export", resource="audit", project=project, actor=who.actor, after=format)
        await record(log.database, event)
        kind, written = FORMATS[format]
        headers = {"content-disposition": f'attachment; filename="audit.{format}"'}
        return StreamingResponse(written(log.all(wanted)), media_type=kind, headers=headers)

    @routes.get("/verify", response_model=Verification, dependencies=[needs(Role.ADMIN, box=True)])
    async def verify_audit() -> Response:
        """Looks through the whole chain for entries that were altered or taken out."""
        async with verifying:
            found = await verify(log.database)
        return answer(
            Verification(
                ok=found.first_bad is None,
                entries=found.entries,
                head=found.head,
                head_hash=found.head_hash,
                first_bad=found.first_bad,
                reason=found.reason,
            )
        )

    return routes


def _narrowed(wanted: Filter, who: Principal) -> Filter:
    """The entries among those that are for this caller to see. Raises `Forbidden`."""
    if who.must_change_password:
        raise PasswordChangeNeeded
    for project in wanted.projects or ():
        if who.role(project) < Role.ADMIN:
            raise Forbidden(f"This needs the role admin in the project {project}.")
    if wanted.projects is not None:
        return replace(wanted, box=False)
    if who.role(None) >= Role.ADMIN:
        return wanted
    named = [who.project] if who.project is not None else [name for name in who.roles if name != EVERY_PROJECT]
    projects = [name for name in named if who.role(name) >= Role.ADMIN]
    if not projects:
        raise Forbidden("This needs the role admin, of the whole box or of a project.")
    return replace(wanted, projects=projects, box=False)


def _time(at: datetime | None) -> str | None:
    """In the form of the log; a time without a zone is UTC."""
    if at is None:
        return None
    try:
        return rfc3339(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except OverflowError as error:
        raise BadRequest("since and until: a time between the years 1 and 9999.") from error
