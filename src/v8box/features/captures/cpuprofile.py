"""A recording as a `.cpuprofile`: the JSON that Chrome's DevTools, VS Code and speedscope open.

The functions of a worker are named as in its own files, where its source map is at hand.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from v8box.kit.sourcemap import SourceMap
from v8box.sandbox.ticks import GC_STATE, Frame, Function, Recording

_GAP_TICKS: Final = 4
"""Without a tick for so long the process had nothing to do: it is only looked at while it runs."""
_ROOT: Final = Function("(root)", "", -1, -1)
_IDLE: Final = Function("(idle)", "", -1, -1)
_PROGRAM: Final = Function("(program)", "", -1, -1)
_GC: Final = Function("(garbage collector)", "", -1, -1)


class _Node:
    __slots__ = ("children", "function", "hits", "lines", "number")

    def __init__(self, number: int, function: Function) -> None:
        self.number = number
        self.function = function
        self.hits = 0
        self.lines: Counter[int] = Counter()
        self.children: dict[Function, _Node] = {}


class _Tree:
    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.root = self._node(_ROOT)

    def _node(self, function: Function) -> _Node:
        node = _Node(len(self.nodes) + 1, function)
        self.nodes.append(node)
        return node

    def leaf(self, path: list[Function]) -> _Node:
        """The node of the last of these, which call each other."""
        node = self.root
        for function in path:
            child = node.children.get(function)
            if child is None:
                child = node.children[function] = self._node(function)
            node = child
        return node


def cpu_profile(recording: Recording, source_map: SourceMap | None, ticks_us: int) -> bytes:
    """The whole file. It takes a while for a long recording: call it in a thread."""
    tree, mapped = _Tree(), _Mapped(source_map)
    samples: list[int] = []
    deltas: list[int] = []
    start = before = None
    for at, state, frames in recording.samples():
        if before is None:
            start = before = at
        elif at - before > _GAP_TICKS * ticks_us:
            _hit(tree.leaf([_IDLE]), samples)
            deltas.append(ticks_us)
            before += ticks_us
        if state == GC_STATE or not frames:
            _hit(tree.leaf([_GC if state == GC_STATE else _PROGRAM]), samples)
        else:
            shown = [mapped.frame(frame) for frame in frames]
            node = tree.leaf([frame.function for frame in reversed(shown)])
            _hit(node, samples)
            node.lines[shown[0].line + 1] += 1
        deltas.append(max(0, at - before))
        before = at
    profile = {
        "nodes": [_shown(node) for node in tree.nodes],
        "startTime": start or 0,
        "endTime": (before or 0) + ticks_us,
        "samples": samples,
        "timeDeltas": deltas,
    }
    return msgspec.json.encode(profile)


def _hit(node: _Node, samples: list[int]) -> None:
    node.hits += 1
    samples.append(node.number)


def _shown(node: _Node) -> dict[str, Any]:
    function = node.function
    return {
        "id": node.number,
        "callFrame": {
            "functionName": function.name,
            "scriptId": str(function.script),
            "url": function.url,
            "lineNumber": function.line,
            "columnNumber": function.column,
        },
        "hitCount": node.hits,
        "children": [child.number for child in node.children.values()],
        "positionTicks": [{"line": line, "ticks": ticks} for line, ticks in sorted(node.lines.items()) if line > 0],
    }


class _Mapped:
    """Frames in terms of the user's own files. Each is looked up once."""

    def __init__(self, source_map: SourceMap | None) -> None:
        self._map = source_map
        self._frames: dict[Frame, Frame] = {}

    def frame(self, frame: Frame) -> Frame:
        found = self._frames.get(frame)
        if found is None:
            found = self._frames[frame] = self._look_up(frame)
        return found

    def _look_up(self, frame: Frame) -> Frame:
        function = frame.function
        if not function.url.startswith("blob:"):
            shim = function.url.startswith("file:") and function.url.endswith("/shim.js")
            return frame._replace(function=function._replace(url="v8box:shim.js")) if shim else frame
        plain = frame._replace(function=function._replace(url="worker.js"))
        if self._map is None:
            return plain
        place = self._map.find(function.line, function.column)
        if place is None:
            return plain
        at = self._map.find(frame.line, frame.column)
        line = at.line if at is not None and at.source == place.source else place.line
        mapped = Function(function.name, place.source, place.line, place.column, function.script)
        return Frame(mapped, line, 0)
