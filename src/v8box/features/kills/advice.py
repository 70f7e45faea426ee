"""What to do about an end, in words, and which limit would have let it go on. Pure judgement on what was seen."""

from __future__ import annotations

import math
from typing import Final

from v8box.catalog.manifest_keys import LIMITS
from v8box.errors import StopReason
from v8box.features.kills.observed import Need
from v8box.features.kills.report import Suggestion
from v8box.kit.phrases import Phrase, phrase
from v8box.telemetry.records import CurvePoint, DeathRecord

_MIB: Final = 1024 * 1024
_NEAR: Final = 0.5
"""Good runs that need more than this share of a limit are near it: then it is the limit that is wrong."""
_COMPUTING: Final = 0.1
"""A run that only waits for something uses far less of a processor than this."""
_STEADY_SECONDS: Final = 10.0
_SUDDEN_MS: Final = 3_000.0

LIMIT_OF: Final = {
    StopReason.WALL: "wall_ms",
    StopReason.CPU: "cpu_ms",
    StopReason.MEMORY: "memory_mb",
    StopReason.LOG_BYTES: "log_kb",
    StopReason.RESPONSE_BYTES: "response_mb",
    StopReason.SUBREQUESTS: "subrequests",
    StopReason.STARTUP: "startup_ms",
}
"""The limit of the manifest that is broken when something ends for this reason."""
_MOST: Final = {key.name: key.kind.schema().get("maximum") for key in LIMITS.keys}


def advise(death: DeathRecord, need: Need) -> tuple[list[Phrase], Suggestion | None]:
    """What to do, the likeliest first, and the limit to write down, where one would help."""
    match death.reason:
        case StopReason.CPU:
            return _cpu(death, need)
        case StopReason.MEMORY:
            return _memory(death, need)
        case StopReason.WALL:
            return _wall(death, need)
        case StopReason.STARTUP:
            return _startup(death)
        case StopReason.LOG_BYTES:
            return [
                phrase(
                    "log_flood",
                    "It printed without end: look for a log call in a loop; the last lines show what it says.",
                ),
                phrase(
                    "log_cut",
                    "A run that logs much on purpose is cut at limits.log_kb and goes on; it is stopped at 16 times "
                    "that.",
                ),
            ], _suggest(death, 2)
        case StopReason.RESPONSE_BYTES:
            return [
                phrase(
                    "response_cut",
                    "The response was longer than limits.response_mb, so the connection was cut in the middle of it.",
                ),
                phrase(
                    "page_result", "Page the result, or put large files into a bucket and answer with a presigned URL."
                ),
            ], _suggest(death, 2)
        case StopReason.SUBREQUESTS:
            return [
                phrase(
                    "called_out",
                    "It called out again and again: look for a fetch in a loop, or ask for many at once.",
                )
            ], None
        case StopReason.EXIT:
            return [
                phrase(
                    "exited",
                    "The code, or a package it imports, called Deno.exit() or process.exit(). That ends every run in "
                    "the process: throw an error or return a response instead.",
                )
            ], None
        case StopReason.PROTOCOL:
            return [
                phrase(
                    "tampered",
                    "The process wrote something to the box that the runtime never writes. Code that tampers with the "
                    "runtime does that; if yours does not, this is a fault of V8Box: please report it.",
                )
            ], None
        case _:
            return [
                phrase(
                    "crashed",
                    "The process ended by itself. The last output says more where the engine printed a reason; native "
                    "add-ons and WebAssembly are the usual suspects.",
                ),
                phrase(
                    "try_dev", "If it comes back, run the same request with `v8box dev` and look at what it prints."
                ),
            ], None


def _cpu(death: DeathRecord, need: Need) -> tuple[list[Phrase], Suggestion | None]:
    limit = death.limit or 0
    if not death.runs and death.run_count == 0:
        return [
            phrase(
                "left_timer",
                "It burnt processor time while it had no run: a timer or loop that an earlier run left behind. Clear "
                "timers when a run ends, and await what it starts (or give it to `ctx.waitUntil`).",
            )
        ], None
    if need.runs and need.cpu < limit * _NEAR:
        return [
            phrase(
                "cpu_exploded",
                f"The {need.runs} good runs of this version needed at most {_ms(need.cpu)} of the {_ms(limit)} "
                "allowed, so this one was not just a little longer: look for a loop that does not end, or input that "
                "makes it explode (a regular expression, a large list).",
                runs=need.runs,
                needed_ms=need.cpu,
                limit_ms=limit,
            ),
            phrase("cpu_no_limit", "Raising limits.cpu_ms would only let it burn for longer."),
        ], None
    more = [
        phrase(
            "move_work",
            "Move heavy work out of the request: cache the result, do it in pieces, or leave it to a database.",
        ),
        phrase("profile", "`v8box profile` shows where the time goes."),
    ]
    if need.runs:
        near = f"Good runs need up to {_ms(need.cpu)} of the {_ms(limit)} allowed: the limit is too low for them."
        return [phrase("cpu_near", near, needed_ms=need.cpu, limit_ms=limit), *more], _suggest(death, 2, need.cpu)
    return [
        phrase(
            "cpu_unknown",
            "No run of this version has ended well yet. If it only needs longer, raise the limit; else look for a "
            "loop.",
        ),
        *more,
    ], _suggest(death, 2)


