"""Events on their way to one DSN, one after the other: what it asks for (rate limits), what it bears (a few tries, then
it is left alone for a while), and what came of it. What comes meanwhile is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from v8box.features.errors.sentry.events import Envelope, envelope_of
from v8box.kit.sentry_dsn import Dsn
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

MAX_HELD: Final = 100
TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 60.0
REFUSED_SECONDS: Final = 3_600.0
"""A DSN that is wrong is asked again after an hour: it may have been made valid."""
DEFAULT_LIMIT_SECONDS: Final = 60.0
_MAX_LIMIT_SECONDS: Final = 86_400.0
_GROUP: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*:([^:,]*)(?::[^,]*)?\s*")
_CATEGORIES: Final = frozenset({"error", "default", ""})


class ForwardingState(StrEnum):
    """How a DSN takes what it is sent."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"  # it asked for less; what comes until then is dropped
    UNREACHABLE = "unreachable"  # it is tried again, later and later
    REFUSED = "refused"  # it does not take this key, or there is no such project
    BLOCKED = "blocked"  # it is at no public address


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and the headers that matter."""

    status: int
    headers: Mapping[str, str]


class NotPublic(Exception):
    """The DSN's host is at an address that workers may not make the box reach."""


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[Answer]]
"""Sends a body to an address. Raises `OSError`, `TimeoutError`, `NotPublic`."""


class Lane:
    """One DSN. `whose` says in the log where it is set."""

    def __init__(self, dsn: Dsn, whose: str, post: Post, tasks: TaskSet, clock: Callable[[], float]) -> None:
        self.dsn = dsn
        self._whose = whose
        self._post = post
        self._tasks = tasks
        self._clock = clock
        self._held: deque[Mapping[str, Any]] = deque()
        self._sending = False
        self._until = 0.0
        """Nothing is sent before."""
        self._said = False
        self.state = ForwardingState.OK
        self.problem = ""
        self.sent = 0
        self.dropped = 0
        self.last_sent: float | None = None

    @property
    def idle(self) -> bool:
        return not self._sending and self._clock() >= self._until

    def offer(self, event: Mapping[str, Any]) -> None:
        """Sends it when it is its turn, or drops it."""
        if len(self._held) >= MAX_HELD or self._clock() < self._until:
            self.dropped += 1
            return
        self._held.append(event)
        if not self._sending:
            self._sending = True
            self._tasks.add(self._send(), "errors to Sentry")

    async def _send(self) -> None:
        """Until nothing is held. An event that cannot be sent after some tries is dropped, and with it those behind."""
        failures = 0
        try:
            while self._held:
                if self._clock() < self._until:
                    self._drop()
                elif (envelope := self._pack(self._held[0])) is None or await self._try(envelope):
                    failures = 0
                    self._held.popleft()
                elif self._clock() >= self._until:
                    failures += 1
                    if failures >= TRIES:
                        self._until = self._clock() + MAX_PAUSE_SECONDS
                        self._drop()
                    else:
                        await asyncio.sleep(_pause(failures))
        finally:
            self._sending = False

    def _pack(self, event: Mapping[str, Any]) -> Envelope | None:
        """None: it cannot be written, and must not keep those behind it."""
        try:
            return envelope_of(event, self.dsn)
        except Exception:
            self.dropped += 1
            logger.exception("an error cannot be written as an event")
            return None

    def _drop(self) -> None:
        self.dropped += len(self._held)
        self._held.clear()

    async def _try(self, envelope: Envelope) -> bool:
        """Whether the event is done with; if not, `_until` says whether there is a reason to wait."""
        try:
            answer = await self._post(self.dsn.envelope_url, envelope.body, envelope.headers)
        except NotPublic:
            self._refuse(
                ForwardingState.BLOCKED, "its host has no public address; V8BOX_SENTRY_PRIVATE=true allows others"
            )
            return False
        except (OSError, TimeoutError) as error:
            self._fail(ForwardingState.UNREACHABLE, f"it cannot be reached ({type(error).__name__})")
            return False
        limited = limit_of(answer, self._clock(), time.time())
        if limited:
            self._until = limited
        if answer.status == 429:
            self.state, self.problem = ForwardingState.RATE_LIMITED, "it asks for less"
            return False
        if 200 <= answer.status < 300:
            if self.state is not ForwardingState.OK and self._said:
                logger.info("errors reach Sentry at %s again (%s)", self.dsn.shown, self._whose)
            self.state, self.problem, self._said = ForwardingState.OK, "", False
            self.sent += 1
            self.last_sent = time.time()
            if limited:
                self.state, self.problem = ForwardingState.RATE_LIMITED, "it asks for less"
            return True
        if answer.status >= 500 or answer.status == 408:
            self._fail(ForwardingState.UNREACHABLE, f"it answers {answer.status}")
            return False
        if answer.status == 413:
            self.dropped += 1
            return True  # this one is too large for it; the next may not be
        why = "see that SENTRY_DSN is right" if answer.status in (401, 403, 404) else "it does not take the event"
        self._refuse(ForwardingState.REFUSED, f"it answers {answer.status}: {why}")
        return False

    def _fail(self, state: ForwardingState, problem: str) -> None:
        self.state, self.problem = state, problem
        self._say()

    def _refuse(self, state: ForwardingState, problem: str) -> None:
        self._until = self._clock() + REFUSED_SECONDS
        self._fail(state, problem)

    def _say(self) -> None:
        """Once, until it works again."""
        if not self._said:
            self._said = True
            logger.warning("errors do not reach Sentry at %s (%s): %s", self.dsn.shown, self._whose, self.problem)


def limit_of(answer: Answer, now: float, wall: float) -> float:
    """Until when no errors may be sent, by the clock of `now`; 0: there is no limit. `X-Sentry-Rate-Limits` lists
    `seconds:categories:scope…`, no category means all; else `Retry-After` counts, where the status is 429."""
    told = answer.headers.get("x-sentry-rate-limits")
    if told is not None:
        longest = 0.0
        for group in told.split(","):
            match = _GROUP.match(group)
            if match is not None and _CATEGORIES & {each.strip().lower() for each in match[2].split(";")}:
                longest = max(longest, min(float(match[1]), _MAX_LIMIT_SECONDS))
        return now + longest if longest else (now + DEFAULT_LIMIT_SECONDS if answer.status == 429 else 0.0)
    if answer.status != 429:
        return 0.0
    return now + _retry_after(answer.headers.get("retry-after"), wall)


def _retry_after(value: str | None, wall: float) -> float:
    """Seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return DEFAULT_LIMIT_SECONDS
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _MAX_LIMIT_SECONDS)
    try:
        at = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return DEFAULT_LIMIT_SECONDS
    return min(max(at - wall, 0.0), _MAX_LIMIT_SECONDS)


def _pause(failures: int) -> float:
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1), MAX_PAUSE_SECONDS)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - so that many boxes do not come at once
