"""Brings deliveries to their channels: what is due now, each channel's in order, again later when it did not work.

Between tries lie 5 s, 30 s, 2 min, 10 min and an hour, or as long as the other side asks for. A channel that took
nothing for days is turned off, with a note that says so.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from v8box.errors import V8BoxError
from v8box.features.notifications.model import (
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
)
from v8box.features.notifications.senders.interface import Outcome, Parcel, Sender
from v8box.features.notifications.store import Store
from v8box.kit.times import rfc3339

BACKOFF_SECONDS: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0)
MAX_TRIES: Final = len(BACKOFF_SECONDS) + 1
_AT_ONCE: Final = 8
_TAKEN: Final = 100
_IDLE_SECONDS: Final = 60.0
_LOST_SECONDS: Final = 5.0
_MAX_ATTEMPTS_KEPT: Final = 12
_log: Final = logging.getLogger(__name__)


class Outbox:
    """`run` it; `wake` it when something was put in."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[ChannelKind, Sender],
        *,
        disable_seconds: float,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311 - spreads retries
    ) -> None:
        self._store = store
        self._senders = senders
        self._disable_seconds = disable_seconds
        self._clock = clock
        self._jitter = jitter
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A database that cannot be written is tried again."""
        while True:
            self._woken.clear()
            try:
                wait = await self.turn()
            except V8BoxError as error:
                _log.warning("notifications could not be sent: %s", error)
                wait = _LOST_SECONDS
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def turn(self) -> float:
        """Sends what is due; gives the seconds until something is due again."""
        due, following = await self._store.due(_TAKEN)
        by_channel: dict[str, list[Delivery]] = {}
        for delivery in due:
            by_channel.setdefault(delivery.channel, []).append(delivery)
        places = asyncio.Semaphore(_AT_ONCE)

        async def serve(deliveries: Sequence[Delivery]) -> None:
            async with places:
                await self._serve(deliveries)

        await asyncio.gather(*(serve(each) for each in by_channel.values()))
        if due:
            _, following = await self._store.due(0)
        if following is None:
            return _IDLE_SECONDS
        return min(max(0.0, following - self._clock()), _IDLE_SECONDS)

    async def _serve(self, deliveries: Sequence[Delivery]) -> None:
        """One channel's, in order. After one that has to wait, the others wait as long."""
        later: float | None = None
        for delivery in deliveries:
            if later is not None:
                await self._store.put_delivery(msgspec.structs.replace(delivery, next_at=later))
                continue
            tried = await self.attempt(delivery)
            if tried.state is DeliveryState.PENDING:
                later = tried.next_at

    async def attempt(self, delivery: Delivery, *, once: bool = False) -> Delivery:
        """One try, and what comes of it. `once`: there is no other."""
        channel = self._store.channels.get(delivery.channel)
        started = time.perf_counter()
        outcome = await self._send(channel, delivery, even_off=once)
        latency = round((time.perf_counter() - started) * 1000, 1)
        now = self._clock()
        attempt = Attempt(at=now, latency_ms=latency, status=outcome.status, error=outcome.error)
        attempts = (*delivery.attempts, attempt)[-_MAX_ATTEMPTS_KEPT:]
        tried = msgspec.structs.replace(delivery, attempts=attempts)
        if outcome.delivered:
            tried = msgspec.structs.replace(tried, state=DeliveryState.DELIVERED, ended_at=now)
        elif once or outcome.final or outcome.gone or len(attempts) >= MAX_TRIES:
            tried = msgspec.structs.replace(tried, state=DeliveryState.FAILED, ended_at=now)
        else:
            wait = BACKOFF_SECONDS[len(attempts) - 1] * self._jitter()
            tried = msgspec.structs.replace(tried, next_at=now + max(wait, outcome.retry_after or 0.0))
        await self._store.put_delivery(tried)
        if channel is not None:
            await self._store.note_channel(channel.id, lambda known: self._noted(known, tried, outcome, now, once))
        return tried

    async def _send(self, channel: Channel | None, delivery: Delivery, *, even_off: bool) -> Outcome:
        if channel is None:
            return Outcome(error="the channel was deleted", final=True)
        if not channel.enabled and not even_off:
            return Outcome(error="the channel is turned off", final=True)
        try:
            secrets = await self._store.secrets(channel)
            parcel = Parcel(
                id=delivery.id, channel=channel, secrets=secrets, message=delivery.message, now=self._clock()
            )
            return await self._senders[channel.kind].send(parcel)
        except KeyError:
            return Outcome(error="the channel was deleted", final=True)
        except Exception as error:  # a fault of ours must not stop the others' messages; its text may hold a secret
            _log.error("sending through the notification channel %s failed: %s", channel.id, type(error).__name__)
            return Outcome(error=f"it failed inside the box: {type(error).__name__}")

    def _noted(self, channel: Channel, tried: Delivery, outcome: Outcome, now: float, once: bool) -> Channel:
        """How long the channel has taken nothing; when that is too long, it is turned off."""
        since = channel.failing_since
        if outcome.delivered:
            return msgspec.structs.replace(channel, failing_since=None)
        if once or not channel.enabled:
            return channel
        dead = tried.state is DeliveryState.FAILED and since is not None and now - since >= self._disable_seconds
        if not outcome.gone and not dead:
            return channel if since is not None else msgspec.structs.replace(channel, failing_since=now)
        why = "the other side wants no more" if outcome.gone else f"nothing was delivered since {rfc3339(since or now)}"
        note = f"Turned off at {rfc3339(now)}: {why} ({outcome.error}). Mend it, test it, and turn it on again."
        _log.warning("the notification channel %s (%s) was turned off: %s", channel.name, channel.id, why)
        return msgspec.structs.replace(channel, enabled=False, note=note, failing_since=since or now)
