"""One box for all tests that do not stop it; it serves `workers/`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.box import RunningBox

WORKERS = Path(__file__).parent / "workers"


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("box")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


@pytest.fixture
def own_box(tmp_path: Path) -> Iterator[RunningBox]:
    """A box of the test's own, in an empty folder: it fills it with the examples."""
    running = RunningBox(tmp_path / "box")
    try:
        yield running
    finally:
        running.stop()
