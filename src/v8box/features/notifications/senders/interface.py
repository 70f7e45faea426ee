"""What a sender is: it tries once to bring a message through a channel, and says how that went. It never raises for
what the other side does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from v8box.features.notifications.model import Channel, Message, Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a try went. `status` is HTTP's or SMTP's; None: there was no answer."""

    status: int | None = None
    error: str = ""
    """Empty: it was delivered. Never with a secret in it."""
    final: bool = False
    """To try again is of no use."""
    gone: bool = False
    """The other side wants no more, ever."""
    retry_after: float | None = None
    """Seconds that the other side asks for."""

    @property
    def delivered(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One try of a delivery. `id` is the same at each try, so that who gets it twice can tell."""

    id: str
    channel: Channel
    secrets: Secrets
    message: Message
    now: float


class Sender(Protocol):
    """One for each kind of channel."""

    async def send(self, parcel: Parcel) -> Outcome: ...


class LazySender:
    """A sender that is built when there is first something to send."""

    def __init__(self, build: Callable[[], Sender]) -> None:
        self._build = build
        self._sender: Sender | None = None

    async def send(self, parcel: Parcel) -> Outcome:
        if self._sender is None:
            self._sender = self._build()
        return await self._sender.send(parcel)
