"""Passwords of previews: kept as slow hashes, remembered for a while once they were right.

A browser sends the password with every request of a page, and checking a slow hash takes a tenth of a second.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from v8box.api.auth.passwords import Verdict

_SECONDS: Final = 600.0
_MAX_REMEMBERED: Final = 1_000


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

    async def verify(self, password: str, password_hash: str) -> bool:
        """Whether it is right."""
        digest = hashlib.blake2b(f"{password_hash}\n{password}".encode(), key=self._key).digest()
        now = self._clock()
        if self._right.get(digest, 0.0) > now:
            return True
        if not (await self._check(password_hash, password)).right:
            return False
        self._right[digest] = now + _SECONDS
        while len(self._right) > _MAX_REMEMBERED:
            self._right.popitem(last=False)
        return True
