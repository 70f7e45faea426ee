"""The differences on their own: what a patch makes of them, and that no text takes long."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.workers import diff as module
from v8box.features.workers.diff import diff_files, diff_packages

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "+x\n", "--- y\n", "@@\n"]), max_size=30).map("".join)


@given(LINES, LINES)
def test_counts_are_those_of_the_lines(old: str, new: str) -> None:
    (found,), short = diff_files({"f": old.encode()}, {"f": new.encode()})
    assert not short
    assert found.diff is not None
    assert len(new.splitlines()) - len(old.splitlines()) == found.added - found.removed


@pytest.mark.skipif(shutil.which("patch") is None, reason="there is no patch")
def test_patch_makes_the_new_file_of_the_old_one(tmp_path: Path) -> None:
    old = "".join(f"line {number}\n" for number in range(200))
    new = old.replace("line 5\n", "").replace("line 100\n", "other\nmore\n") + "end\n"
    (found,), _ = diff_files({"f": old.encode()}, {"f": new.encode()})
    assert found.diff is not None
    assert found.diff.count("@@ -") == 3
    (tmp_path / "f").write_text(old)
    subprocess.run(["patch", "-p1"], input=found.diff, text=True, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "f").read_text() == new


def test_texts_that_are_all_different_are_replaced_as_a_whole_and_soon() -> None:
    old = "".join(f"a{number % 97}\n" for number in range(30_000)).encode()
    new = "".join(f"b{number % 89}\n" for number in range(30_000)).encode()
    (found,), short = diff_files({"f": old}, {"f": new})
    assert (found.added, found.removed, short) == (30_000, 30_000, False)
    assert found.diff is not None


def test_there_is_an_end_to_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DIFF_CHARACTERS", 100)
    found, short = diff_files({}, {"a": b"x\n", "b": b"y\n" * 100, "c": b"z\n"})
    assert [each.diff is None for each in found] == [False, True, False]
    assert [each.added for each in found] == [1, 100, 1]
    assert short


@pytest.mark.parametrize("lock", [b"", b"{", b"[]", b'{"npm": 1}', b'{"packages": []}', b"[" * 100_000, None])
def test_a_lock_that_is_none_has_no_packages(lock: bytes | None) -> None:
    assert diff_packages(lock, None) == []


def test_a_lock_of_an_older_form_is_read_too() -> None:
    (found,) = diff_packages(None, b'{"version":"3","packages":{"npm":{"hono@4.0.0":{}}}}')
    assert (found.name, found.status, found.after) == ("hono", "added", ["4.0.0"])
