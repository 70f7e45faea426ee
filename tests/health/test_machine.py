"""What is said of disk, memory and clock: thresholds, containers, jumps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v8box.features.health import machine
from v8box.features.health.machine import ClockWatch, KernelClock, Memory
from v8box.features.health.model import Status

GB = 1024**3


def test_a_disk_with_room(tmp_path: Path) -> None:
    found = machine.disk(tmp_path, warn_mb=0, critical_mb=0)
    assert found.status is Status.OK
    assert found.value.endswith(" free")


def test_the_thresholds_of_the_disk_are_those_of_the_settings(tmp_path: Path) -> None:
    free_mb = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize // 1_048_576
    assert machine.disk(tmp_path, warn_mb=free_mb * 2, critical_mb=0).status is Status.WARN
    found = machine.disk(tmp_path, warn_mb=free_mb * 2, critical_mb=free_mb * 2)
    assert found.status is Status.FAIL
    assert "make room" in found.advice


def test_too_few_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.statvfs_result((4096, 4096, 10**8, 10**8, 10**8, 1000, 5, 5, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: stat)
    found = machine.disk(tmp_path, warn_mb=10, critical_mb=10)
    assert (found.status, "5 of 1000 inodes" in found.value) == (Status.WARN, True)


@pytest.mark.parametrize(("share", "status"), [(0.5, Status.OK), (0.05, Status.WARN), (0.02, Status.FAIL)])
def test_memory(share: float, status: Status) -> None:
    found = machine.memory(Memory(total=4 * GB, available=int(4 * GB * share)))
    assert (found.status, bool(found.advice)) == (status, status is not Status.OK)


def test_memory_of_this_machine() -> None:
    found = machine.read_memory()
    assert 0 < found.available <= found.total


def fake_root(root: Path, **files: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "meminfo").write_text(f"MemTotal: {8 * GB // 1024} kB\nMemAvailable: {6 * GB // 1024} kB\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name, text in files.items():
        (root / "sys/fs/cgroup" / name.replace("_", ".")).write_text(text)
    return root


def test_the_limit_of_a_container_counts_and_its_cache_does_not(tmp_path: Path) -> None:
    stat = f"anon 5\ninactive_file {GB // 2}\n"
    root = fake_root(tmp_path, memory_max=f"{GB}\n", memory_current=f"{GB}\n", memory_stat=stat)
    assert machine.read_memory(root) == Memory(total=GB, available=GB // 2)


def test_a_container_without_a_limit_has_the_machines(tmp_path: Path) -> None:
    root = fake_root(tmp_path, memory_max="max\n", memory_current="5\n")
    assert machine.read_memory(root) == Memory(total=8 * GB, available=6 * GB)


class Clocks:
    def __init__(self, kernel: KernelClock | None) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0
        self.watch = ClockWatch(wall=lambda: self.wall, steady=lambda: self.steady, kernel=lambda: kernel)

    def go(self, steady: float, wall: float | None = None) -> None:
        self.steady += steady
        self.wall += steady if wall is None else wall


GOOD = KernelClock(synchronised=True, max_error_seconds=0.004)


def test_a_clock_that_is_kept_right() -> None:
    clocks = Clocks(GOOD)
    clocks.go(3_600)
    found = clocks.watch.look()
    assert (found.status, found.value) == (Status.OK, "synchronised, off by 4 ms at most")


@pytest.mark.parametrize("jump", [30.0, -30.0])
def test_a_clock_that_was_set_is_told_for_ten_minutes(jump: float) -> None:
    clocks = Clocks(GOOD)
    clocks.go(10, 10 + jump)
    assert f"jumped by {jump:+.1f} s" in clocks.watch.look().value
    clocks.go(599)
    assert clocks.watch.look().status is Status.WARN
    clocks.go(2)
    assert clocks.watch.look().status is Status.OK


def test_a_clock_that_is_slewed_does_not_jump() -> None:
    clocks = Clocks(GOOD)
    for _ in range(10):
        clocks.go(60, 60.5)
        assert clocks.watch.look().status is Status.OK


@pytest.mark.parametrize("kernel", [KernelClock(False, 16.0), KernelClock(True, 5.0)])
def test_a_clock_that_nothing_keeps_right_is_a_warning(kernel: KernelClock) -> None:
    found = Clocks(kernel).watch.look()
    assert (found.status, bool(found.advice)) == (Status.WARN, True)


def test_a_machine_that_does_not_tell() -> None:
    assert Clocks(None).watch.look().status is Status.OK


def test_the_kernel_is_asked_without_privileges() -> None:
    found = machine.kernel_clock()
    assert found is None or found.max_error_seconds >= 0
