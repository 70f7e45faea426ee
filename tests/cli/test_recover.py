"""A box whose own database is damaged: it says so and does not start; the last good copy is put back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.box import RunningBox

COMMAND = str(Path(sys.executable).parent / "v8box")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PORT": "0", "NO_COLOR": "1"}
    return subprocess.run(
        [COMMAND, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def test_a_damaged_database_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "a.ts").write_text("export default () => 1;")
    box = RunningBox(tmp_path)
    try:
        box.wait_ready()
        busy = run("recover", str(tmp_path), "--yes")
        assert busy.returncode == 1
        assert "stop it first" in busy.stderr
    finally:
        box.stop()
    data = tmp_path / "data"
    copy = data / "backups" / "catalog-20260101T000000000000Z.db"
    copy.parent.mkdir(exist_ok=True)
    whole = (data / "catalog.db").read_bytes()
    copy.write_bytes(whole)
    (data / "catalog.db").write_bytes(b"garbage" * 10_000)
    refused = run("up", str(tmp_path))
    assert refused.returncode == 1
    assert "is damaged" in refused.stderr
    assert copy.name in refused.stderr
    assert "v8box recover" in refused.stderr
    assert (data / "catalog.db").read_bytes() == b"garbage" * 10_000
    asked = run("recover", str(tmp_path))
    assert asked.returncode != 0
    assert "--yes" in asked.stderr
    done = run("recover", str(tmp_path), "--yes")
    assert done.returncode == 0, done.stderr
    assert "damaged-" in done.stdout
    again = RunningBox(tmp_path)
    try:
        again.wait_ready()
        assert again.client.get("/run/a").json()["data"] == 1
    finally:
        again.stop()
