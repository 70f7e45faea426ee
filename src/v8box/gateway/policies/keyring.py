"""The API keys of the box, in memory, so that a request waits for no disk. Where they are kept is `features/api_keys`.

A key's text is `v8b_live_<id>_<secret><checksum>`: 16 hex digits that name it, then what `kit.bearers` makes. Known is
a hash only, compared in constant time. While a key is rotated two secrets are valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from hmac import compare_digest
from time import time
from typing import Final

from v8box.catalog.policies import RateLimit
from v8box.gateway.policies.addresses import AddressList
from v8box.gateway.policies.refusals import KeyExpired, KeyInvalid, KeyScope
from v8box.kit.bearers import is_whole

PREFIX: Final = "v8b_live_"
_ID_LENGTH: Final = 16
_ID_AT: Final = len(PREFIX)
_SECRET_AT: Final = _ID_AT + _ID_LENGTH + 1
_TEXT_LENGTH: Final = _SECRET_AT + 49
USED_SECONDS: Final = 60.0
"""How exact the time of a key's last use is."""
_MAX_REMEMBERED: Final = 1024
_UP: Final = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)|\\", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key and what it opens. Times are Unix times in seconds. Empty scopes open everything of the project."""

    id: str
    project: str
    name: str
    workers: tuple[str, ...] = ()
    """Names, or patterns of them: `shop-*`."""
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Beginnings of the path as the worker sees it, by whole segments: `/v1` is `/v1` and `/v1/…`."""
    environments: tuple[str, ...] = ()
    allow_ips: tuple[str, ...] = ()
    rate_limit: RateLimit | None = None
    created_at: float = 0.0
    created_by: str = ""
    expires_at: float | None = None
    used_at: float | None = None
    secret_hash: bytes = field(default=b"", repr=False)
    previous_hash: bytes | None = field(default=None, repr=False)
    previous_until: float = 0.0


class _Held:
    """A key, and what was worked out about it."""

    __slots__ = ("addresses", "is_narrow", "key", "opens", "text", "used_at")

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.text = ""
        """The text that was right before, for as long as the box runs: hashing it again costs more than all the rest of
        the policies, and a request that has it brings it into memory anyway."""
        self.addresses = AddressList(key.allow_ips) if key.allow_ips else None
        self.opens: dict[tuple[str, str], bool] = {}
        self.used_at = key.used_at or 0.0
        self.is_narrow = bool(key.methods or key.paths or key.allow_ips)

    def look(self, place: tuple[str, str]) -> bool:
        """Whether the key opens this worker in this environment; remembered in `opens`, within a bound."""
        if len(self.opens) >= _MAX_REMEMBERED:
            self.opens.clear()
        worker, environment = place
        found = _named(self.key.workers, worker) and _named(self.key.environments, environment)
        self.opens[place] = found
        return found


class Keyring:
    """All keys by id."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._held = {key.id + "_": _Held(key) for key in keys}
        self._used: dict[str, float] = {}

    # ---- what is there

    def put(self, key: ApiKey) -> None:
        """Adds a key, or changes it; from the next request on."""
        self._held[key.id + "_"] = _Held(key)

    def remove(self, key_id: str) -> None:
        self._held.pop(key_id + "_", None)
        self._used.pop(key_id, None)

    def get(self, project: str, key_id: str) -> ApiKey | None:
        held = self._held.get(key_id + "_")
        return None if held is None or held.key.project != project else held.key

    def of(self, project: str) -> Sequence[ApiKey]:
        """The project's keys, oldest first."""
        return [held.key for held in self._held.values() if held.key.project == project]

    def last_used(self, key: ApiKey) -> float | None:
        held = self._held.get(key.id + "_")
        return (held.used_at if held else key.used_at) or None

    def take_used(self) -> Mapping[str, float]:
        """The last uses since this was asked before."""
        used, self._used = self._used, {}
        return used

    # ---- requests

    def verify(self, text: str, now: float | None = None) -> ApiKey:
        """The valid key with this text. Raises `KeyInvalid`, `KeyExpired`. Notes that it was used."""
        return self._verify(text, time() if now is None else now).key

    def open(self, text: str, project: str, place: tuple[str, str], method: str, path: str, ip: str) -> ApiKey:
        """The key with this text, if it opens this worker in this environment (`place`). Raises `KeyInvalid`,
        `KeyExpired`, `KeyScope`."""
        held = self._verify(text, time())
        key = held.key
        if key.project != project:
            raise KeyInvalid  # whether there is such a key elsewhere is nobody's business here
        opens = held.opens.get(place)
        if opens is None:
            opens = held.look(place)
        if not opens:
            raise KeyScope("The API key does not open this worker here.")
        if held.is_narrow:
            if key.methods and method not in key.methods:
                raise KeyScope(f"The API key does not open the method {method}.")
            if key.paths and not _begins(path, key.paths):
                raise KeyScope("The API key does not open this path.")
            if held.addresses is not None and ip not in held.addresses:
                raise KeyScope("The API key is not for your address.")
        return key

    def _verify(self, text: str, now: float) -> _Held:
        # The id ends with the underscore that must be there, so that slicing is all the parsing there is.
        held = self._held.get(text[_ID_AT:_SECRET_AT]) if len(text) == _TEXT_LENGTH else None
        if held is None or not text.startswith(PREFIX):
            raise KeyInvalid(None if looks_like_key(text) else "This is no API key of a V8Box, or it is not complete.")
        key = held.key
        if not (text.isascii() and compare_digest(held.text, text)):
            given = sha256(text[_SECRET_AT:].encode("utf-8", "replace")).digest()
            if compare_digest(key.secret_hash, given):
                held.text = text
            elif not _was(key, given, now):
                raise KeyInvalid(None if is_whole(text[_SECRET_AT:]) else "The API key is mistyped.")
        if key.expires_at is not None and now >= key.expires_at:
            raise KeyExpired
        if now - held.used_at >= USED_SECONDS:
            held.used_at = self._used[key.id] = now
        return held


def looks_like_key(text: str) -> bool:
    """Whether somebody meant this for an API key of the box."""
    return len(text) == _TEXT_LENGTH and text.startswith(PREFIX) and is_whole(text[_SECRET_AT:])


def _was(key: ApiKey, given: bytes, now: float) -> bool:
    """Whether it is the secret of before a rotation, while that is good."""
    return key.previous_hash is not None and now < key.previous_until and compare_digest(key.previous_hash, given)


def _named(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _begins(path: str, beginnings: Sequence[str]) -> bool:
    """By whole segments. A path that could mean another once it is resolved (`/v1/../admin`) begins with nothing."""
    if _UP.search(path) is not None:
        return False
    for beginning in beginnings:
        if path.startswith(beginning):
            rest = path[len(beginning) :]
            if not rest or rest[0] in "/?" or beginning.endswith("/"):
                return True
    return False
