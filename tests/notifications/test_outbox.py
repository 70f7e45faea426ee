"""Deliveries: tried again later and later, as late as the other side asks for, given up in the end; dead channels."""

from __future__ import annotations

import asyncio

import pytest
from tests.notifications.conftest import ADA, World

from v8box.features.notifications.model import Channel, Delivery, DeliveryState, Message, MessageType, Severity
from v8box.features.notifications.outbox import BACKOFF_SECONDS
from v8box.features.notifications.senders.interface import Outcome, Parcel

DOWN = Outcome(error="it cannot be reached: Connection refused")
DAY = 86_400.0


async def put(world: World, channel: Channel, title: str = "x") -> Delivery:
    message = Message(
        type=MessageType.FIRING,
        title=title,
        text="",
        severity=Severity.WARNING,
        project=channel.project,
        since=world.now,
        at=world.now,
    )
    delivery = world.store.delivery(channel, message)
    await world.store.put_delivery(delivery)
    return delivery


async def found(world: World, delivery: Delivery) -> Delivery:
    kept = await world.store.find_delivery(delivery.project, delivery.id)
    assert kept is not None
    return kept


async def test_it_is_tried_again_later_and_later_and_then_given_up(world: World) -> None:
    delivery = await put(world, await world.channel())
    world.sender.outcomes = [DOWN] * 10
    for seconds in BACKOFF_SECONDS:
        assert await world.outbox.turn() == min(seconds, 60.0)
        world.now += seconds - 0.5
        await world.outbox.turn()
        tried = len(world.sender.parcels)
        world.now += 0.5
    await world.outbox.turn()
    assert len(world.sender.parcels) == tried + 1 == 6
    kept = await found(world, delivery)
    assert (kept.state, len(kept.attempts)) == (DeliveryState.FAILED, 6)
    assert {each.error for each in kept.attempts} == {DOWN.error}
    assert {parcel.id for parcel in world.sender.parcels} == {delivery.id}


async def test_it_waits_as_long_as_the_other_side_asks(world: World) -> None:
    await put(world, await world.channel())
    world.sender.outcomes = [Outcome(status=429, error="HTTP 429", retry_after=47.0)]
    await world.outbox.turn()
    world.now += 46.0
    await world.outbox.turn()
    assert len(world.sender.parcels) == 1
    world.now += 1.0
    await world.outbox.turn()
    assert len(world.sender.parcels) == 2


async def test_what_is_refused_for_good_is_not_tried_again(world: World) -> None:
    delivery = await put(world, await world.channel())
    world.sender.outcomes = [Outcome(status=404, error="HTTP 404: no_service", final=True)]
    await world.outbox.turn()
    kept = await found(world, delivery)
    assert (kept.state, kept.attempts[0].status, kept.attempts[0].error) == ("failed", 404, "HTTP 404: no_service")


async def test_the_order_is_kept_and_one_channel_does_not_hold_up_another(world: World) -> None:
    slow, other = await world.channel(), await world.channel(name="other")
    for title in ("first", "second", "third"):
        await put(world, slow, title)
        world.now += 0.001
    world.sender.outcomes = [DOWN]
    await world.outbox.turn()
    await put(world, other, "elsewhere")
    await world.outbox.turn()
    world.now += BACKOFF_SECONDS[0]
    await world.outbox.turn()
    titles = [parcel.message.title for parcel in world.sender.parcels]
    assert titles == ["first", "elsewhere", "first", "second", "third"]


async def test_a_channel_that_takes_nothing_for_days_is_turned_off_and_says_why(world: World) -> None:
    channel = await world.channel()
    world.sender.outcomes = [Outcome(status=500, error="HTTP 500")] * 200
    for _ in range(6):
        assert world.store.channels[channel.id].enabled
        await put(world, channel)
        for seconds in (0.0, *BACKOFF_SECONDS):
            world.now += seconds
            await world.outbox.turn()
        world.now += DAY
    off = world.store.channels[channel.id]
    assert not off.enabled
    assert "nothing was delivered since" in off.note
    assert "HTTP 500" in off.note
    world.sender.outcomes = []
    delivery = await put(world, channel)
    await world.outbox.turn()
    assert (await found(world, delivery)).attempts[-1].error == "the channel is turned off"
    on = await world.desk.change_channel("default", channel.id, {"enabled": True}, {}, ADA)
    assert (on.note, on.failing_since) == ("", None)


async def test_one_delivery_makes_a_failing_channel_well(world: World) -> None:
    channel = await world.channel()
    await put(world, channel)
    world.sender.outcomes = [DOWN]
    await world.outbox.turn()
    assert world.store.channels[channel.id].failing_since == world.now
    world.now += BACKOFF_SECONDS[0]
    await world.outbox.turn()
    assert world.store.channels[channel.id].failing_since is None


async def test_one_that_wants_no_more_is_turned_off_at_once(world: World) -> None:
    channel = await world.channel()
    await put(world, channel)
    world.sender.outcomes = [Outcome(status=410, error="HTTP 410", final=True, gone=True)]
    await world.outbox.turn()
    assert "wants no more" in world.store.channels[channel.id].note
    assert not world.store.channels[channel.id].enabled


async def test_a_change_by_hand_and_a_note_of_the_box_do_not_undo_each_other(world: World) -> None:
    channel = await world.channel()
    await put(world, channel)
    world.sender.outcomes = [DOWN]
    await asyncio.gather(
        world.outbox.turn(), world.desk.change_channel("default", channel.id, {"name": "people"}, {}, ADA)
    )
    kept = world.store.channels[channel.id]
    assert (kept.name, kept.failing_since) == ("people", world.now)
    await world.open()
    assert world.store.channels[channel.id] == kept


async def test_what_waits_for_a_channel_that_is_deleted_ends_with_it(world: World) -> None:
    channel = await world.channel()
    delivery = await put(world, channel)
    await world.desk.delete_channel("default", channel.id, ADA)
    await world.outbox.turn()
    assert (await found(world, delivery)).state is DeliveryState.FAILED
    assert world.sender.parcels == []


async def test_a_fault_of_a_senders_is_an_attempt_without_its_text(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_(parcel: Parcel) -> Outcome:
        raise ValueError(f"bad address {parcel.secrets.url}")

    world.sender.send = break_  # type: ignore[method-assign]
    delivery = await put(world, await world.channel())
    await world.outbox.turn()
    kept = await found(world, delivery)
    assert (kept.state, kept.attempts[0].error) == ("pending", "it failed inside the box: ValueError")
    assert "S3CRET" not in caplog.text


async def test_the_log_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.features.notifications.store.MOST_KEPT", 5)
    channel = await world.channel()
    for number in range(12):
        world.now += 1
        await put(world, channel, str(number))
        await world.outbox.turn()
    kept = await world.store.deliveries("default", limit=100, before=None, channel=None, state=None)
    assert [each.message.title for each in kept] == ["11", "10", "9", "8", "7"]
    world.now += 91 * DAY
    await put(world, channel, "new")
    await world.outbox.turn()
    kept = await world.store.deliveries("default", limit=100, before=None, channel=None, state=None)
    assert [each.message.title for each in kept] == ["new"]


async def test_it_runs_until_it_is_cancelled_and_is_woken(world: World) -> None:
    running = asyncio.create_task(world.outbox.run())
    arrived = asyncio.Event()
    send = world.sender.send

    async def tell(parcel: Parcel) -> Outcome:
        arrived.set()
        return await send(parcel)

    world.sender.send = tell  # type: ignore[method-assign]
    await put(world, await world.channel())
    world.outbox.wake()
    async with asyncio.timeout(60):
        await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
