"""The words of the house are there, and CI says them and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
WORDS = ["install", "run", "test", "check", "format", "bench", "lock"]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_a_phony_target_with_a_line_of_help(word: str) -> None:
    assert re.search(rf"^{word}:.* ## \S", MAKEFILE, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert word in phony[1].split()


def test_make_alone_lists_the_words() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert {f"make {word}" for word in WORDS} <= {" ".join(line.split()[:2]) for line in listed.splitlines()}


def test_ci_says_the_words_of_a_developer() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    said = [line for line in lines if not line.startswith(("set ", "cd ", "export "))]
    assert said == ["make check", "make test AGAIN=1"]
