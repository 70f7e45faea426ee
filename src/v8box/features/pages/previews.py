"""Passwords of previews: kept as slow hashes, remembered for a while once they were right.

A browser sends the password with every request of a page, and checking a slow hash takes a tenth of a second. Who sends
wrong ones has to wait longer and longer; that is counted by client and preview, so that nobody locks out the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from v8box.api.auth.passwords import Verdict
from v8box.api.auth.throttle import address_key
from v8box.gateway.policies.refusals import Refused

_SECONDS: Final = 600.0
_MAX_REMEMBERED: Final = 1_000
_FREE_GUESSES: Final = 10
_LONGEST_WAIT: Final = 900.0
_FORGET_SECONDS: Final = 3_600.0
_MAX_GUESSERS: Final = 10_000


class TooManyGuesses(Refused):
    """Too many wrong passwords for this preview."""

    status = 429
    code = "too_many_guesses"

    def __init__(self, seconds: float) -> None:
        wait = max(1, int(seconds + 0.999))
        super().__init__(
            f"Too many wrong passwords for this preview. Try again in {wait} s.",
            headers=[(b"retry-after", b"%d" % wait), (b"cache-control", b"no-store")],
        )


class _Guesses(NamedTuple):
    wrong: int
    at: float


class PreviewPasswords:
    """`check` tells whether a password is the one of a slow hash, and takes its time."""

    def __init__(
        self, check: Callable[[str, str], Awaitable[Verdict]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check = check
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        """Keyed digests of what was right, and until when they count: never a password."""
        self._checking: dict[bytes, asyncio.Task[bool]] = {}
        self._guesses: OrderedDict[tuple[str, str], _Guesses] = OrderedDict()
        """By preview and client, how many were wrong, and when the last one was; the oldest in front."""

    async def verify(self, password: str, password_hash: str, client: str | None) -> bool:
        """Whether it is right. Raises `TooManyGuesses`."""
        digest = hashlib.blake2b(f"{password_hash}\n{password}".encode(), key=self._key).digest()
        if self._right.get(digest, 0.0) > self._clock():
            return True
        checking = self._checking.get(digest)
        if checking is None:  # a page's requests come at once, with the same password
            guesser = (password_hash, address_key(client))
            self._count(guesser)
            checking = asyncio.create_task(self._ask(digest, password, guesser), name="a preview's password")
            self._checking[digest] = checking
            checking.add_done_callback(lambda ended: self._end(digest, ended))
        return await asyncio.shield(checking)

    async def _ask(self, digest: bytes, password: str, guesser: tuple[str, str]) -> bool:
        if not (await self._check(guesser[0], password)).right:
            return False
        self._guesses.pop(guesser, None)
        self._right[digest] = self._clock() + _SECONDS
        while len(self._right) > _MAX_REMEMBERED:
            self._right.popitem(last=False)
        return True

    def _end(self, digest: bytes, checking: asyncio.Task[bool]) -> None:
        del self._checking[digest]
        if not checking.cancelled():
            checking.exception()  # whoever asked may be gone

    def _count(self, guesser: tuple[str, str]) -> None:
        """An attempt counts as wrong when it begins, so that many at once are no way around it."""
        now = self._clock()
        wrong, at = self._guesses.get(guesser, _Guesses(0, now))
        if now - at >= _FORGET_SECONDS:
            wrong = 0
        if wrong >= _FREE_GUESSES:
            wait = at + min(_LONGEST_WAIT, 2.0 ** min(wrong - _FREE_GUESSES, 30)) - now
            if wait > 0:
                raise TooManyGuesses(wait)
        self._guesses[guesser] = _Guesses(wrong + 1, now)
        self._guesses.move_to_end(guesser)
        while len(self._guesses) > _MAX_GUESSERS:
            self._guesses.popitem(last=False)
