"""How busy processors are said to be: between two looks, in a container, and when it lasts."""

from __future__ import annotations

from pathlib import Path

from v8box.features.health.model import Finding, Status
from v8box.features.health.processors import Processors, ProcessorWatch, read_processors


class Machine:
    def __init__(self, count: float = 2) -> None:
        self.now, self.busy, self.count = 50.0, 1_000.0, count
        self.watch = ProcessorWatch(read=lambda: Processors(self.count, self.busy), clock=lambda: self.now)

    def work(self, seconds: float, share: float) -> Finding:
        self.now += seconds
        self.busy += seconds * share * self.count
        return self.watch.look()


def test_what_was_busy_since_the_last_look_is_told() -> None:
    machine = Machine()
    assert machine.watch.look() == Finding(Status.OK, "2 processors")
    assert (machine.work(10, 0.25).value, machine.watch.look().share) == ("25% of 2 processors", 0.25)
    assert machine.work(10, 0.5).value == "50% of 2 processors"
    assert Machine(1.5).work(10, 1).value == "100% of 1.5 processors"
    assert Machine(1).work(10, 0.5).value == "50% of 1 processor"


def test_five_busy_minutes_warn_and_a_quiet_look_ends_it() -> None:
    machine = Machine()
    assert machine.work(299, 1).status is Status.OK
    found = machine.work(2, 0.97)
    assert (found.status, found.value) == (Status.WARN, "97% of 2 processors for 5 minutes")
    assert "v8box metrics" in found.advice
    assert machine.work(60, 0.9).status is Status.OK
    assert machine.work(60, 1).status is Status.OK


def test_a_machine_that_tells_nothing_keeps_no_box_from_starting() -> None:
    told: list[Processors] = []

    def read() -> Processors:
        if not told:
            raise FileNotFoundError("/proc/stat")
        return told[0]

    now = [0.0]
    watch = ProcessorWatch(read=read, clock=lambda: now[0])
    told.append(Processors(2, 10.0))
    assert watch.look().share is None
    told[0], now[0] = Processors(2, 11.0), 1.0
    assert watch.look().share == 0.5


def fake(root: Path, **files: str) -> Path:
    (root / "proc").mkdir()
    lines = ("cpu  300 100 200 9000 50 30 20 10 5 5", "cpu0 1", "cpu1 1", "cpu2 1", "cpu3 1", "intr 5")
    (root / "proc/stat").write_text("\n".join(lines))
    folder = root / "sys/fs/cgroup"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return root


def test_a_machine_and_a_container_in_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    machine = read_processors(fake(tmp_path / "one", cpu_max="max 100000\n", cpu_stat="usage_usec 5\n"))
    assert (machine.count, machine.busy_seconds > 0) == (4, True)
    (tmp_path / "two").mkdir()
    stat = "usage_usec 2500000\nuser_usec 7\n"
    assert read_processors(fake(tmp_path / "two", cpu_max="150000 100000\n", cpu_stat=stat)) == Processors(1.5, 2.5)
    (tmp_path / "three").mkdir()
    assert read_processors(fake(tmp_path / "three", cpu_max="800000 100000\n", cpu_stat=stat)).count == 4


def test_this_machine() -> None:
    found = read_processors()
    assert (found.count > 0, found.busy_seconds > 0) == (True, True)
