"""Where keys of a project lie, for its people: the cache itself, and each KV namespace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.cache.kv import MAX_NAME_BYTES, NAMESPACE
from v8box.bindings.interface import BindingError

MAX_KEY_BYTES: Final = 4_096
"""Of a key that is looked at or made here. Workers may make longer ones: the server's bound is 512 MB."""
WHOLE_BYTES: Final = 1_048_576
"""What a value may have to be shown, and changed, as a whole."""
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SPECIAL: Final = re.compile(rb"([\\*?\[\]])")


class KeyNotFound(BindingError):
    """There is no such key, or it has expired."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__("cache_key_not_found", message or "there is no such key: it may have expired, look again")


class KeyExists(BindingError):
    """Something is there already."""

    def __init__(self, message: str) -> None:
        super().__init__("cache_key_exists", message)


class Changed(BindingError):
    """It is not what it was."""

    def __init__(self) -> None:
        super().__init__(
            "precondition_failed", "somebody has changed it meanwhile: look at what it is now, and change that"
        )


@dataclass(frozen=True, slots=True)
class Space:
    """`namespace` None: what workers keep by `cache` itself."""

    project: str
    namespace: str | None = None

    def __post_init__(self) -> None:
        if not _PROJECT.fullmatch(self.project):
            raise BindingError("ARGS_INVALID", "the project's name cannot name keys")
        if self.namespace is not None and not NAMESPACE.fullmatch(self.namespace):
            raise BindingError("ARGS_INVALID", "a namespace has 1 to 64 letters, digits, - and _")

    @property
    def base(self) -> bytes:
        """What the names of its keys begin with on the server."""
        return f"p:{self.project}:".encode() if self.namespace is None else self.index(b"v:")

    def index(self, which: bytes) -> bytes:
        """Something of the namespace beside its values: `i` the names in order, `e` by expiry."""
        return f"k:{self.project}:{self.namespace}:".encode() + which

    def key(self, key: bytes) -> bytes:
        """The key's name on the server. Raises `ARGS_INVALID`."""
        most = MAX_KEY_BYTES if self.namespace is None else MAX_NAME_BYTES
        if not 0 < len(key) <= most:
            raise BindingError("ARGS_INVALID", f"a key has 1 to {most} bytes")
        return self.base + key

    def pattern(self, prefix: bytes) -> bytes:
        """What SCAN matches to find the keys that begin so."""
        return self.base + _SPECIAL.sub(rb"\\\1", prefix) + b"*"


def check_size(limits: CacheLimits, *parts: bytes) -> int:
    """Bytes of what is about to be written. Raises `cache_value_too_large`."""
    size = sum(map(len, parts))
    if size > limits.command_bytes:
        raise BindingError("cache_value_too_large", f"a change may have {limits.command_bytes} bytes")
    return size
