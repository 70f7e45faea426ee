"""Where the inbox has its notices from: open alerts, groups of errors, failed operations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from v8box.api.operations import Operation, Operations, State
from v8box.features.errors.model import ErrorState
from v8box.features.errors.service import Errors
from v8box.features.inbox import Inbox, Notice, NoticeKind
from v8box.features.inbox.service import Projects
from v8box.features.notifications.alerts import Alerts
from v8box.features.notifications.model import BOX, RuleKind

RECENT_SECONDS: Final = 7 * 86_400.0
"""What is older wants nobody's attention any more; an alert does for as long as it fires."""
_MAX_TEXT: Final = 300


def build_inbox(alerts: Alerts, errors: Errors, operations: Operations) -> Inbox:
    """All three together."""

    async def firing(projects: Projects, limit: int) -> Sequence[Notice]:
        owners = None if projects is None else {BOX if each is None else each for each in projects}
        return [
            Notice(
                kind=NoticeKind.ALERT,
                id=each.id,
                project=None if each.project == BOX else each.project,
                severity=each.severity.value,
                title=each.title,
                text=_sentences(each.text, each.advice)[:_MAX_TEXT],
                at=each.fired_at,
            )
            for each in alerts.open_in(owners)[:limit]
            if each.kind is not RuleKind.ERRORS  # the error itself is among the notices
        ]

    async def thrown(projects: Projects, limit: int) -> Sequence[Notice]:
        named = None if projects is None else [each for each in projects if each is not None]
        return [
            Notice(
                kind=NoticeKind.ERROR,
                id=each.id,
                project=each.project,
                worker=each.worker,
                severity="critical" if each.state is ErrorState.REGRESSED else "warning",
                title=f"{each.worker}: {each.name}",
                text=each.message[:_MAX_TEXT],
                at=each.at,
            )
            for each in await errors.newest(named, time.time() - RECENT_SECONDS, limit)
        ]

    async def failed(projects: Projects, limit: int) -> Sequence[Notice]:
        wanted = None if projects is None else list(projects)
        found = await operations.list(projects=wanted, before=None, limit=limit, state=State.FAILED)
        return [_failed(each) for each in found]

    return Inbox((firing, thrown, failed), operations.running_in)


def _failed(operation: Operation) -> Notice:
    """Operations are forgotten after a week by themselves."""
    problem = operation.problem or {}
    return Notice(
        kind=NoticeKind.OPERATION,
        id=operation.id,
        project=operation.project,
        severity="warning",
        title=operation.kind,
        text=str(problem.get("detail", ""))[:_MAX_TEXT],
        at=datetime.fromisoformat(operation.ended_at or operation.started_at).timestamp(),
    )


def _sentences(text: str, advice: str) -> str:
    """What is wrong, and what to do, as a text of two sentences."""
    whole = text if not text or text[-1] in ".!?" else f"{text}."
    return f"{whole} {advice}".strip()
