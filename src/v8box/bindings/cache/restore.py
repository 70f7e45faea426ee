"""What a blocking command had taken when its caller left goes back where it came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from v8box.bindings.cache.interface import Command, Reply
from v8box.bindings.cache.options import word

MAX_PARTS: Final = 1_000  # elements of one command: a script can hand on some thousand arguments; even, for pairs

# BLMOVE and BRPOPLPUSH leave the element in their second list, XREADGROUP in the group's pending entries: there is
# nothing to put back.


def undo_of(name: str, parts: Sequence[str | bytes]) -> Callable[[Reply], list[Command]] | None:
    """Makes the commands that put a reply back; None for a command that takes nothing away. Keys are confined ones."""
    match name:
        case "blpop":
            return lambda reply: _push("LPUSH", reply, single=True)
        case "brpop":
            return lambda reply: _push("RPUSH", reply, single=True)
        case "blmpop":
            # BLMPOP timeout numkeys key… LEFT|RIGHT [COUNT n]
            left = any(word(part) == "left" for part in parts[-3:])
            return lambda reply: _push("LPUSH" if left else "RPUSH", reply, single=False)
        case "bzpopmin" | "bzpopmax":
            return lambda reply: _add(reply, single=True)
        case "bzmpop":
            return lambda reply: _add(reply, single=False)
    return None


def _push(command: str, reply: Any, *, single: bool) -> list[Command]:
    key, taken = reply
    values = [taken] if single else taken[::-1]  # the one taken last goes back first
    return [(command, key, *values[start : start + MAX_PARTS]) for start in range(0, len(values), MAX_PARTS)]


def _add(reply: Any, *, single: bool) -> list[Command]:
    """With NX: a member that was added anew meanwhile has the newer score."""
    if single:
        key, member, score = reply
        return [("ZADD", key, "NX", score, member)]
    key, pairs = reply
    parts = [part for member, score in pairs for part in (score, member)]
    return [("ZADD", key, "NX", *parts[start : start + MAX_PARTS]) for start in range(0, len(parts), MAX_PARTS)]
