"""Notifications put together: what rules look at, how messages leave the box, and who tells of what happened."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from time import time

from v8box.app.telemetry import Telemetry
from v8box.catalog.catalog import Catalog
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.projects import Projects, Usage
from v8box.features.deploy import DeployEvent, DeployFailed, Subject
from v8box.features.errors.model import Group
from v8box.features.health.service import Health
from v8box.features.notifications.alerts import Alerts
from v8box.features.notifications.desk import Desk
from v8box.features.notifications.model import ChannelKind, RuleKind
from v8box.features.notifications.outbox import Outbox
from v8box.features.notifications.senders.discord import DiscordSender
from v8box.features.notifications.senders.http import HttpClient
from v8box.features.notifications.senders.interface import LazySender, Sender
from v8box.features.notifications.senders.slack import SlackSender
from v8box.features.notifications.senders.webhook import WebhookSender
from v8box.features.notifications.service import Notifications, Sources
from v8box.features.notifications.signals import CheckState, Deaths, Event, QuotaUse, Samples
from v8box.features.notifications.store import Store
from v8box.features.projects import Room
from v8box.features.workers.canary import Canaries
from v8box.features.workers.canary_model import Canary
from v8box.features.workers.canary_model import State as CanaryState
from v8box.kit.tasks import TaskSet
from v8box.settings import Settings
from v8box.storage import Database
from v8box.storage.encryption import Encryption

_DAY_SECONDS = 86_400.0
_MIB = 1_048_576
_MAX_TITLE = 150


def _of_project(project: str) -> str:
    """As a command says it; the default one need not be said."""
    return "" if project == DEFAULT_PROJECT else f" --project {project}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationParts:
    """What watches and tells, and what people do with it."""

    notifications: Notifications
    desk: Desk

    def deploy_event(self, event: DeployEvent) -> None:
        """Hears of what becomes of the served folder."""
        if isinstance(event, DeployFailed):
            self.deploy_failed(Subject(DEFAULT_PROJECT, worker=event.worker), str(event))

    def deploy_failed(self, subject: Subject, why: str) -> None:
        project, worker, site = subject.project, subject.worker, subject.site
        what = worker or site or project
        named = {"worker": worker, "site": site}
        self.notifications.tell(
            Event(
                kind=RuleKind.DEPLOY_FAILED,
                project=project,
                subject=f"{project}/{what}" if site is None else f"{project}/site/{site}",
                title=f"{what} was not deployed",
                text=why,
                advice="mend it and deploy again; what was live before still is",
                worker=worker or "",
                facts={"project": project, **{kind: name for kind, name in named.items() if name is not None}},
            )
        )

    def error_group(self, change: str, group: Group) -> None:
        """Hears of groups of errors that are new, or back."""
        word = "new" if change == "new" else "is back"
        times = "once" if group.count <= 1 else f"{group.count} times"
        thrown = f"{group.name}: {group.message}".strip(": ")
        self.notifications.tell(
            Event(
                kind=RuleKind.ERRORS,
                project=group.project,
                subject=group.id,
                title=f"{group.worker}: {thrown[:_MAX_TITLE]} ({word})",
                text=f"Seen {times}, last in v{group.last_version.number}.",
                advice=f"v8box errors show {group.id}{_of_project(group.project)}",
                worker=group.worker,
                environment=group.environments[0] if len(group.environments) == 1 else "",
                change=change,
                facts={"project": group.project, "worker": group.worker, "version": f"v{group.last_version.number}"},
            )
        )

    def canary_ended(self, canary: Canary) -> None:
        """Hears of every canary that has ended."""
        if canary.state is not CanaryState.ROLLED_BACK:
            return
        where = {"project": canary.project, "worker": canary.worker, "environment": canary.environment}
        self.notifications.tell(
            Event(
                kind=RuleKind.CANARY_ROLLED_BACK,
                project=canary.project,
                subject=f"{canary.project}/{canary.worker}@{canary.environment} v{canary.new_number}",
                title=f"{canary.worker}: v{canary.new_number} was rolled back",
                text=canary.reason,
                advice=f"v8box canary status {canary.worker}, v8box logs {canary.worker} --level error",
                worker=canary.worker,
                environment=canary.environment,
                facts=where | {"version": f"v{canary.new_number}", "back to": f"v{canary.old_number}"},
            )
        )


async def open_notifications(
    settings: Settings,
    *,
    database: Database,
    encryption: Encryption,
    telemetry: Telemetry,
    catalog: Catalog,
    health: Health,
    projects: Projects,
    usage: Usage,
    room: Room,
    canaries: Canaries,
    stack: AsyncExitStack,
    tasks: TaskSet,
) -> NotificationParts:
    """Opens the store, and lets the look at the rules and the outbox go on."""
    wanted = settings.notifications
    store = await Store.open(database, encryption, time)
    deaths = Deaths()
    telemetry.feed.on_death(deaths.death)

    async def checks() -> Sequence[CheckState]:
        report = await health.report()
        found = (*report.services, *report.checks)
        # Plain texts: they are written down and sent on.
        return [CheckState(each.name, each.status, str(each.finding.value), str(each.finding.advice)) for each in found]

    async def quotas(project: str) -> Sequence[QuotaUse]:
        return await quotas_of(project, projects, usage, room, catalog)

    client = HttpClient()
    stack.push_async_callback(client.stop)
    private = wanted.allow_private

    def email() -> Sender:
        from v8box.features.notifications.senders.email import EmailSender  # the standard library's takes its time

        return EmailSender(wanted, settings.box.domain)

    outbox = Outbox(
        store,
        {
            ChannelKind.EMAIL: LazySender(email),
            ChannelKind.SLACK: SlackSender(client, private=private),
            ChannelKind.DISCORD: DiscordSender(client, private=private),
            ChannelKind.WEBHOOK: WebhookSender(client, private=private),
        },
        disable_seconds=wanted.disable_days * _DAY_SECONDS,
    )
    notifications = Notifications(
        store,
        Alerts(store, time),
        outbox,
        Sources(
            samples=Samples(telemetry.rates, lambda: catalog.routes),
            deaths=deaths,
            checks=checks,
            quotas=quotas,
            projects=lambda: [each.name for each in projects.all()],
        ),
    )
    tasks.forever(notifications.run(), "notifications: rules")
    tasks.forever(outbox.run(), "notifications: outbox")
    desk = Desk(notifications, private=private, has_mail=wanted.smtp_url is not None)
    parts = NotificationParts(notifications=notifications, desk=desk)
    canaries.on_end(parts.canary_ended)
    telemetry.errors.on_new_group(partial(parts.error_group, "new"))
    telemetry.errors.on_regressed(partial(parts.error_group, "regressed"))
    return parts


async def quotas_of(project: str, projects: Projects, usage: Usage, room: Room, catalog: Catalog) -> list[QuotaUse]:
    """What a project uses of the quotas that it has."""
    if not projects.exists(project):
        return []
    bounds, today = projects.quotas(project).as_dict(), usage.today(project)
    used: dict[str, float] = {"requests_per_day": today.requests, "cpu_seconds_per_day": today.cpu_seconds}
    if any(bounds[name] is not None for name in ("storage_mb", "databases", "buckets")):
        held = await room.holds(project)
        used |= {"storage_mb": held.storage_bytes / _MIB, "databases": held.databases, "buckets": held.buckets}
    if bounds["workers"] is not None:
        used["workers"] = len({each.worker for each in await catalog.workers(project)})
    limits = {name: bounds[name] for name in used}
    return [QuotaUse(name, round(used[name], 3), limit) for name, limit in limits.items() if limit is not None]
