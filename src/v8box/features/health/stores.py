"""What is looked at of the box's own work: backlogs and losses, the last backup, Valkey's memory, the confinement."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.features.health.model import Ask, Finding, Status
from v8box.kit.phrases import joined, phrase
from v8box.sandbox.rungs import Rung
from v8box.storage import backups

_REMEMBER_LOSS_SECONDS: Final = 600.0
_BACKUP_WARN_SECONDS: Final = 26 * 3_600.0
_BACKUP_FAIL_SECONDS: Final = 3 * 86_400.0
_FULL: Final = 0.9


# ---- backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Something that waits to be done: how much, how much there may be, and what was given up since the start."""

    name: str
    waiting: Callable[[], int]
    most: int
    lost: Callable[[], int] = lambda: 0
    advice: str = ""


class BacklogWatch:
    """Warns while something is half full or more, and for ten minutes after something was lost."""

    def __init__(self, backlogs: Sequence[Backlog], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backlogs = backlogs
        self._clock = clock
        self._lost = {each.name: each.lost() for each in backlogs}
        self._lost_at: dict[str, float] = {}

    async def look(self) -> Finding:
        now = self._clock()
        told, advice = [], []
        status = Status.OK
        for each in self._backlogs:
            waiting, lost = each.waiting(), each.lost()
            if lost > self._lost[each.name]:
                self._lost_at[each.name] = now
            self._lost[each.name] = lost
            recently = now - self._lost_at.get(each.name, -_REMEMBER_LOSS_SECONDS) < _REMEMBER_LOSS_SECONDS
            if recently or waiting * 2 >= each.most:
                status = Status.WARN
                advice.append(each.advice)
            said = f"{each.name}: {waiting}"
            told.append(
                phrase(
                    "dropped", f"{said} ({lost} dropped since the start)", name=each.name, waiting=waiting, lost=lost
                )
                if lost
                else phrase("waiting", said, name=each.name, waiting=waiting)
            )
        return Finding(status, joined(told) or phrase("nothing_waits", "nothing waits"), joined(advice))


# ---- backup


def backup(database: Path, folder: Path, *, up_seconds: float, now: float) -> Finding:
    """How old the newest copy of the platform's database is."""
    at = backups.newest_time(database, folder)
    if not at:
        if up_seconds < backups.FIRST_SECONDS * 5:
            return Finding(Status.OK, phrase("backup_soon", "none yet: the first is made a minute after the start"))
        advice = f"look in the log why {folder} cannot be written"
        return Finding(
            Status.FAIL, phrase("backup_none", "there is none"), phrase("write_backup", advice, folder=str(folder))
        )
    age = max(0.0, now - at)
    hours = round(age / 3_600, 1)
    value = phrase("backup_age", f"{hours:.1f} hours old", hours=hours)
    advice = phrase("renew_backup", f"look in the log why no newer copy could be made in {folder}", folder=str(folder))
    if age > _BACKUP_FAIL_SECONDS:
        return Finding(Status.FAIL, value, advice)
    return Finding(Status.WARN, value, advice) if age > _BACKUP_WARN_SECONDS else Finding(Status.OK, value)


# ---- Valkey


def valkey_memory(info: Callable[[], Awaitable[str]]) -> Ask:
    """`info` gives the section `memory` of INFO."""

    async def look() -> Finding:
        lines = (line.partition(":") for line in (await info()).splitlines())
        found = {name: value.strip() for name, mark, value in lines if mark}
        used, most = int(found.get("used_memory", "0")), int(found.get("maxmemory", "0"))
        if not most:
            return Finding(
                Status.OK, phrase("cache_unbounded", f"{used / 1024**2:.0f} MB used, no bound", used_bytes=used)
            )
        text, share = f"{used / 1024**2:.0f} of {most / 1024**2:.0f} MB used", min(1.0, used / most)
        value = phrase("cache_used", text, used_bytes=used, most_bytes=most)
        if used >= most * _FULL:
            evicts = found.get("maxmemory_policy", "noeviction") != "noeviction"
            advice = phrase(
                "free_cache", "delete keys, let them expire (EX), or give the server more memory (maxmemory)"
            )
            return Finding(Status.OK if evicts else Status.WARN, value, "" if evicts else advice, share)
        return Finding(Status.OK, value, share=share)

    return look


# ---- confinement


def confinement(missing: Callable[[], Sequence[Rung]]) -> Ask:
    async def look() -> Finding:
        rungs = missing()
        if not rungs:
            return Finding(Status.OK, phrase("rungs_taken", "every rung is taken"))
        return Finding(
            Status.WARN,
            phrase(
                "rungs_missing",
                "missing: " + ", ".join(f"{each.name} ({each.detail})" for each in rungs),
                names=", ".join(each.name for each in rungs),
            ),
            joined(each.advice for each in rungs),
        )

    return look


# ---- workers


def workers(
    count: Callable[[], int], most: int, *, stopped: Callable[[], str | None], fault: Callable[[], str] = lambda: ""
) -> Ask:
    """Whether a sandbox can be started, and how many places are taken. `stopped`: why none ever can be; `fault`: why
    the last one did not start."""

    async def look() -> Finding:
        why = stopped()
        if why is not None:
            return Finding(Status.FAIL, why, phrase("start_again", "start the box again, and look in its log why"))
        taken = count()
        text, share = f"{taken} of {most} sandboxes", min(1.0, taken / most)
        if not (failed := fault()):
            return Finding(Status.OK, phrase("sandboxes", text, taken=taken, most=most), share=share)
        value = phrase("sandbox_failed", f"{text}; one did not start: {failed}", taken=taken, most=most, fault=failed)
        advice = phrase(
            "mend_sandboxes",
            "look in the log, and whether the machine is out of memory, processes or files: v8box doctor",
        )
        return Finding(Status.WARN if taken else Status.FAIL, value, advice, share)

    return look
