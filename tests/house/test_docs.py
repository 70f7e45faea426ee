"""The documents name what exists, and everything that has to be named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from v8box import settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(("variable", "key"), [(variable, key) for variable, key, _ in settings.variables()])
def test_a_setting_is_documented_with_its_variable_and_its_key(variable: str, key: str) -> None:
    page = ROOT / "docs" / "settings.md"
    if not page.exists():
        pytest.skip("no docs/settings.md yet")
    text = page.read_text()
    assert re.search(rf"\b{variable}\b", text)
    assert key in text or re.search(rf"^\s*{key.split('.')[1]}\b", text, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_to_a_file(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_decisions_are_numbered_once_each() -> None:
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    numbers = [name[:4] for name in names]
    assert len(numbers) == len(set(numbers))


def test_every_page_is_found_from_the_first() -> None:
    """Followed from docs/README.md, the links lead to all of docs/."""
    docs = ROOT / "docs"
    found: set[Path] = set()
    waiting = [docs / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        linked = {(page.parent / link).resolve() for link in LINK.findall(page.read_text())}
        waiting += [each for each in linked if each.suffix == ".md" and docs in each.parents and each not in found]
    assert sorted(str(page.relative_to(docs)) for page in set(docs.rglob("*.md")) - found) == []


def test_contributing_is_short_and_its_table_leads_to_places_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(text.splitlines()) < 100
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 3]
    places = [place for row in rows for place in re.findall(r"`([\w./-]+/[\w./-]*)`", row)]
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []
