"""The version is written in three places; they agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import v8box

ROOT = Path(__file__).parents[2]


def test_the_package_has_the_projects_version() -> None:
    assert v8box.__version__ == _project()["version"]


def test_the_changelogs_newest_release_is_the_projects_version() -> None:
    changelog = ROOT / "CHANGELOG.md"
    if not changelog.exists():
        pytest.skip("no changelog yet")
    releases = re.findall(r"^## \[?v?(\d+\.\d+\.\d+\S*?)\]?(?:\s|$)", changelog.read_text(), re.MULTILINE)
    assert releases, "CHANGELOG.md has no `## [x.y.z] - date` heading"
    assert releases[0] == _project()["version"]


def _project() -> dict[str, str]:
    project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
