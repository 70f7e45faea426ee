"""Code that was written for D1, and an ORM on its drivers for D1 and LibSQL, unchanged in workers of a real box."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.box import RunningBox

WORKERS = Path(__file__).parent / "workers"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("orms")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def test_code_for_d1_runs_unchanged(box: RunningBox) -> None:
    answer = box.run("d1")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["one"]["success"] is True
    assert found["one"]["results"] == []
    meta = found["one"]["meta"]
    assert meta.pop("size_after") > 0
    assert meta == {
        "served_by": "v8box",
        "duration": "number",
        "changes": 1,
        "last_row_id": 1,
        "changed_db": True,
        "rows_read": 0,
        "rows_written": 1,
    }
    assert found["total"] == 2
    ann = {"id": 1, "email": "ann@example.com", "pic": [1, 2, 255]}
    assert (found["first"], found["email"], found["nobody"], found["all"]) == (ann, "ann@example.com", None, 2)
    assert found["raw"] == [["id", "email", "pic"], [1, "ann@example.com", [1, 2, 255]], [2, "bob@example.com", None]]
    assert found["flag"] == {"t": "integer", "v": 1}
    assert found["columns"] == ["id", "email", "pic"]
    unique = "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"
    assert found["failures"][:2] == [unique, unique]
    assert found["failures"][2].startswith("D1_EXEC_ERROR: Error in line 2: SELEC 1;: near")
    assert found["failures"][3].startswith("D1_ERROR: ")
    assert found["failures"][4] == "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'"


FOUND: dict[str, Any] = {
    "ann": {"id": 1, "name": "ann", "born": 86_400_000, "active": True},
    "joined": [{"name": "ann", "title": "second"}, {"name": "ann", "title": "first"}],
    "related": {"name": "ann", "notes": [["a", "b"], None]},
    "count": 3,
    "upserted": [{"active": False}],
    "batched": [{"title": "third"}],
    "left": 0,
    "run": True,
    "all": [{"two": 2}],
}


@pytest.mark.parametrize("driver", ["drizzle_d1", "drizzle_libsql"])
def test_drizzle_runs_on_its_driver(box: RunningBox, driver: str) -> None:
    answer = box.run(driver)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if driver == "drizzle_libsql":
        found = found["data"]
        assert found.pop("names") == ["bob", "kept"]
    assert "UNIQUE constraint failed: authors.name" in found.pop("conflict")
    assert found.pop("get") in ({"three": 3}, [3])
    assert found == FOUND
