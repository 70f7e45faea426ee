"""What is now: of workers, summed up for projects and the box, and of the machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.fakes.versions import a_version

from v8box.features.metrics import gauges as module
from v8box.features.metrics.gauges import Gauges
from v8box.pool.group import GroupState
from v8box.telemetry.metrics.figures import Key


def state(worker: str, project: str = "default", *, inflight: int = 0, memory: int = 0) -> GroupState:
    placement = dataclasses.replace(a_version(worker), project=project)
    return GroupState(placement, 2, inflight, 1, 2 * memory, memory)


def test_workers_are_summed_up_for_their_projects_and_the_box(tmp_path: Path) -> None:
    asked: list[bool] = []
    states = [state("a", inflight=3, memory=10), state("b", inflight=1, memory=20), state("c", "shop", inflight=5)]

    def look(memory: bool) -> list[GroupState]:
        asked.append(memory)
        return states

    gauges = Gauges(look, tmp_path)
    found = gauges()
    placement = states[0].placement
    assert found[Key("default", placement.environment, "a", placement.id)] == {
        "inflight": 3,
        "waiting": 1,
        "sandboxes": 2,
        "memory": 10,
    }
    assert found[Key("default")] == {"inflight": 4, "waiting": 2, "sandboxes": 4}
    box = found[Key("")]
    assert (box["inflight"], box["sandboxes"], box["sandbox_memory_bytes"]) == (9, 6, 60)
    assert 0 < box["machine_memory_used_bytes"] < box["machine_memory_total_bytes"]
    assert 0 < box["disk_used_bytes"] < box["disk_total_bytes"]
    assert box["process_memory_bytes"] > 1_000_000
    assert 0 <= box["process_cpu"]
    assert set(box) <= set(module.BOX_GAUGES)
    assert asked == [True]


def test_memory_and_the_machine_are_looked_at_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gauges = Gauges(lambda memory: [state("a", inflight=1, memory=10 if memory else 0)], tmp_path)
    gauges()
    assert "machine_memory_used_bytes" not in gauges()[Key("")]
    monkeypatch.setattr(module, "SLOW_SECONDS", 0.0)
    assert "machine_memory_used_bytes" in gauges()[Key("")]


def test_where_nothing_goes_on_there_is_nothing_to_keep(tmp_path: Path) -> None:
    gauges = Gauges(lambda _: [], tmp_path / "gone")
    gauges()
    assert gauges() == {}
