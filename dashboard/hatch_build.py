"""Builds the dashboard into a wheel that would be without it. `make dashboard` builds it beforehand, and an editable
installation (`make install`) does without."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's own parameter means nothing here
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        built = root / "src" / "v8box" / "api" / "dashboard" / "built" / "index.html"
        if version == "editable" or built.exists():
            return
        deno = shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno")
        if deno is None:
            raise RuntimeError(
                "The dashboard is not built, and Deno is not there to build it: run `make dashboard` first."
            )
        for arguments in (["install", "--frozen"], ["run", "--cached-only", "--allow-all", "scripts/build.ts"]):
            subprocess.run([deno, *arguments], cwd=root / "dashboard", check=True)  # noqa: S603 - our own words
