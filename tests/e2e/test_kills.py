"""kill -9 at any moment while workers write: every acknowledged write is there, every file opens, the box starts."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from pathlib import Path

import apsw
import httpx
import pytest
from tests.e2e.box import WAIT_SECONDS, RunningBox
from tests.e2e.conftest import WORKERS

BOXES, KILLS = 5, 10
SERVICES = ("db", "cache", "s3")


class Writers:
    """One client per service that writes until the box is gone. What was acknowledged is in `acknowledged`."""

    def __init__(self, box: RunningBox, cycle: int) -> None:
        self.acknowledged: dict[str, list[str]] = {service: [] for service in SERVICES}
        self.refused: list[str] = []
        self._box = box
        self._cycle = cycle
        self._answered = threading.Condition()
        self._threads = [threading.Thread(target=self._write, args=(service,)) for service in SERVICES]
        for thread in self._threads:
            thread.start()

    def _write(self, service: str) -> None:
        with httpx.Client(base_url=self._box.client.base_url, timeout=WAIT_SECONDS, trust_env=False) as client:
            for number in itertools.count():
                entry = f"{self._cycle:02}-{number}."
                try:
                    answer = client.get("/run/ledger", params={"write": entry, "where": service})
                except httpx.TransportError:
                    return
                with self._answered:
                    if answer.status_code == 200:
                        self.acknowledged[service].append(entry)
                    else:
                        self.refused.append(answer.text)
                    self._answered.notify_all()

    def wait(self, count: int) -> None:
        """Until so many writes are acknowledged in all, and each service has one."""
        with self._answered:
            assert self._answered.wait_for(lambda: self.refused or self._enough(count), WAIT_SECONDS), "nobody writes"

    def _enough(self, count: int) -> bool:
        counts = [len(entries) for entries in self.acknowledged.values()]
        return sum(counts) >= count and all(counts)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_SECONDS)


def kill(box: RunningBox) -> None:
    children = box.descendants()
    box.process.kill()
    box.process.wait()
    from tests.e2e.test_life import wait_gone

    wait_gone(children)
    box.stop()


def check(box: RunningBox, prefix: str, acknowledged: dict[str, list[str]]) -> None:
    """What was acknowledged is there, and whatever is there is whole."""
    found = box.run("ledger", params={"check": prefix}).json()["data"]
    for service in SERVICES:
        lost = set(acknowledged[service]) - set(found[service])
        assert not lost, f"{service} lost {sorted(lost)[:5]}"
    assert found["found"] == [len(found[service]) for service in SERVICES]


@pytest.mark.parametrize("seed", range(BOXES))
def test_what_was_acknowledged_outlives_fifty_kills(tmp_path: Path, seed: int) -> None:
    """Ten per box, so that several boxes can be killed at a time."""
    shutil.copytree(WORKERS / "functions", tmp_path / "functions", ignore=lambda _, names: {*names} - {"ledger.js"})
    chance = random.Random(seed)
    everything: dict[str, list[str]] = {service: [] for service in SERVICES}
    last: dict[str, list[str]] = {service: [] for service in SERVICES}
    for cycle in range(KILLS):
        box = RunningBox(tmp_path).wait_ready()
        if cycle:
            check(box, f"{cycle - 1:02}-", last)
        writers = Writers(box, cycle)
        writers.wait(chance.randrange(3, 120))
        kill(box)
        writers.join()
        assert not writers.refused, writers.refused[0]
        last = writers.acknowledged
        for service in SERVICES:
            everything[service] += last[service]
    for file in (tmp_path / "data").rglob("*.db"):
        connection = apsw.Connection(str(file))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], file
        connection.close()
    box = RunningBox(tmp_path).wait_ready()
    check(box, "", everything)
    assert box.stop() == 0
