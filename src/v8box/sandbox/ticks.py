"""What V8's tick log says: where a process was, a thousand times a second, even while it spins and answers nobody.

A process started with `FLAGS` writes the log to its standard output as it goes: which code lies where, and for each
tick the addresses on its stack. `TickLog` reads it as it comes; `Recording` turns addresses into functions and places.
The process is hostile, so whatever is not as it should be is left out, and nothing grows without bound.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FLAGS: Final = "--prof,--logfile=-,--no-logfile-per-isolate,--prof-sampling-interval={}"
"""For `--v8-flags`; the microseconds between ticks."""

_MAX_LINE: Final = 8 * 1024 * 1024
"""A longer line (the text of a huge script) is left out."""
_MAX_CODES: Final = 50_000
_MAX_TICKS: Final = 120_000
_MAX_DEPTH: Final = 200
_MAX_SCRIPTS: Final = 8
_LAST: Final = 25
"""Ticks before an end in which it is looked where the code was."""

_LOG_LINE: Final = re.compile(rb"[a-z][a-z0-9-]{1,40},|shared-library-end\r?\Z")
_JS: Final = frozenset({b"JS", b"Eval", b"Script", b"Function", b"LazyCompile"})
_NAMED: Final = re.compile(r"(?P<name>.*?) ?(?P<url>[^ ]*):(?P<line>[0-9]{1,9}):(?P<column>[0-9]{1,9})", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:n|\\|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})")
_STEP: Final = re.compile(rb"C([0-9]+)O([0-9]+)(?:I([0-9]+))?")
_INLINED: Final = re.compile(rb"F([0-9]+)O([0-9]+)(?:I([0-9]+))?")
_FUNCTION: Final = re.compile(rb"S(0x[0-9a-f]+)")

GC_STATE: Final = 1


class Function(NamedTuple):
    """A function of the program. Lines and columns count from 0, as in a source map."""

    name: str
    url: str
    line: int
    column: int
    script: int = 0


class Frame(NamedTuple):
    """A function on the stack, and the line it was at."""

    function: Function
    line: int
    column: int


@dataclass(slots=True, eq=False)
class _Code:
    """Code that lies somewhere. `table`: its offsets and their places in the source, as the log has them."""

    start: int
    size: int
    function: Function | None
    script: int = 0
    table: bytes = b""
    inlined: bytes = b""
    functions: bytes = b""
    steps: tuple[list[int], list[tuple[int, int]]] | None = field(default=None)


_Address = tuple[_Code, int]
_Tick = tuple[int, int, tuple[_Address, ...]]


class TickLog:
    """Reads the log of one process. `feed` gives back what is none of it; ticks are kept from `record` on."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False
        self._starts: list[int] = []
        self._codes: list[_Code] = []
        self._functions: dict[bytes, Function] = {}
        self._by_sfi: dict[int, Function] = {}
        self._scripts: dict[int, bytes] = {}
        self._last: deque[_Tick] = deque(maxlen=_LAST)
        self._ticks: list[_Tick] | None = None

    def record(self) -> None:
        """Keeps ticks from now on."""
        self._ticks = []

    def recording(self) -> Recording:
        """What was kept since `record`."""
        return Recording(tuple(self._ticks or ()), dict(self._scripts), dict(self._by_sfi))

    def last_stack(self) -> str:
        """Where the code was at last, as V8 writes a stack: the newest of the last ticks in a worker's code."""
        recording = Recording(tuple(self._last), self._scripts, self._by_sfi)
        for frames in reversed([frames for _, _, frames in recording.samples()]):
            if any(frame.function.url.startswith("blob:") for frame in frames):
                return "\n".join(
                    f"    at {frame.function.name or '<anonymous>'} "
                    f"({frame.function.url}:{frame.line + 1}:{frame.column + 1})"
                    for frame in frames
                )
        return ""

    def feed(self, data: bytes) -> bytes:
        """Takes what the process printed; gives back the lines that are none of the log's."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _MAX_LINE:
            self._rest, self._skipping = b"", True
        other = []
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif _LOG_LINE.match(line):
                try:
                    self._read(line)
                except (ValueError, IndexError):
                    continue
            elif line:
                other.append(line)
        return b"\n".join(other)

    def _read(self, line: bytes) -> None:
        if line.startswith(b"tick,"):
            self._on_tick(line.split(b","))
        elif line.startswith(b"code-creation,"):
            self._on_code(line.split(b",", 8))
        elif line.startswith(b"code-source-info,"):
            _, start, script, _, _, table, inlined, functions = line.split(b",", 7)
            code = self._at(int(start, 16))
            if code is not None and code.start == int(start, 16):
                code.script, code.table, code.inlined, code.functions = int(script), table, inlined, functions
        elif line.startswith(b"code-move,"):
            _, before, after = line.split(b",")[:3]
            self._move(int(before, 16), int(after, 16))
        elif line.startswith(b"script-source,"):
            _, script, url, text = line.split(b",", 3)
            if url.startswith(b"blob:") and len(self._scripts) < _MAX_SCRIPTS:
                self._scripts[int(script)] = text

    def _on_code(self, parts: list[bytes]) -> None:
        kind, start, size, name, sfi = parts[1], int(parts[4], 16), int(parts[5]), parts[6], b""
        if len(parts) > 7:
            sfi = parts[7]
        function = self._function(name) if kind in _JS else None
        if function is not None and sfi and len(self._by_sfi) < _MAX_CODES:
            self._by_sfi[int(sfi, 16)] = function
        self._add(_Code(start, size, function))

    def _function(self, name: bytes) -> Function | None:
        found = self._functions.get(name)
        if found is None and len(self._functions) < _MAX_CODES:
            match = _NAMED.fullmatch(_unescaped(name[:2_000]))
            if match is None:
                return None
            found = Function(match["name"], match["url"], int(match["line"]) - 1, int(match["column"]) - 1)
            self._functions[name] = found
        return found

    def _add(self, code: _Code) -> None:
        first = bisect_right(self._starts, code.start - 1)
        if first and self._codes[first - 1].start + self._codes[first - 1].size > code.start:
            first -= 1
        last = bisect_right(self._starts, code.start + max(code.size, 1) - 1)
        if len(self._codes) - (last - first) >= _MAX_CODES:
            return
        self._starts[first:last] = [code.start]  # what lay there is gone
        self._codes[first:last] = [code]

    def _move(self, before: int, after: int) -> None:
        code = self._at(before)
        if code is not None and code.start == before:
            index = bisect_right(self._starts, before) - 1
            del self._starts[index], self._codes[index]
            moved = _Code(
                after, code.size, code.function, code.script, code.table, code.inlined, code.functions, code.steps
            )
            self._add(moved)

    def _at(self, address: int) -> _Code | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        code = self._codes[index]
        return code if address < code.start + max(code.size, 1) else None

    def _on_tick(self, parts: list[bytes]) -> None:
        """tick, pc, microseconds, is_external, top of stack or external callback, state, stack…"""
        addresses: list[_Address] = []
        address = int(parts[1], 16)
        for index, part in enumerate((parts[1], *parts[6 : 6 + _MAX_DEPTH])):
            if index:
                sign = part[:1]
                if sign in (b"+", b"-"):
                    address += int(part, 16)
                elif sign == b"o":
                    break
                else:
                    address = int(part, 16)
            code = self._at(address)
            if code is not None and code.function is not None:
                addresses.append((code, address - code.start - (1 if index else 0)))
        tick = (int(parts[2]), int(parts[5]), tuple(addresses))
        self._last.append(tick)
        if self._ticks is not None and len(self._ticks) < _MAX_TICKS:
            self._ticks.append(tick)


class Recording:
    """Ticks, and what is needed to say where they were. Reading it takes a while: do it in a thread."""

    def __init__(self, ticks: Sequence[_Tick], scripts: dict[int, bytes], by_sfi: dict[int, Function]) -> None:
        self._ticks = ticks
        self._scripts = scripts
        self._by_sfi = by_sfi
        self._lines: dict[int, list[int]] = {}
        self._known: dict[tuple[int, int], tuple[Frame, ...]] = {}

    def __len__(self) -> int:
        return len(self._ticks)

    def samples(self) -> Iterator[tuple[int, int, tuple[Frame, ...]]]:
        """The microseconds since the process's start, the state (`GC_STATE`, …) and the frames, innermost first."""
        for at, state, addresses in self._ticks:
            frames: list[Frame] = []
            for code, offset in addresses:
                key = (id(code), offset)
                found = self._known.get(key)
                if found is None:
                    found = self._known[key] = tuple(self._frames(code, offset))
                frames += found
            yield at, state, tuple(frames)

    def _frames(self, code: _Code, offset: int) -> Iterator[Frame]:
        """The function that the code is of, and before it those that were inlined into it at this place."""
        if code.function is None:
            return
        place, inlined = _place(code, offset)
        if place is None:
            yield Frame(code.function, code.function.line, code.function.column)
            return
        chain = [(int(f), int(o), int(i) if i else -1) for f, o, i in _INLINED.findall(code.inlined)]
        functions = [self._by_sfi.get(int(sfi, 16)) for sfi in _FUNCTION.findall(code.functions)]
        for _ in range(len(chain)):
            if not 0 <= inlined < len(chain):
                break
            index, call, outer = chain[inlined]
            function = functions[index] if index < len(functions) else None
            if function is not None:
                yield Frame(function, *self._line_of(code.script, place, function))
            place, inlined = call, outer
        yield Frame(code.function, *self._line_of(code.script, place, code.function))

    def _line_of(self, script: int, place: int, function: Function) -> tuple[int, int]:
        text = self._scripts.get(script)
        if text is None or not function.url.startswith("blob:"):
            return function.line, function.column
        starts = self._lines.get(script)
        if starts is None:
            starts = self._lines[script] = _line_starts(text)
        line = bisect_right(starts, place) - 1
        return line, place - starts[line]


