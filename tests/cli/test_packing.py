"""What goes to a box: the worker's own files, and nothing that is not theirs to see."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.cli.exits import CommandFailed
from v8box.cli.packing import Ignored, files_of, pack


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_hidden_files_packages_and_data_stay(tmp_path: Path) -> None:
    fill(tmp_path, "main.ts", "lib/a.ts", ".env", ".git/config", ".v8box/dev/x", "node_modules/x/index.js", "data/a.db")
    assert list(files_of(tmp_path, tmp_path / "data")) == ["main.ts", "lib/a.ts"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "w"
    fill(tmp_path, "secret.txt", "w/main.ts", "w/real.ts")
    (root / "stolen.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "twin.ts").symlink_to(root / "real.ts")
    assert list(files_of(root)) == ["main.ts", "real.ts", "twin.ts"]


def test_ignore_files_are_obeyed_the_last_rule_first(tmp_path: Path) -> None:
    fill(tmp_path, "main.ts", "a.log", "keep.log", "dist/x.js", "src/dist/y.js", "docs/a.md", "src/docs/b.md")
    (tmp_path / ".gitignore").write_text("# logs\n*.log\n!keep.log\ndist/\n")
    (tmp_path / ".v8boxignore").write_text("/docs\n")
    assert list(files_of(tmp_path)) == ["keep.log", "main.ts", "src/docs/b.md"]


@pytest.mark.parametrize(
    ("rule", "path", "folder", "ignored"),
    [
        ("*.log", "a/b.log", False, True),
        ("*.log", "a.log/b", False, False),
        ("/a", "b/a", False, False),
        ("a/b", "c/a/b", False, False),
        ("a/**", "a/b/c", False, True),
        ("**/b", "a/x/b", False, True),
        ("a/**/b", "a/b", False, True),
        ("build/", "build", False, False),
        ("build/", "build", True, True),
        ("[ab].ts", "a.ts", False, True),
        ("[!ab].ts", "a.ts", False, False),
        ("?.ts", "ab.ts", False, False),
        ("\\#x", "#x", False, True),
        ("a[", "a[", False, True),
        ("", "a", False, False),
    ],
)
def test_rules_are_read_as_git_reads_them(rule: str, path: str, folder: bool, ignored: bool) -> None:
    assert Ignored([rule])(path, is_folder=folder) is ignored


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=20))
def test_any_rule_can_be_asked(rules: list[str], path: str) -> None:
    assert Ignored(rules)(path, is_folder=False) in (True, False)


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    fill(tmp_path, "b.ts", "a.ts")
    first = pack(tmp_path, {"b.ts": tmp_path / "b.ts", "a.ts": tmp_path / "a.ts", "c": b"made"})
    (tmp_path / "a.ts").touch()
    assert first == pack(tmp_path, {"a.ts": tmp_path / "a.ts", "c": b"made", "b.ts": tmp_path / "b.ts"})
    assert zipfile.ZipFile(io.BytesIO(first.content)).namelist() == ["a.ts", "b.ts", "c"]


def test_nothing_what_is_gone_and_far_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandFailed, match="nothing to deploy"):
        pack(tmp_path, {})
    with pytest.raises(CommandFailed, match="cannot be read"):
        pack(tmp_path, {"a": tmp_path / "gone"})
    monkeypatch.setattr("v8box.cli.packing._MAX_FILES", 2)
    with pytest.raises(CommandFailed, match="v8boxignore"):
        pack(tmp_path, {"a": b"", "b": b"", "c": b""})
