"""What belongs together: errors of the same name from the same place, wherever in its function the line has moved to.

Without a stack the message says what an error is, less what changes from one to the next: numbers, ids, quoted values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from v8box.features.errors.stacks import Frame

TOP_FRAMES: Final = 5
MAX_MESSAGE: Final = 300
"""So much of a message counts."""

_VARIABLE: Final = re.compile(
    r"""
    (?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s"'<>]+)
  | (?P<email>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)
  | (?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)
  | (?P<value>"[^"\n]{0,200}"|`[^`\n]{0,200}`|(?<!\w)'[^'\n]{0,200}'(?!\w))
  | (?P<number>\b[0-9]+(?:[.,:][0-9]+)*\b)
  | (?P<hex>\b(?:0x[0-9a-f]+|(?=[a-f]*[0-9])[0-9a-f]{8,})\b)
  | (?P<id>\b(?=[a-z_-]*[0-9])[\w-]{12,}\b)
  | (?P<digits>[0-9]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPACE: Final = re.compile(r"\s+")


def normalise(message: str) -> str:
    """The message with `<number>` and the like for what changes from one time to the next."""
    text = _VARIABLE.sub(_word, message[:MAX_MESSAGE])
    return _SPACE.sub(" ", text).strip()


def _word(match: re.Match[str]) -> str:
    return "<number>" if match.lastgroup == "digits" else f"<{match.lastgroup}>"


def fingerprint(project: str, worker: str, name: str, message: str, frames: Sequence[Frame]) -> str:
    """16 hex digits; the same for errors that belong together."""
    top = [frame for frame in frames if frame.own][:TOP_FRAMES] or frames[:TOP_FRAMES]
    if top:
        what = [f"{frame.function} {frame.file}" for frame in top]
    else:
        what = [normalise(message)]
    return _digest(project, worker, name, *what)


def kill_fingerprint(project: str, worker: str, reason: str) -> str:
    """The same for a limit that a worker breaks."""
    return _digest(project, worker, "killed", reason)


def overflow_fingerprint(project: str, worker: str) -> str:
    """Of all the errors of a worker that are too many to be told apart."""
    return _digest(project, worker, "overflow")


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8, person=b"v8box error").hexdigest()
