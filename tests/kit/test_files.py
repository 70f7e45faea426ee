from __future__ import annotations

import os
from pathlib import Path

import pytest

from v8box.kit.files import FileHashes, is_within


def test_within_follows_links(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "inside").mkdir()
    (inside / "link").symlink_to(tmp_path)
    assert is_within(inside / "missing" / "x", inside)
    assert is_within(inside, inside)
    assert not is_within(tmp_path / "inside", inside)  # a name that only begins alike
    assert not is_within(inside / ".." / "x", inside)
    assert not is_within(inside / "link" / "x", inside)
    assert is_within(inside, Path("/"))


def test_a_hash_follows_the_file(tmp_path: Path) -> None:
    hashes = FileHashes()
    path = tmp_path / "a"
    assert hashes.of(path) is None
    path.write_bytes(b"one")
    first = hashes.of(path)
    path.write_bytes(b"two")  # same size, and perhaps within one tick of the file system's clock
    second = hashes.of(path)
    assert first is not None
    assert second not in (None, first)
    os.utime(path, ns=(1, 1))
    assert hashes.of(path) == second
    assert hashes.of(tmp_path) is None
    os.mkfifo(tmp_path / "pipe")
    assert hashes.of(tmp_path / "pipe") is None


def test_an_old_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.kit.files._SETTLED_NS", -1)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    hashes = FileHashes()
    first = hashes.of(path)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert hashes.of(path) == first
