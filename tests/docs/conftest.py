"""One box runs every example of `docs/bindings`, page by page and in order, once per session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.docs.examples import CHECKS, Example, as_toml, blocks, manifest, worker_source
from tests.e2e.box import RunningBox

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("docs/bindings/*.md"))

# The site `blog`, as docs/bindings/assets.md tells of it.
SITE = {
    "index.html": "<h1>Blog</h1>\n",
    "about.html": "<h1>About</h1>\n",
    "404.html": "<h1>Not here</h1>\n",
    "data.json": '{"posts": 3}\n',
    "_redirects": "/posts/* /index.html 200\n/old /about 301\n",
}


# The worker `prices`, as docs/bindings/services.md tells of it.
PRICES = next(
    block.code
    for block in blocks("services.md", (ROOT / "docs" / "bindings" / "services.md").read_text(encoding="utf-8"))
    if block.language == "ts ignore"
)


@dataclass(frozen=True)
class Outcome:
    """What a worker answered, and what the box printed of it."""

    status: int
    text: str
    printed: str


def examples(page: Path) -> list[Example]:
    return blocks(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8"))


def runnable() -> list[Example]:
    return [example for page in PAGES for example in examples(page) if example.language == "ts"]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Example, Outcome]:
    """By example. Blocks of a page may build on what those before them stored."""
    directory = tmp_path_factory.mktemp("docs")
    (directory / "functions").mkdir()
    (directory / "checks.ts").write_text(CHECKS.read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in SITE.items():
        (directory / "pages" / "blog" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "pages" / "blog" / name).write_text(text, encoding="utf-8")
    (directory / "functions" / "prices.ts").write_text(PRICES, encoding="utf-8")
    tables = []
    for page in PAGES:
        found = examples(page)
        granted = manifest(found)
        for example in (example for example in found if example.language == "ts"):
            source = worker_source(example)
            (directory / "functions" / f"{example.worker}.ts").write_text(source, encoding="utf-8")
            tables += [f"[workers.{example.worker}]", *(f"{key} = {as_toml(value)}" for key, value in granted.items())]
    (directory / "v8box.toml").write_text("\n".join(tables) + "\n", encoding="utf-8")
    box = RunningBox(directory)
    try:
        box.wait_ready()
        for page in PAGES:
            _make(box, manifest(examples(page)))
        answers = {example: box.run(example.worker) for example in runnable()}
    finally:
        box.stop()  # and all that it has to say has been printed
    return {
        example: Outcome(answer.status_code, answer.text, _printed(box.lines, example.worker))
        for example, answer in answers.items()
    }


def _make(box: RunningBox, granted: Mapping[str, Any]) -> None:
    """Makes the databases and buckets that the manifest of a page names, as an operator does beforehand. What cannot be
    made fails the examples that want it, with the box's words for that."""
    permissions, bindings = granted.get("permissions", {}), granted.get("bindings", {}).values()
    for key, kind, route in (
        ("databases", "database", "/admin/database/databases"),
        ("buckets", "bucket", "/admin/s3/buckets"),
    ):
        for name in {*permissions.get(key, ()), *(entry[kind] for entry in bindings if kind in entry)}:
            box.admin.post(route, json={"name": name})


def _printed(lines: list[str], worker: str) -> str:
    """The worker's lines, and those that go on from one of them."""
    found, its = [], False
    for line in lines:
        its = line.startswith(f"{worker} |") or (its and line.startswith(" "))
        if its:
            found.append(line)
    return "\n".join(found)
