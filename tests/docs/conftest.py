"""One box runs every example of `docs/bindings`, page by page and in order, once per session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.examples import CHECKS, Example, as_toml, blocks, manifest, worker_source
from tests.e2e.box import RunningBox

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("docs/bindings/*.md"))


@dataclass(frozen=True)
class Outcome:
    """What a worker answered, and what the box printed meanwhile."""

    status: int
    text: str
    printed: list[str]


def examples(page: Path) -> list[Example]:
    return blocks(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8"))


def runnable() -> list[Example]:
    return [example for page in PAGES for example in examples(page) if example.language == "ts"]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Example, Outcome]]:
    """By example. Blocks of a page may build on what those before them stored."""
    directory = tmp_path_factory.mktemp("docs")
    (directory / "functions").mkdir()
    (directory / "checks.ts").write_text(CHECKS.read_text(encoding="utf-8"), encoding="utf-8")
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
        yield {example: _run(box, example) for example in runnable()}
    finally:
        box.stop()


def _run(box: RunningBox, example: Example) -> Outcome:
    mark = box.mark()
    answer = box.run(example.worker)
    return Outcome(answer.status_code, answer.text, box.lines[mark:])
