"""The commands against a real box, found by the file that it writes; and what they must not cost its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.box import RunningBox

COMMAND = str(Path(sys.executable).parent / "v8box")


def call(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in ("V8BOX_URL", "V8BOX_DATA_DIR")}
    return subprocess.run([COMMAND, *words], cwd=directory, env=env, capture_output=True, text=True, timeout=60)


def data(directory: Path, *words: str) -> Any:
    done = call(directory, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", ["v8box.app", "v8box.cli.main"])
def test_a_start_does_not_load_what_only_operators_need(module: str) -> None:
    code = f"import sys, {module}; sys.exit('fastapi' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_box_is_found_while_it_runs_and_keeps_what_was_done(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    (directory / "migrations").mkdir(parents=True)
    (directory / "migrations" / "0001_notes.sql").write_text("create table notes (id integer primary key, text);")
    box = RunningBox(directory)
    try:
        box.wait_ready()
        assert data(directory, "db", "migrate")["migrations"] == ["0001_notes.sql"]
        assert data(directory, "db", "query", "insert into notes (text) values (?)", "hello")["rowsAffected"] == 1
        assert "photos" in data(directory, "s3", "create", "photos")["name"]
        assert call(directory, "s3", "cp", "migrations/0001_notes.sql", "s3://photos/").returncode == 0
        assert data(directory, "db", "token", "create")["token"].startswith("v8db_")
        refused = box.client.get("/admin/database/databases")
        assert (refused.status_code, refused.json()["code"]) == (401, "sign_in_needed")
        assert box.client.get("/admin/openapi.json").json()["openapi"].startswith("3.1")
    finally:
        box.stop()
    gone = call(directory, "db", "list")
    assert gone.returncode == 6
    assert "v8box up" in gone.stderr
    box = RunningBox(directory)
    try:
        box.wait_ready()
        assert data(directory, "db", "query", "select text from notes")["rows"] == [{"text": "hello"}]
        [stored] = data(directory, "s3", "ls", "photos")["objects"]
        assert stored["key"] == "0001_notes.sql"
        assert data(directory, "db", "status")[0]["state"] == "applied"
        assert len(data(directory, "db", "token", "list")) == 1
    finally:
        box.stop()
