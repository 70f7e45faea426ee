from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from v8box import settings
from v8box.features.deploy import scaffold
from v8box.features.deploy.discovery import Discovery
from v8box.sandbox.runtime import find_deno

if TYPE_CHECKING:
    from tests.deploy.conftest import Box

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKERS = {"api", "echo", "hello", "query", "tour", "upload"}


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_empty_folder_is_filled_with_the_examples(tmp_path: Path) -> None:
    served = tmp_path / "new" / "box"
    written = scaffold(served, served / "data")
    assert set(listing(EXAMPLES)) <= set(written)
    assert written == listing(served)
    assert scaffold(served, served / "data") == []
    assert set(Discovery(served, served / "data").look().workers) == WORKERS


def test_hidden_files_and_the_boxs_data_do_not_count(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "data").mkdir()
    assert "functions/hello.ts" in scaffold(tmp_path, tmp_path / "data")


@pytest.mark.parametrize("name", ["functions", "readme.md", "v8box.toml"])
def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert scaffold(tmp_path, tmp_path / "data") == []
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_examples_settings_are_the_defaults(tmp_path: Path) -> None:
    """What stands commented out in v8box.toml is what holds without it."""
    scaffold(tmp_path, tmp_path / "data")
    made, plain = settings.load(tmp_path, {}), settings.load(tmp_path / "elsewhere", {})
    assert (made.box, made.requests, made.sandboxes, made.logs) == (
        plain.box,
        plain.requests,
        plain.sandboxes,
        plain.logs,
    )
    text = (tmp_path / "v8box.toml").read_text(encoding="utf-8")
    head = text[: text.index("# A worker needs no table")]
    shown = tomllib.loads(re.sub(r"^# (\[\w+\]|\w+ = )", r"\1", head, flags=re.MULTILINE))
    defaults = {key: default for _, key, default in settings.variables()}
    for table, entries in shown.items():
        for name, value in entries.items():
            assert value == defaults[f"{table}.{name}"] or (value == [] and defaults[f"{table}.{name}"] == ())


@pytest.mark.parametrize("path", [path for path in listing(EXAMPLES) if path.endswith((".ts", ".js"))])
def test_each_worker_begins_with_its_curl_line(path: str) -> None:
    text = (EXAMPLES / path).read_text(encoding="utf-8")
    assert text.startswith("// ")
    parts = Path(path).with_suffix("").parts
    if len(parts) == 2 or parts[-1] == "main":
        assert re.search(rf"^//   curl .*http://localhost:8000/run/{parts[1]}", text, re.MULTILINE)


async def test_each_example_goes_live(box: Box) -> None:
    for path in listing(EXAMPLES):
        box.write(path, (EXAMPLES / path).read_text(encoding="utf-8"))
    await box.start()
    assert box.deploys.last_errors == {}
    assert set(box.catalog.routes.workers) == WORKERS
    api = box.catalog.routes.workers["api"].newest
    assert sorted(api.sources) == ["functions/api/main.ts", "functions/api/notes.ts", "functions/api/timing.ts"]
    source_map = await box.catalog.source_map(api)
    assert source_map is not None
    assert any(source.startswith("npm:hono@4.") for source in json.loads(source_map)["sources"])
    assert box.catalog.routes.workers["query"].newest.manifest.permissions.net == "none"


def test_the_examples_fit_the_types_that_ship(tmp_path: Path, cache: Path) -> None:
    if not (files("v8box") / "runtime" / "types" / "v8box.d.ts").is_file():
        pytest.skip("the types do not ship yet")
    scaffold(tmp_path, tmp_path / "data")
    env = {**os.environ, "DENO_DIR": str(cache / "cache" / "deno"), "NO_COLOR": "1"}
    command = [find_deno(), "check", "--quiet", "--no-lock", "functions/"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
