"""Which master key a box uses, decided at its start before anything is changed.

`V8BOX_MASTER_KEY` if it is set, else the key file; the file is made only where nothing was sealed before. Every key
that the data keys name must be at hand, or the box does not start: a lost key is never replaced by another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from v8box.storage.encryption.envelope import MasterKey
from v8box.storage.encryption.errors import MasterKeyMissing, MasterKeyUnusable, MasterKeyWrong
from v8box.storage.encryption.key_folder import KeyFolder

_log: Final = logging.getLogger(__name__)


class KeySource(StrEnum):
    """Where the master key comes from."""

    ENVIRONMENT = "environment"  # V8BOX_MASTER_KEY, or box.master_key in v8box.toml
    FILE = "file"  # data/keys/master.key


@dataclass(frozen=True, slots=True)
class Choice:
    """The key that wraps from now on, and all that may still unwrap, by their ids."""

    current: MasterKey
    source: KeySource
    known: Mapping[str, MasterKey]


def choose(folder: KeyFolder, needed: frozenset[str], given: MasterKey | None, previous: MasterKey | None) -> Choice:
    """`needed` are the ids that data keys are wrapped by. Raises `MasterKeyMissing`, `MasterKeyWrong`,
    `MasterKeyUnusable`. Blocks: call it in a thread."""
    settings = [key for key in (given, previous) if key is not None]
    if given is not None:
        files = [key for path in _paths(folder) if (key := _read_if_sound(folder, path)) is not None]
        known = _by_id([*settings, *files])
        if not needed <= known.keys():
            raise _unavailable(needed, known, f"V8BOX_MASTER_KEY is the key {given.id}", folder)
        return Choice(given, KeySource.ENVIRONMENT, known)
    key, put_in_place = _from_files(folder, needed)
    replaced = _read_if_sound(folder, folder.previous_path)
    known = _by_id([*settings, *(each for each in (key, replaced) if each is not None)])
    if key is None:
        without_file = _by_id(settings)
        if not needed <= without_file.keys():
            raise _unavailable(needed, without_file, f"{folder.path} is not there", folder)
        key = folder.create(MasterKey.new())
    elif not needed <= known.keys():
        raise _unavailable(needed, known, f"{folder.path} is the key {key.id}", folder)
    put_in_place()
    return Choice(key, KeySource.FILE, {**known, key.id: key})


def _from_files(folder: KeyFolder, needed: frozenset[str]) -> tuple[MasterKey | None, Callable[[], None]]:
    """The key file's key, a rotation that was cut off seen to its end: the key, and what to do with the files once it
    is sure that the box starts."""
    following = folder.read(folder.next_path)
    if following is not None and following.id in needed:
        return following, folder.finish
    return folder.read(folder.path), folder.abandon


def _paths(folder: KeyFolder) -> tuple[Path, ...]:
    return folder.path, folder.next_path, folder.previous_path


def _read_if_sound(folder: KeyFolder, path: Path) -> MasterKey | None:
    try:
        return folder.read(path)
    except MasterKeyUnusable as error:
        _log.warning("A key that may not be needed cannot be used: %s", error.detail)
        return None


def _by_id(keys: Iterable[MasterKey]) -> dict[str, MasterKey]:
    return {key.id: key for key in keys}


def _unavailable(
    needed: frozenset[str], known: Mapping[str, MasterKey], found: str, folder: KeyFolder
) -> MasterKeyMissing | MasterKeyWrong:
    wanted = " and ".join(sorted(needed - known.keys()))
    where = f"Put it back in {folder.path}, or set V8BOX_MASTER_KEY to it"
    if known:
        where += " (V8BOX_MASTER_KEY_PREVIOUS, to go on to another key)"
    message = (
        f"Variables and other secrets are sealed with the master key {wanted}, but {found}. {where}. Nothing was "
        "changed. Without that key nobody can open them: to give them up, restore a catalog.db from before they were "
        "sealed"
    )
    return (MasterKeyWrong if known else MasterKeyMissing)(f"{message}.")