def _place(code: _Code, offset: int) -> tuple[int | None, int]:
    """The place in the source of the last step that is not behind the offset, and what is inlined there."""
    if code.steps is None:
        steps = [
            (int(at), int(place), int(inlined) if inlined else -1) for at, place, inlined in _STEP.findall(code.table)
        ]
        steps.sort(key=lambda step: step[0])
        code.steps = [at for at, _, _ in steps], [(place, inlined) for _, place, inlined in steps]
    offsets, places = code.steps
    if not offsets:
        return None, -1
    return places[max(0, bisect_right(offsets, offset) - 1)]


def _line_starts(text: bytes) -> list[int]:
    """Where each line of a script begins, in characters; the log writes some characters as escapes."""
    starts, at, done = [0], 0, 0
    for match in _ESCAPE.finditer(text):
        at += match.start() - done + 1
        done = match.end()
        if match[0] == b"\\n":
            starts.append(at)
    return starts


def _unescaped(name: bytes) -> str:
    def character(match: re.Match[bytes]) -> bytes:
        body = match[0][1:]
        if body[:1] in b"xu":
            return chr(int(body[1:], 16)).encode("utf-8", "replace")
        return b"\n" if body == b"n" else body

    return _ESCAPE.sub(character, name).decode("utf-8", "replace")
