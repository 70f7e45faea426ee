"""What is remarkable about a run that is over: that it was slow, or asked the same again and again.

Looked for only in runs that were slow or made many calls, so that the others pay a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from v8box.telemetry.meter import Span
from v8box.telemetry.records import Finding

REPEATS: Final = 10
"""So many calls of the same kind in one run are one too many."""
MAX_FINDINGS: Final = 5
SLOW: Final = "slow"
N_PLUS_ONE: Final = "n_plus_one"

_ADVICE: Final = {
    "db": "ask once with IN (…) or a join, or send them together with batch()",
    "cache": "ask for many at once (mget, a KV namespace's get([…])), or send them in a pipeline",
    "s3": "list them once, or keep together what is read together",
    "fetch": "ask for many at once if that server can, or start them together with Promise.all()",
    "services": "hand over the whole list in one call",
    "assets": "read it once and keep it at the top of the module",
}
_UNNAMED: Final = frozenset({"fetch", "assets"})
"""Bindings whose calls are the same even where nothing is known of what they are upon."""


def repeated(
    spans: Sequence[Span], more: dict[tuple[str, str, str], list[float]], least: int = REPEATS
) -> list[Finding]:
    """The same binding, operation and shape of arguments, at least so often; those that took longest first."""
    groups: dict[tuple[str, str, str], list[float]] = {key: list(group) for key, group in more.items()}
    for span in spans:
        group = groups.setdefault((span.binding, span.operation, span.what), [0, 0.0])
        group[0] += 1
        group[1] += max(span.duration, 0.0)
    found = []
    for (binding, operation, what), (count, duration) in groups.items():
        if count >= least and (what or binding in _UNNAMED):
            text = f"{binding}.{operation}{f' `{what}`' if what else ''} {count:.0f} times, {duration:.0f} ms in all"
            advice = _ADVICE.get(binding)
            text = f"{text}: {advice}" if advice else text
            found.append(Finding(N_PLUS_ONE, text, binding, operation, what, int(count), round(duration, 1)))
    found.sort(key=lambda finding: -finding.duration)
    return found[:MAX_FINDINGS]


def slow(duration: float, limit: float, split: dict[str, float]) -> Finding:
    """It took longer than its worker's runs should."""
    most = max(split, key=lambda part: split[part], default="")
    part, longest = (most, split[most]) if most and split[most] > 0 else ("", 0.0)
    where = f", {longest:.0f} ms of them {_PLACES.get(part, part)}" if part else ""
    text = f"took {duration:.0f} ms{where}; slow_ms is {limit:.0f}"
    return Finding(
        SLOW, text, duration=round(duration, 1), part=part, part_duration=round(longest, 1), limit=round(limit, 1)
    )


_PLACES: Final = {
    "queue": "waiting for a free process",
    "cold": "starting a process",
    "code": "in its own code, or waiting for nothing that the box sees",
}


def split_of(duration: float, queue: float, cold: float, spans: Sequence[Span]) -> dict[str, float]:
    """Where the time went, in milliseconds: waiting, starting, each binding, `fetch`, the rest in `code`. Calls that
    ran beside each other are counted once, so that the parts of one binding are no more than the whole."""
    parts: dict[str, list[tuple[float, float]]] = {}
    every: list[tuple[float, float]] = []
    for span in spans:
        until = span.start + span.duration if span.duration >= 0 else duration
        stretch = (max(0.0, span.start), min(until, duration))
        parts.setdefault(span.binding, []).append(stretch)
        every.append(stretch)
    split = {"queue": queue, "cold": cold, **{name: _union(stretches) for name, stretches in parts.items()}}
    split["code"] = max(0.0, duration - queue - cold - _union(every))
    return {name: round(value, 1) for name, value in split.items()}


def _union(stretches: list[tuple[float, float]]) -> float:
    total, reached = 0.0, 0.0
    for start, end in sorted(stretches):
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total