def _memory(death: DeathRecord, need: Need) -> tuple[list[Phrase], Suggestion | None]:
    limit = (death.limit or 0) * _MIB
    shape = _growth(death.curve)
    if shape == "steady":
        return [
            phrase(
                "leak",
                "Its memory grew steadily over many seconds, as a leak does: look for a list, map or cache at the top "
                "of a module that only ever grows, and for closures or streams that are kept.",
            ),
            phrase("heap", "`v8box heap` takes a snapshot of a live process that shows what is kept and by whom."),
            phrase("memory_no_limit", "A higher limit only puts the end off."),
        ], None
    if need.runs and 0 < need.memory < limit * _NEAR:
        return [
            phrase(
                "memory_far",
                f"Good runs of this version had at most {_mb(need.memory)} in use; this one went far beyond. Look at "
                "the runs that were going on: a large body, query or file that is read as a whole.",
                needed_bytes=need.memory,
            ),
            phrase("stream", "Read large things as streams, page queries, and bound what a caller may ask for."),
        ], _suggest(death, 2)
    advice = [phrase("memory_more", "It needed more than it may have. Read large things as streams, and page queries.")]
    if death.run_count > 1:
        shared = f"{death.run_count} runs shared the process and its memory"
        advice.append(
            phrase("memory_shared", f"{shared}: a lower limits.concurrency gives each more.", runs=death.run_count)
        )
    if shape == "sudden":
        advice.append(
            phrase(
                "memory_sudden",
                "It grew within seconds: look at what the runs that were going on had just begun to load.",
            )
        )
    return advice, _suggest(death, 2)


def _wall(death: DeathRecord, need: Need) -> tuple[list[Phrase], Suggestion | None]:
    waiting = [what for run in death.runs for what in run.waiting_for]
    longest = death.runs[0] if death.runs else None
    computing = longest is not None and longest.cpu > longest.elapsed * _COMPUTING
    advice = []
    if waiting:
        calls = ", ".join(dict.fromkeys(waiting))
        advice.append(
            phrase(
                "waited_for",
                f"It was waiting for {calls}: look why that takes so long (a missing index, a lock that another "
                "transaction holds, a key that nobody sets).",
                calls=calls,
            )
        )
    elif longest is not None and (computing or death.stack):
        text = (
            f"It was computing: {_ms(longest.cpu)} of processor time in {_ms(longest.elapsed)} (a busy machine gives a "
            "loop no more than its share). Look for a loop that does not end, or do less in one request: "
        )
        took = {"cpu_ms": longest.cpu, "elapsed_ms": longest.elapsed}
        advice.append(
            phrase("computed", f"{text}the stack above was where.", **took)
            if death.stack
            else phrase("computed_profile", f"{text}`v8box profile` shows where.", **took)
        )
    else:
        advice.append(
            phrase(
                "waited",
                "It waited for something that is no binding: an outgoing fetch (give it an AbortSignal.timeout), or a "
                "promise that nobody resolves.",
            )
        )
    limit = death.limit or 0
    if need.runs and need.duration < limit * _NEAR:
        text = f"The {need.runs} good runs of this version took {_ms(need.duration)} at most."
        advice.append(phrase("wall_usual", text, runs=need.runs, needed_ms=need.duration))
        return advice, None
    if computing and not need.runs:
        return advice, None  # a loop would only go on for longer
    return advice, _suggest(death, 2, need.duration)


def _startup(death: DeathRecord) -> tuple[list[Phrase], Suggestion | None]:
    if death.limit is None:
        return [
            phrase(
                "module_threw",
                "The module threw while it was loaded, so no request can be answered: the last lines have the error. "
                "What stands at the top of a module must not need a request, or a variable that is not set.",
            )
        ], None
    return [
        phrase(
            "module_slow",
            "Loading the module took too long: a top-level await on something slow, or much work at the top of it. Do "
            "that at the first request and keep the result.",
        )
    ], _suggest(death, 2)


def _suggest(death: DeathRecord, factor: float, needed: float = 0.0) -> Suggestion | None:
    """That much more than the limit, or than what good runs need. None where the most is allowed already."""
    name = LIMIT_OF.get(StopReason(death.reason))
    if name is None or not death.limit:
        return None
    value = _round_up(max(death.limit, needed) * factor)
    most = _MOST.get(name)
    if most is not None:
        value = min(value, most)
    if value <= death.limit:
        return None
    return Suggestion(name, value, f"[workers.{death.worker}.limits]\n{name} = {value}")


def _growth(curve: list[CurvePoint]) -> str:
    """`steady`: it grew all along; `sudden`: most of it came in the last seconds; else nothing that can be said."""
    if len(curve) < 3:
        return ""
    first, last = curve[0], curve[-1]
    grown = last.memory - first.memory
    if grown <= 0:
        return ""
    before = next((point for point in reversed(curve) if point.at <= last.at - _SUDDEN_MS), first)
    if last.memory - before.memory > grown * 0.7:
        return "sudden"
    if last.at - first.at < _STEADY_SECONDS * 1000:
        return ""
    middle = next(point for point in curve if point.at >= (first.at + last.at) / 2)
    share = (middle.memory - first.memory) / grown
    return "steady" if 0.25 < share < 0.75 else ""


def _round_up(value: float) -> int:
    """To two digits that matter."""
    step = 10 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return int(math.ceil(value / step) * step)


def _ms(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 10_000 else f"{value:.0f} ms"


def _mb(value: float) -> str:
    return f"{value / _MIB:.0f} MiB"
