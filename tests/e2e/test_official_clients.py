"""The official clients: inside a worker with what the box hands it, and from outside against the box's hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.box import RunningBox

WORKERS = Path(__file__).parent / "workers_official"


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box whose workers import the clients from npm."""
    directory = tmp_path_factory.mktemp("official")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def test_the_founding_products_kind_of_worker_runs_unchanged(official: RunningBox) -> None:
    answers = [official.run("founding", params={"name": name}).json() for name in ("Ada", "Grace")]
    assert [answer["data"] for answer in answers] == [{"visits": 1, "name": "Ada"}, {"visits": 2, "name": "Grace"}]


@pytest.mark.parametrize("worker", ["objects", "uploads"])
def test_the_s3_sdk_in_a_worker(official: RunningBox, worker: str) -> None:
    mark = official.mark()
    answer = official.run(worker)
    assert answer.json().get("data") == "ok", "\n".join([answer.text, *official.lines[mark:]])
