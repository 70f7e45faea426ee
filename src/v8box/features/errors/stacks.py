"""Frames of a stack in the form that V8 writes and the box maps: `    at f (functions/hello.ts:5:3)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_CALL: Final = re.compile(r"^(?P<function>.*) \((?P<place>[^()]*)\)$")
_PLACE: Final = re.compile(r"^(?P<file>.+?):(?P<line>\d{1,9}):(?P<column>\d{1,9})$")
_FOREIGN: Final = re.compile(r"^[a-z][a-z0-9+.-]*:|(^|/)node_modules/", re.IGNORECASE)
_BUNDLE: Final = "(bundle)"
"""What a frame is in whose place is not mapped."""
_MAX_FUNCTION: Final = 200
_MAX_FILE: Final = 500


@dataclass(frozen=True, slots=True)
class Frame:
    """One call, the innermost first. `own`: in a file of the user's, not in a package's or the language's."""

    function: str
    file: str
    line: int = 0
    column: int = 0
    own: bool = False


def read_frames(stack: str) -> tuple[Frame, ...]:
    """Lines that are no frame are left out."""
    found = (_read(line.strip()) for line in stack.split("\n"))
    return tuple(frame for frame in found if frame is not None)


def _read(line: str) -> Frame | None:
    if not line.startswith("at "):
        return None
    call = _CALL.match(line[3:])
    function, place = (call["function"], call["place"]) if call else ("", line[3:])
    function = function.removeprefix("async ")
    place = place.removeprefix("async ")
    at = _PLACE.match(place)
    if at is None:
        return Frame(function[:_MAX_FUNCTION], place[:_MAX_FILE])
    file = at["file"][:_MAX_FILE]
    if file.startswith("blob:"):
        file = _BUNDLE  # its address is another in each process
    return Frame(function[:_MAX_FUNCTION], file, int(at["line"]), int(at["column"]), is_own(file))


def is_own(file: str) -> bool:
    """Whether it is a file of the user's, by its name."""
    return bool(file) and file != _BUNDLE and _FOREIGN.search(file) is None


def top_of(frames: Sequence[Frame]) -> Frame | None:
    """Where it was thrown: the innermost frame of the user's own, else of anybody's that has a line."""
    own = next((frame for frame in frames if frame.own), None)
    return own or next((frame for frame in frames if frame.line), None)
