from __future__ import annotations

import os
from pathlib import Path

import pytest

from v8box.kit.lock import AlreadyLocked, DirectoryLock


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "data")
    with pytest.raises(AlreadyLocked) as caught:
        DirectoryLock(tmp_path / "data")
    assert caught.value.pid == str(os.getpid())
    lock.release()
    DirectoryLock(tmp_path / "data").release()


def test_the_directory_is_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    DirectoryLock(data).release()
    assert mode(data) == 0o700
    assert mode(data / "box.lock") == 0o600
    data.chmod(0o755)
    DirectoryLock(data).release()  # one of ours that was opened up
    assert mode(data) == 0o700
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    DirectoryLock(empty).release()
    assert mode(empty) == 0o700


def test_a_directory_that_held_other_things_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "of-somebody").touch()
    DirectoryLock(shared).release()
    assert mode(shared) == 0o755
