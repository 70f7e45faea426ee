"""A site in a real box: served at once, and smaller when the process beside has been at it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.box import RunningBox

PAGE = "<html>\n  <body>\n" + "    <p>hello</p>\n" * 200 + "  </body>\n</html>\n"
PATIENCE_SECONDS = 240.0
"""The process gets what nobody else wants of the processor."""


def test_a_site_becomes_smaller_after_it_is_live(tmp_path: Path) -> None:
    site = tmp_path / "pages" / "blog"
    site.mkdir(parents=True)
    (tmp_path / "functions").mkdir()
    (site / "index.html").write_text(PAGE)
    (site / "v8box.toml").write_text('[site]\noptimise = ["html"]\n')
    box = RunningBox(tmp_path)
    try:
        box.wait_ready()
        assert len(raw(box).content) in (len(PAGE), len(PAGE.replace("\n    ", "\n").replace("\n  ", "\n")))
        told = report(box)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while told.get("state") != "done" and time.monotonic() < deadline:
            time.sleep(0.2)
            told = report(box)
        assert (told["state"], told["files"], told["left_count"]) == ("done", 1, 0)
        plain = raw(box).text
        assert plain == PAGE.replace("\n    ", "\n").replace("\n  ", "\n")
        packed = raw(box, "gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert len(PAGE) - int(packed.headers["content-length"]) <= told["saved_bytes"]
        asked = box.admin.post("/api/v1/projects/default/sites/blog/releases/1/optimise")
        assert (asked.status_code, asked.json()) == (202, {"state": "queued"})
    finally:
        assert box.stop() == 0


def raw(box: RunningBox, encoding: str = "identity") -> httpx.Response:
    return box.client.get("/pages/blog/", headers={"accept-encoding": encoding})


def report(box: RunningBox) -> dict[str, Any]:
    answer = box.admin.get("/api/v1/projects/default/sites/blog/releases/1")
    told: dict[str, Any] = answer.json()["report"].get("optimisation", {}) if answer.status_code == 200 else {}
    return told
