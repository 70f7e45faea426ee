"""From tallies to arrivals: which group each belongs to, with those of one group put together. Runs in a thread."""

from __future__ import annotations

from collections.abc import Iterable

from v8box.features.errors.fingerprints import fingerprint, kill_fingerprint, overflow_fingerprint
from v8box.features.errors.model import OVERFLOW_MESSAGE, OVERFLOW_NAME, ErrorKind, Tally
from v8box.features.errors.stacks import read_frames, top_of
from v8box.features.errors.store import Arrival


def digest(tallies: Iterable[Tally]) -> list[Arrival]:
    """One arrival for each group, version and environment, in the order in which they were first seen."""
    arrivals: dict[tuple[str, str, str], Arrival] = {}
    for tally in tallies:
        arrival = _arrival(tally)
        key = (arrival.id, tally.version, tally.environment)
        known = arrivals.get(key)
        if known is None:
            arrivals[key] = arrival
        else:
            _merge(known.tally, tally)
    return list(arrivals.values())


def _arrival(tally: Tally) -> Arrival:
    where = (tally.project, tally.worker)
    if tally.overflow:
        return Arrival(id=overflow_fingerprint(*where), tally=tally, top=None)
    if tally.kind is ErrorKind.KILL:
        return Arrival(id=kill_fingerprint(*where, tally.name), tally=tally, top=None)
    frames = read_frames(tally.stack)
    return Arrival(id=fingerprint(*where, tally.name, tally.message, frames), tally=tally, top=top_of(frames))


def _merge(into: Tally, other: Tally) -> None:
    into.count += other.count
    into.first = min(into.first, other.first)
    into.last = max(into.last, other.last)
    into.message = other.message or into.message
    into.samples = [*into.samples, *other.samples][-10:]


def overflowed(arrival: Arrival) -> Arrival:
    """The same, counted among what is too much to be told apart."""
    tally = arrival.tally
    tally.name, tally.message, tally.stack, tally.kind = OVERFLOW_NAME, OVERFLOW_MESSAGE, "", ErrorKind.LOG
    tally.overflow = True
    return Arrival(
        id=overflow_fingerprint(tally.project, tally.worker),
        tally=tally,
        top=None,
        number=arrival.number,
        live_since=arrival.live_since,
    )
