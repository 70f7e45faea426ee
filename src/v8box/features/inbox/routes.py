"""`/api/v1/inbox`: what a bell shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from v8box.api.access import EVERY_PROJECT, Principal, needs
from v8box.api.v1 import Time, router_v1, tagged
from v8box.features.inbox.service import Inbox, Notice, NoticeKind, Projects


class NoticeInfo(BaseModel):
    """One thing that wants attention."""

    kind: NoticeKind
    id: str = Field(description="The alert's, the error's or the operation's.")
    project: str | None = Field(description="`null`: it is the box's.")
    worker: str | None = Field(description="The worker that it is about, if it is about one.")
    severity: str = Field(description="`info`, `warning` or `critical`.")
    title: str
    text: str
    at: Time = Field(description="Since when.")

    @classmethod
    def of(cls, notice: Notice) -> NoticeInfo:
        return cls(
            kind=notice.kind,
            id=notice.id,
            project=notice.project,
            worker=notice.worker or None,
            severity=notice.severity,
            title=notice.title,
            text=notice.text,
            at=datetime.fromtimestamp(notice.at, UTC),
        )


class InboxInfo(BaseModel):
    """What wants attention, and what is being worked on."""

    items: list[NoticeInfo] = Field(description="The newest first, 50 at most.")
    running: int = Field(description="How many operations go on: `GET /api/v1/operations?state=running`.")


def build_router(inbox: Inbox) -> APIRouter:
    """The one route."""
    routes = router_v1("/inbox", "inbox")

    @routes.get("", response_model=InboxInfo)
    async def show_inbox(
        request: Request,
        who: Annotated[Principal, needs(None)],
        project: Annotated[str | None, Query(max_length=63, description="Only of this project.")] = None,
    ) -> Response:
        """Alerts that fire, errors that are new or back, and operations that failed in the last week: of the projects
        that you have a role in, and of the box when you have one there. Made to be asked often: with
        `If-None-Match`, 304 says that nothing is new."""
        projects = _visible(who, project)
        found = [NoticeInfo.of(each) for each in await inbox.notices(projects)]
        return tagged(request, InboxInfo(items=found, running=inbox.running(projects)))

    return routes


def _visible(who: Principal, wanted: str | None) -> Projects:
    if who.must_change_password:
        return []
    if wanted is not None:
        return [wanted] if who.role(wanted) else []
    if who.project is not None:
        return [who.project] if who.role(who.project) else []
    if who.role(None):
        return None
    return [name for name in who.roles if name != EVERY_PROJECT]
