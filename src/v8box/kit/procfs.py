"""Readers of what the kernel tells about a process: memory, threads, processor time. Pure; formats are in proc(5)."""

from __future__ import annotations

import time


def private_bytes(pid: int | str = "self") -> int:
    """Resident memory that no file backs: RssAnon + RssShmem of /proc/<pid>/status.

    The kernel keeps these counts per processor, so they may lag by some hundred kilobytes.
    """
    with open(f"/proc/{pid}/status", "rb") as file:
        return private_bytes_from_status(file.read())


def private_bytes_from_status(status: bytes) -> int:
    """The same from the file's contents; 0 once the process has ended, for then it has no memory lines.

    With the file kept open, a `pread` and this take 4.5 microseconds; statm takes 1.1 but hides shared memory, and
    smaps_rollup takes 18 for a process that does nothing.
    """
    return (_kilobytes(status, b"RssAnon:") + _kilobytes(status, b"RssShmem:")) * 1024


def thread_count(pid: int | str = "self") -> int:
    with open(f"/proc/{pid}/status", "rb") as file:
        return _kilobytes(file.read(), b"Threads:")


def children(pid: int) -> tuple[int, ...]:
    """Direct children of a single-threaded process."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return tuple(map(int, file.read().split()))


def cpu_seconds(pid: int) -> float:
    """User plus system processor time of all threads, living and ended. Raises OSError if the process is gone.

    One system call, no file: the clock id of a process is (~pid << 3) | 2, as clock_getcpuclockid(3) computes it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def _kilobytes(status: bytes, key: bytes) -> int:
    start = status.find(key)
    if start < 0:
        return 0
    return int(status[start + len(key) :].split(None, 1)[0])


def data_bytes(pid: int | str = "self") -> int:
    """What RLIMIT_DATA counts: private writable memory, reserved or used (VmData)."""
    with open(f"/proc/{pid}/status", "rb") as file:
        return _kilobytes(file.read(), b"VmData:") * 1024


def resident_bytes(pid: int | str = "self") -> int:
    """All of the process that is in memory, files that it shares included: VmRSS."""
    with open(f"/proc/{pid}/status", "rb") as file:
        return _kilobytes(file.read(), b"VmRSS:") * 1024


def machine_memory() -> tuple[int, int]:
    """Bytes of memory that the machine has, and those that a program could still get."""
    with open("/proc/meminfo", "rb") as file:
        text = file.read()
    return _kilobytes(text, b"MemTotal:") * 1024, _kilobytes(text, b"MemAvailable:") * 1024


def machine_cpu() -> tuple[int, int]:
    """Ticks that the machine's processors have worked, and all ticks, since it was started."""
    with open("/proc/stat", "rb") as file:
        ticks = [int(each) for each in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle, iowait
    return sum(ticks) - idle, sum(ticks)
