"""The readers of /proc, against processes whose figures are known."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time

import pytest

from v8box.kit import procfs

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("flags", [mmap.MAP_PRIVATE, mmap.MAP_SHARED], ids=["private", "shared"])
def test_private_bytes_counts_anonymous_memory(flags: int) -> None:
    before = procfs.private_bytes()
    with mmap.mmap(-1, 32 * MEGABYTE, flags=flags | mmap.MAP_ANONYMOUS) as memory:
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1
        grown = procfs.private_bytes() - before
    assert 31 * MEGABYTE < grown < 40 * MEGABYTE


def test_private_bytes_leaves_out_files() -> None:
    with open(sys.executable, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        before = procfs.private_bytes()
        touched = sum(mapped[offset] for offset in range(0, len(mapped), mmap.PAGESIZE))
        assert touched > 0
        assert procfs.private_bytes() - before < len(mapped) / 2


def test_an_ended_process_has_no_memory() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert procfs.private_bytes(process.pid) == 0


def test_thread_count() -> None:
    before = procfs.thread_count()
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert procfs.thread_count() == before + 1
    finally:
        release.set()
        thread.join()


def test_cpu_seconds_is_the_process_clock() -> None:
    before = time.process_time()
    read = procfs.cpu_seconds(os.getpid())
    assert before <= read <= time.process_time()


def test_cpu_seconds_of_nobody() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    with pytest.raises(OSError, match="Invalid argument"):
        procfs.cpu_seconds(process.pid)


def test_children() -> None:
    program = "import os; pid = os.fork(); pid and os.write(1, b'%d\\n' % pid); os.read(0, 1)"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        grandchild = int(process.stdout.readline())
        assert procfs.children(process.pid) == (grandchild,)
        process.communicate()  # closes their standard input, which ends both


def test_the_machine_has_memory_and_some_is_left() -> None:
    total, available = procfs.machine_memory()
    assert 0 < available < total
    assert total == pytest.approx(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), rel=0.01)


def test_the_machine_works_while_a_process_does() -> None:
    busy, every = procfs.machine_cpu()
    began = time.process_time()
    while time.process_time() - began < 0.2:
        pass
    busy_then, every_then = procfs.machine_cpu()
    ticks = os.sysconf("SC_CLK_TCK")
    assert busy_then - busy >= 0.15 * ticks
    assert every_then - every >= busy_then - busy


def test_resident_memory_has_what_is_private_too() -> None:
    assert procfs.resident_bytes() > procfs.private_bytes() > MEGABYTE
