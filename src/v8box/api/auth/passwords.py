"""Passwords: hashed with argon2id in threads of their own, checked, made up; and which ones are taken.

One hash takes 64 MiB and a tenth of a second. So at most two are at work, a few wait, and the next is refused: a flood
of sign-ins costs the box neither its memory nor its loop.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from v8box.errors import BadRequest, V8BoxError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 1_024
_AT_ONCE: Final = 2
_WAITING: Final = 32
_DISTINCT: Final = 5
_GROUPS: Final = 5
_GROUP_LENGTH: Final = 4
_READABLE: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No character of these is taken for another one. 20 of them are 99 bits."""


class TooManySignIns(V8BoxError):
    """Too many sign-ins at once. Try again shortly."""

    status = 503
    code = "too_many_sign_ins"


class WeakPassword(BadRequest):
    """The password is too easy to guess."""

    code = "weak_password"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right; `fresh_hash` replaces one that was made with other parameters."""

    right: bool
    fresh_hash: str | None = None


class Passwords:
    """Hashes and checks. `stop` it when it is no longer needed."""

    def __init__(self, hasher: Callable[[], PasswordHasher] | None = None) -> None:
        self._make = hasher or _default_hasher
        self._hasher: PasswordHasher | None = None
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="passwords")
        self._pending = 0

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        return await self._run(lambda hasher: hasher.hash(_normal(password)))

    async def check(self, password_hash: str | None, password: str) -> Verdict:
        """None, where there is nobody to check: that takes as long, and is never right."""
        return await self._run(lambda hasher: _check(hasher, password_hash, password))

    async def _run(self, work: Callable[[PasswordHasher], T]) -> T:
        if self._pending >= _AT_ONCE + _WAITING:
            raise TooManySignIns
        self._pending += 1

        def run() -> T:
            if self._hasher is None:
                self._hasher = self._make()
            return work(self._hasher)

        running = asyncio.get_running_loop().run_in_executor(self._threads, run)
        running.add_done_callback(self._finish)
        return await asyncio.shield(running)  # one that has begun uses its memory to the end, whoever left

    def _finish(self, running: asyncio.Future[Any]) -> None:
        self._pending -= 1
        if not running.cancelled():
            running.exception()  # whoever asked may be gone


def check_strength(password: str, user: str) -> None:
    """Raises `WeakPassword`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters: a sentence is a good one.")
    if len(set(password)) < _DISTINCT or password.casefold().strip() == user:
        raise WeakPassword("This password would be among the first that somebody tries.")


def make_password() -> str:
    """A random one that can be read and typed."""
    groups = ("".join(secrets.choice(_READABLE) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def _default_hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # not needed at every start of a box

    return PasswordHasher()  # RFC 9106's second choice: argon2id, 64 MiB, 3 passes, 4 lanes


def _check(hasher: PasswordHasher, password_hash: str | None, password: str) -> Verdict:
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        hasher.verify(password_hash or _nobodys_hash(hasher), _normal(password))
    except (Argon2Error, InvalidHashError):
        return Verdict(False)
    if password_hash is None:
        return Verdict(False)
    fresh = hasher.hash(_normal(password)) if hasher.check_needs_rehash(password_hash) else None
    return Verdict(True, fresh)


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """One that no password has, with the parameters of all others, so that it is as much work."""
    salt, digest = (_base64(secrets.token_bytes(length)) for length in (hasher.salt_len, hasher.hash_len))
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _normal(password: str) -> bytes:
    """The same characters are the same password, however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
