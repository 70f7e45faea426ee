"""What `pip install v8box` brings: the wheel, installed away from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def _run(*arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environ},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_everything_that_is_read_at_run_time(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "v8box"
    wanted = [path for path in package.rglob("*") if path.suffix in (".py", ".ts", ".sql")]
    assert {f"v8box/{path.relative_to(package).as_posix()}" for path in wanted} <= inside
    dashboard = {name for name in inside if name.startswith("v8box/api/dashboard/built/")}
    assert "v8box/api/dashboard/built/index.html" in dashboard
    assert {Path(name).suffix for name in dashboard} >= {".js", ".css", ".br", ".gz", ".webmanifest"}
    examples = ROOT / "examples"
    kept = [path for path in examples.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert {f"v8box/examples/{path.relative_to(examples).as_posix()}" for path in kept} <= inside
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in inside)


def test_installed_it_fills_an_empty_folder_and_finds_its_shim(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel))
    _run("-m", "pip", "--disable-pip-version-check", *install)
    code = """
import sys
from pathlib import Path
import v8box
from v8box.features.deploy import scaffold
from v8box.sandbox.shim import _sources
assert Path(v8box.__file__).is_relative_to(sys.argv[1]), v8box.__file__
served = Path(sys.argv[2])
print(*scaffold(served, served / "data"))
print(*(path.name for path in _sources()))
"""
    made, shim = _run("-c", code, str(target), str(tmp_path / "box"), PYTHONPATH=str(target)).splitlines()
    assert {"deno.json", "functions/hello.ts", "functions/api/main.ts", "v8box.d.ts"} <= set(made.split())
    assert {"main.ts", "protocol.ts", "client.ts"} <= set(shim.split())
    assert (target / "bin" / "v8box").exists()
