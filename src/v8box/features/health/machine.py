"""What is looked at of the machine: the disk of the data directory, memory, and the clock."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.features.health.model import Finding, Status
from v8box.kit.phrases import phrase

_MIB: Final = 1_048_576
_FEW_INODES: Final = 0.02
_WARN_MEMORY: Final = 0.10
_FAIL_MEMORY: Final = 0.03
_JUMP_SECONDS: Final = 2.0
_REMEMBER_JUMP_SECONDS: Final = 600.0
_BAD_ERROR_SECONDS: Final = 1.0
_ROOM: Final = phrase(
    "make_room",
    "make room: databases, objects and logs grow here (v8box project, old releases, log and cache budgets)",
)


# ---- disk


def disk(folder: Path, *, warn_mb: int, critical_mb: int) -> Finding:
    """How much is free where the data is, for those who are not root."""
    found = os.statvfs(folder)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    text = f"{_gigabytes(free)} of {_gigabytes(total)} free"
    value = phrase("disk_free", text, free_bytes=free, total_bytes=total)
    share = 1 - free / total if total else None
    if free < critical_mb * _MIB:
        advice = f"{_ROOM}; below {critical_mb} MiB writes begin to fail"
        return Finding(Status.FAIL, value, phrase("make_room_now", advice, critical_mb=critical_mb), share)
    if free < warn_mb * _MIB:
        return Finding(Status.WARN, value, _ROOM, share)
    if found.f_files and found.f_favail < found.f_files * _FEW_INODES:
        left = phrase(
            "disk_few_inodes",
            f"{text}, but only {found.f_favail} of {found.f_files} inodes",
            free_bytes=free,
            total_bytes=total,
            left=found.f_favail,
            inodes=found.f_files,
        )
        more = phrase("free_inodes", "remove many small files, or make the file system anew with more inodes")
        return Finding(Status.WARN, left, more, 1 - found.f_favail / found.f_files)
    return Finding(Status.OK, value, share=share)


# ---- memory


@dataclass(frozen=True, slots=True)
class Memory:
    """What there is and what may still be had, in bytes; of the container where it has a limit of its own."""

    total: int
    available: int


def read_memory(root: Path = Path("/")) -> Memory:
    """From /proc/meminfo, and the cgroup's limit where that is smaller."""
    split = (line.partition(":") for line in (root / "proc/meminfo").read_text().splitlines())
    lines = {name: int(rest.split()[0]) * 1024 for name, _, rest in split}
    total = lines["MemTotal"]
    available = lines.get("MemAvailable", lines.get("MemFree", 0))
    for limit_file, used_file in (
        ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        limit, used = _number(root / limit_file), _number(root / used_file)
        if limit is not None and used is not None and limit < total:
            cached = _inactive_file((root / limit_file).with_name("memory.stat"))
            total, available = limit, min(available, max(0, limit - used + cached))
            break
    return Memory(total, available)


def memory(found: Memory) -> Finding:
    """Whether there is enough left that nothing is killed for it."""
    value = phrase(
        "memory_available",
        f"{_gigabytes(found.available)} of {_gigabytes(found.total)} available",
        available_bytes=found.available,
        total_bytes=found.total,
    )
    advice = phrase(
        "less_memory", "run fewer sandboxes (V8BOX_MAX_SANDBOXES), give workers smaller limits, or add memory"
    )
    share = 1 - found.available / found.total
    if found.available < found.total * _FAIL_MEMORY:
        now = phrase("less_memory_now", f"{advice}: the kernel is about to kill processes")
        return Finding(Status.FAIL, value, now, share)
    if found.available < found.total * _WARN_MEMORY:
        return Finding(Status.WARN, value, advice, share)
    return Finding(Status.OK, value, share=share)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _inactive_file(path: Path) -> int:
    """What of a cgroup's memory is file cache that goes when it is needed."""
    try:
        stat = dict(line.split(" ", 1) for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(stat.get("inactive_file", stat.get("total_inactive_file", "0")))


# ---- clock


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel says of its clock: whether something keeps it right, and how wrong it may be at most."""

    synchronised: bool
    max_error_seconds: float


class _Timex(ctypes.Structure):
    """struct timex, adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 160),
    )


_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


def kernel_clock() -> KernelClock | None:
    """Asks without changing anything, which needs no privilege; None where this kernel or container does not tell."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    asked = _Timex(modes=0)
    state = adjtimex(ctypes.byref(asked))
    if state < 0:
        return None
    return KernelClock(state != _TIME_ERROR and not asked.status & _STA_UNSYNC, asked.maxerror / 1e6)


class ClockWatch:
    """Compares the time of day with the clock that only goes forward: who sets the first one moves it against the
    second."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        kernel: Callable[[], KernelClock | None] = kernel_clock,
    ) -> None:
        self._wall, self._steady, self._kernel = wall, steady, kernel
        self._offset = wall() - steady()
        self._jump = 0.0
        self._jumped_at: float | None = None

    def look(self) -> Finding:
        steady = self._steady()
        offset = self._wall() - steady
        if abs(jump := offset - self._offset) > _JUMP_SECONDS:
            self._jump, self._jumped_at = jump, steady
        self._offset = offset
        if self._jumped_at is not None and steady - self._jumped_at < _REMEMBER_JUMP_SECONDS:
            ago = round(steady - self._jumped_at)
            return Finding(
                Status.WARN,
                phrase(
                    "clock_jumped",
                    f"the time of day jumped by {self._jump:+.1f} s, {ago} s ago",
                    seconds=round(self._jump, 1),
                    ago_seconds=ago,
                ),
                phrase("slew_clock", "let NTP slew the clock; schedules, tokens and signatures go by the time of day"),
            )
        found = self._kernel()
        if found is None:
            told = "no jumps; this machine does not tell whether NTP keeps it"
            return Finding(Status.OK, phrase("clock_untold", told))
        if not found.synchronised:
            return Finding(
                Status.WARN,
                phrase("clock_unkept", "no jumps, but nothing keeps it right"),
                phrase("keep_clock", "turn on time synchronisation: timedatectl set-ntp true, or chrony"),
            )
        error_ms = round(found.max_error_seconds * 1000)
        value = phrase("clock_kept", f"synchronised, off by {error_ms} ms at most", error_ms=error_ms)
        if found.max_error_seconds > _BAD_ERROR_SECONDS:
            return Finding(Status.WARN, value, phrase("reach_ntp", "look whether the NTP servers can be reached"))
        return Finding(Status.OK, value)


def _gigabytes(count: int) -> str:
    return f"{count / 1024**3:.1f} GB"
