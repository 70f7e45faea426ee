"""`/api/v1/box/notifications/…` and `/api/v1/projects/{project}/notifications/…`: the same routes for the box and for a
project, with the roles of each.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import (
    Page,
    Paged,
    answer,
    check_if_match,
    created,
    etag_of,
    no_content,
    router_v1,
    shows_secret,
    tagged,
)
from v8box.features.notifications.desk import Desk
from v8box.features.notifications.model import BOX, Alert, ChannelKind, Delivery, DeliveryState, Secrets
from v8box.features.notifications.schemas import (
    AlertInfo,
    ChannelChange,
    ChannelInfo,
    ChannelWithSecret,
    DeliveryInfo,
    EmailInfo,
    NewChannel,
    NewRule,
    Rotated,
    Rotation,
    RuleChange,
    RuleInfo,
    Silence,
    moment,
)
from v8box.features.notifications.service import Notifications

ChannelId = Annotated[str, Path(max_length=64, description="The channel's id.")]
RuleId = Annotated[str, Path(max_length=64, description="The rule's id.")]
AlertId = Annotated[str, Path(max_length=64, description="The alert's id.")]
DeliveryId = Annotated[str, Path(max_length=64, description="The delivery's id.")]
_TAG: Final = "notifications"


def _of_box() -> str:
    return BOX


def _of_project(project: str) -> str:
    return project


def build_routers(notifications: Notifications, desk: Desk) -> list[APIRouter]:
    """Those of the box, and those of projects."""
    return [
        _build(notifications, desk, box=True, base="/box/notifications"),
        _build(notifications, desk, box=False, base="/projects/{project}/notifications"),
    ]


def _build(notifications: Notifications, desk: Desk, *, box: bool, base: str) -> APIRouter:
    routes = router_v1(base, _TAG)
    store = notifications.store
    owner_of = Depends(_of_box if box else _of_project)
    reader = needs(Role.VIEWER, box=box)
    helper = needs(Role.DEVELOPER, Scope.DEPLOY, box=box)
    writer = needs(Role.ADMIN, Scope.ADMIN, box=box)
    whose = "box" if box else "project"

    def named(verb: str, what: str) -> str:
        return f"{verb}_{whose}_notification_{what}"

    def place(owner: str, *parts: str) -> str:
        return "/".join((base.replace("{project}", owner), *parts))

    # ---- channels

    @routes.get("/channels", response_model=Page[ChannelInfo], dependencies=[reader], name=named("list", "channels"))
    async def list_channels(page: Paged, owner: str = owner_of) -> Response:
        """The ways by which people are told, oldest first."""
        found = desk.channels(owner)
        return answer(page.page_of_all(found, lambda each: (each.created_at, each.id), ChannelInfo.of))

    @routes.post("/channels", response_model=ChannelWithSecret, status_code=201, name=named("create", "channel"))
    @shows_secret
    async def create_channel(body: NewChannel, who: Principal = writer, owner: str = owner_of) -> Response:
        """Makes a channel. Of a webhook the signing secret is in this answer and nowhere else. Try it with `…/test`."""
        fields: dict[str, Any] = {"name": body.name, "kind": body.kind, "enabled": body.enabled}
        fields["email"] = None if body.email is None else body.email.record()
        fields["quiet_hours"] = None if body.quiet_hours is None else body.quiet_hours.record()
        channel = await desk.create_channel(owner, fields, _secrets(body), who.actor)
        info = ChannelInfo.of(channel)
        secret = await desk.signing_secret(channel) if channel.kind is ChannelKind.WEBHOOK else None
        shown = ChannelWithSecret(**dict(info), signing_secret=secret)
        return created(shown, place(owner, "channels", channel.id), etag=etag_of(info))

    @routes.get(
        "/channels/{channel_id}", response_model=ChannelInfo, dependencies=[reader], name=named("show", "channel")
    )
    async def show_channel(request: Request, channel_id: ChannelId, owner: str = owner_of) -> Response:
        """One channel."""
        return tagged(request, ChannelInfo.of(desk.channel(owner, channel_id)))

    @routes.patch("/channels/{channel_id}", response_model=ChannelInfo, name=named("change", "channel"))
    async def change_channel(
        request: Request,
        channel_id: ChannelId,
        body: ChannelChange,
        who: Principal = writer,
        owner: str = owner_of,
    ) -> Response:
        """Changes a channel. Who turns it on again also takes the note away that said why it was off."""
        check_if_match(request, etag_of(ChannelInfo.of(desk.channel(owner, channel_id))))
        fields, secrets = _changes(body)
        info = ChannelInfo.of(await desk.change_channel(owner, channel_id, fields, secrets, who.actor))
        return answer(info, headers={"etag": etag_of(info)})

    @routes.post("/channels/{channel_id}/rotate", response_model=Rotated, name=named("rotate", "channel"))
    @shows_secret
    async def rotate_channel(
        channel_id: ChannelId, body: Rotation, who: Principal = writer, owner: str = owner_of
    ) -> Response:
        """Gives a webhook a new signing secret. For `overlap_seconds` messages have two signatures, so that the
        receiver can change over."""
        secret, until = await desk.rotate(owner, channel_id, body.overlap_seconds, who.actor)
        return answer(Rotated(signing_secret=secret, previous_valid_until=moment(until)))

    @routes.post("/channels/{channel_id}/test", response_model=DeliveryInfo, name=named("test", "channel"))
    async def test_channel(channel_id: ChannelId, who: Principal = writer, owner: str = owner_of) -> Response:
        """Sends a message at once, and tells how that went: `state` is `delivered` or `failed`."""
        return answer(shown(await desk.test(owner, channel_id, who.actor)))

    @routes.delete("/channels/{channel_id}", status_code=204, name=named("delete", "channel"))
    async def delete_channel(channel_id: ChannelId, who: Principal = writer, owner: str = owner_of) -> Response:
        """Deletes a channel that no rule sends to."""
        await desk.delete_channel(owner, channel_id, who.actor)
        return no_content()

    # ---- rules

    @routes.get("/rules", response_model=Page[RuleInfo], dependencies=[reader], name=named("list", "rules"))
    async def list_rules(page: Paged, owner: str = owner_of) -> Response:
        """What is watched, oldest first."""
        now = desk.now
        found = desk.rules(owner)
        return answer(page.page_of_all(found, lambda each: (each.created_at, each.id), lambda r: RuleInfo.of(r, now)))

    @routes.post("/rules", response_model=RuleInfo, status_code=201, name=named("create", "rule"))
    async def create_rule(body: NewRule, who: Principal = writer, owner: str = owner_of) -> Response:
        """Makes a rule. It is looked at from now on, every ten seconds."""
        info = RuleInfo.of(await desk.create_rule(owner, body.fields(), who.actor), desk.now)
        return created(info, place(owner, "rules", info.id), etag=etag_of(info))

    @routes.get("/rules/{rule_id}", response_model=RuleInfo, dependencies=[reader], name=named("show", "rule"))
    async def show_rule(request: Request, rule_id: RuleId, owner: str = owner_of) -> Response:
        """One rule."""
        return tagged(request, RuleInfo.of(desk.rule(owner, rule_id), desk.now))

    @routes.patch("/rules/{rule_id}", response_model=RuleInfo, name=named("change", "rule"))
    async def change_rule(
        request: Request, rule_id: RuleId, body: RuleChange, who: Principal = writer, owner: str = owner_of
    ) -> Response:
        """Changes a rule, or silences it for a while."""
        now = desk.now
        check_if_match(request, etag_of(RuleInfo.of(desk.rule(owner, rule_id), now)))
        info = RuleInfo.of(await desk.change_rule(owner, rule_id, body.fields(now), who.actor), now)
        return answer(info, headers={"etag": etag_of(info)})

    @routes.delete("/rules/{rule_id}", status_code=204, name=named("delete", "rule"))
    async def delete_rule(rule_id: RuleId, who: Principal = writer, owner: str = owner_of) -> Response:
        """Deletes a rule. What it has found is over; nobody is told."""
        await desk.delete_rule(owner, rule_id, who.actor)
        return no_content()

    # ---- alerts

    @routes.get("/alerts", response_model=Page[AlertInfo], dependencies=[reader], name=named("list", "alerts"))
    async def list_alerts(
        page: Paged,
        owner: str = owner_of,
        state: Annotated[Literal["firing", "all"], Query(description="`all`: also what is over.")] = "firing",
    ) -> Response:
        """What fires now, the newest first; or what ever did, as far as it is kept."""

        now = desk.now

        def position(alert: Alert) -> tuple[float, str]:
            return alert.fired_at, alert.id

        if state == "firing":
            found = notifications.alerts.open(owner)
            return answer(page.page_of_all(found, position, lambda alert: AlertInfo.of(alert, now), newest_first=True))
        last = page.after(float, str)
        before = None if last is None else (float(last[0]), str(last[1]))
        kept = await store.alerts(owner, limit=page.fetch, before=before, only_open=False)
        firing = {each.id: each for each in notifications.alerts.open(owner)}  # as they are now
        kept = [firing.get(each.id, each) for each in kept]
        return answer(page.page(kept, position, lambda alert: AlertInfo.of(alert, now)))

    @routes.get("/alerts/{alert_id}", response_model=AlertInfo, dependencies=[reader], name=named("show", "alert"))
    async def show_alert(alert_id: AlertId, owner: str = owner_of) -> Response:
        """One alert: one that fires as it is now, one that is over as it was at its end."""
        return answer(AlertInfo.of(await desk.alert(owner, alert_id), desk.now))

    @routes.post("/alerts/{alert_id}/acknowledge", response_model=AlertInfo, name=named("acknowledge", "alert"))
    async def acknowledge_alert(alert_id: AlertId, who: Principal = helper, owner: str = owner_of) -> Response:
        """Says that you look after it: there are no more reminders. When it is over, that is told."""
        return answer(AlertInfo.of(await desk.acknowledge(owner, alert_id, who.actor), desk.now))

    @routes.post("/alerts/{alert_id}/silence", response_model=AlertInfo, name=named("silence", "alert"))
    async def silence_alert(
        alert_id: AlertId, body: Silence, who: Principal = helper, owner: str = owner_of
    ) -> Response:
        """Nobody is told of it for some hours."""
        return answer(AlertInfo.of(await desk.silence(owner, alert_id, body.hours * 3_600, who.actor), desk.now))

    # ---- deliveries

    def shown(delivery: Delivery) -> DeliveryInfo:
        known = store.channels.get(delivery.channel)
        return DeliveryInfo.of(delivery, None if known is None else known.name)

    @routes.get(
        "/deliveries", response_model=Page[DeliveryInfo], dependencies=[reader], name=named("list", "deliveries")
    )
    async def list_deliveries(
        page: Paged,
        owner: str = owner_of,
        channel: Annotated[str | None, Query(max_length=64, description="Only of this channel, by its id.")] = None,
        state: Annotated[DeliveryState | None, Query(description="Only those that stand so.")] = None,
    ) -> Response:
        """What was sent, and how that went, the newest first. A thousand are kept, for 90 days."""
        last = page.after(float, str)
        before = None if last is None else (float(last[0]), str(last[1]))
        found = await store.deliveries(owner, limit=page.fetch, before=before, channel=channel, state=state)
        return answer(page.page(found, lambda each: (each.created_at, each.id), shown))

    @routes.post(
        "/deliveries/{delivery_id}/redeliver", response_model=DeliveryInfo, name=named("redeliver", "delivery")
    )
    async def redeliver(delivery_id: DeliveryId, who: Principal = helper, owner: str = owner_of) -> Response:
        """Sends a message once more, with the same id."""
        return answer(shown(await desk.redeliver(owner, delivery_id)))

    return routes


def _secrets(body: NewChannel) -> Secrets:
    password = body.email.password if body.email is not None else None
    return Secrets(
        url="" if body.url is None else body.url.get_secret_value(),
        password="" if password is None else password.get_secret_value(),
        signing="" if body.signing_secret is None else body.signing_secret.get_secret_value(),
    )


def _changes(body: ChannelChange) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changes of a channel, and of its secrets."""
    given = body.model_fields_set
    fields: dict[str, Any] = {
        each: getattr(body, each) for each in ("name", "enabled") if getattr(body, each) is not None
    }
    secrets: dict[str, Any] = {}
    if "quiet_hours" in given:
        fields["quiet_hours"] = None if body.quiet_hours is None else body.quiet_hours.record()
    if body.email is not None:
        fields["email"] = body.email.record()
        secrets |= _password(body.email)
    if body.url is not None:
        secrets["url"] = body.url.get_secret_value()
    return fields, secrets


def _password(email: EmailInfo) -> dict[str, Any]:
    """A password stays unless there is another one, or nobody to sign in as."""
    if email.password is not None:
        return {"password": email.password.get_secret_value()}
    return {} if email.username else {"password": ""}
