"""Sealing at rest: what opens and what does not, which master key a start takes, rotations cut off at any moment."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.keys import parse_key
from v8box.settings import Secret
from v8box.storage import Database
from v8box.storage.encryption import (
    Encryption,
    KeySource,
    MasterKeyElsewhere,
    MasterKeyMissing,
    MasterKeyUnusable,
    MasterKeyWrong,
    SealBroken,
    SealedDataDamaged,
)
from v8box.storage.encryption.envelope import MasterKey, open_sealed, seal
from v8box.storage.encryption.key_folder import KeyFolder

KEY = os.urandom(32)
OTHER = os.urandom(32)
names = st.text(st.characters(codec="utf-8"), max_size=20)


def text(key: bytes) -> Secret:
    return Secret(base64.b64encode(key).decode())


@asynccontextmanager
async def opened(folder: Path, **keys: Secret | None) -> AsyncIterator[Encryption]:
    database = await Database.open(folder / "catalog.db")
    try:
        yield await Encryption.open(database, folder / "keys", **keys)
    finally:
        await database.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "keys").iterdir()}


# ---- the bytes


@given(st.binary(max_size=200), names, names, names)
def test_a_sealed_value_opens_where_it_belongs(plain: bytes, owner: str, purpose: str, name: str) -> None:
    sealed = seal(KEY, 7, plain, owner, purpose, name)
    assert open_sealed(KEY, sealed, owner, purpose, name) == plain
    assert seal(KEY, 7, plain, owner, purpose, name) != sealed


@given(st.binary(max_size=40), st.tuples(names, names, names), st.tuples(names, names, names))
def test_it_opens_nowhere_else(plain: bytes, place: tuple[str, ...], elsewhere: tuple[str, ...]) -> None:
    sealed = seal(KEY, 1, plain, *place)
    if place != elsewhere:
        with pytest.raises(SealBroken):
            open_sealed(KEY, sealed, *elsewhere)
    with pytest.raises(SealBroken):
        open_sealed(OTHER, sealed, *place)


def test_parts_of_a_place_do_not_run_together() -> None:
    with pytest.raises(SealBroken):
        open_sealed(KEY, seal(KEY, 1, b"x", "a/b", "c"), "a", "b/c")


@given(st.binary(min_size=1, max_size=30), st.data())
def test_any_changed_byte_shows(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, 1, plain, "p", "v", "n"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        open_sealed(KEY, bytes(sealed), "p", "v", "n")


@given(st.integers(0, 60))
def test_a_cut_value_shows(length: int) -> None:
    sealed = seal(KEY, 1, b"x" * 40, "p", "v", "n")
    with pytest.raises(SealBroken):
        open_sealed(KEY, sealed[:length], "p", "v", "n")


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_read_in_every_form_that_people_write(key: bytes) -> None:
    plain = base64.b64encode(key).decode()
    for form in (key.hex(), key.hex().upper(), plain, plain.rstrip("="), f" {plain}\n"):
        assert parse_key(form) == key
    assert parse_key(base64.urlsafe_b64encode(key).decode()) == key


@given(st.text("0123456789abcdefABCDEF+/=-_ !", min_size=8, max_size=42) | st.text("!", min_size=43, max_size=64))
def test_what_is_no_key_is_not_repeated(written: str) -> None:
    with pytest.raises(ValueError, match="must be 32 random bytes") as caught:
        parse_key(written)
    assert written.strip() == "" or written not in str(caught.value)


def test_a_master_key_shows_only_its_id() -> None:
    key = MasterKey(KEY)
    shown = f"{key!r} {key}"
    assert key.id in shown
    assert KEY.hex()[:16] not in shown
    assert key.id == MasterKey(KEY).id != MasterKey(OTHER).id


# ---- one box


async def test_the_key_file_is_made_at_the_first_start_for_the_boxs_user_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as encryption:
        status = await encryption.status()
    path = tmp_path / "keys" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (status.source, status.key_id) == (KeySource.FILE, MasterKey.parse(path.read_text()).id)
    before = files(tmp_path)
    async with opened(tmp_path):
        assert files(tmp_path) == before


async def test_projects_and_the_box_have_keys_of_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as encryption:
        shop, blog, box = encryption.sealer("shop"), encryption.sealer("blog"), encryption.sealer(None)
        sealed = await shop.seal("variables", "TOKEN", b"hunter2!")
        await blog.seal("variables", "TOKEN", b"x")
        await box.seal("totp", "ada", b"y")
        assert shop.open("variables", "TOKEN", sealed) == b"hunter2!"
        for wrong in (blog, box, encryption.sealer("nobody")):
            with pytest.raises(SealBroken):
                wrong.open("variables", "TOKEN", sealed)
        with pytest.raises(SealBroken):
            shop.open("variables", "OTHER", sealed)
        assert (await encryption.status()).data_keys == 3
        with pytest.raises(ValueError, match="has a name"):
            encryption.sealer("")
    async with opened(tmp_path) as encryption:
        assert encryption.sealer("shop").open("variables", "TOKEN", sealed) == b"hunter2!"
    assert b"hunter2!" not in (tmp_path / "catalog.db").read_bytes()


async def test_sealing_at_once_makes_one_data_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as encryption:
        sealer = encryption.sealer("shop")
        sealed = await asyncio.gather(*(sealer.seal("v", str(number), b"x") for number in range(20)))
        assert [sealer.open("v", str(number), each) for number, each in enumerate(sealed)] == [b"x"] * 20
        assert (await encryption.status()).data_keys == 1


async def test_what_a_removed_project_sealed_is_unreadable(tmp_path: Path) -> None:
    async with opened(tmp_path) as encryption:
        sealed = await encryption.sealer("shop").seal("v", "n", b"x")
        await encryption.forget("shop")
        await encryption.sealer("shop").seal("v", "n", b"x")  # the name is taken again
        with pytest.raises(SealBroken):
            encryption.sealer("shop").open("v", "n", sealed)


# ---- starting with a key that is missing, wrong or damaged


async def sealed_box(folder: Path, **keys: Secret | None) -> tuple[str, bytes]:
    async with opened(folder, **keys) as encryption:
        sealed = await encryption.sealer("shop").seal("v", "n", b"hunter2!")
        return (await encryption.status()).key_id, sealed


async def test_a_lost_key_file_is_not_replaced(tmp_path: Path) -> None:
    key_id, sealed = await sealed_box(tmp_path)
    kept = tmp_path / "keys" / "master.key"
    kept = kept.rename(tmp_path / "kept")
    for _ in range(2):
        with pytest.raises(MasterKeyMissing) as caught:
            async with opened(tmp_path):
                pass
        assert key_id in caught.value.detail
        assert str(tmp_path / "keys" / "master.key") in caught.value.detail
        assert "Nothing was changed" in caught.value.detail
        assert files(tmp_path) == {}
    async with opened(tmp_path, master_key=Secret(kept.read_text())) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"


async def test_a_key_that_was_lost_before_anything_was_sealed_is_made_anew(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "keys" / "master.key").unlink()
    async with opened(tmp_path) as encryption:
        await encryption.sealer("shop").seal("v", "n", b"x")


@pytest.mark.parametrize("from_file", [True, False])
async def test_a_wrong_key_does_not_start_and_names_both(tmp_path: Path, from_file: bool) -> None:
    key_id, _ = await sealed_box(tmp_path, master_key=text(KEY))
    given = None if from_file else text(OTHER)
    (tmp_path / "keys").mkdir()
    if from_file:
        (tmp_path / "keys" / "master.key").write_text(text(OTHER).reveal())
    before = files(tmp_path)
    with pytest.raises(MasterKeyWrong) as caught:
        async with opened(tmp_path, master_key=given):
            pass
    assert key_id in caught.value.detail
    assert MasterKey(OTHER).id in caught.value.detail
    assert text(OTHER).reveal() not in caught.value.detail
    assert files(tmp_path) == before


async def test_an_environment_key_that_is_gone_is_told(tmp_path: Path) -> None:
    key_id, _ = await sealed_box(tmp_path, master_key=text(KEY))
    with pytest.raises(MasterKeyMissing, match=key_id):
        async with opened(tmp_path):
            pass
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 32, b"A" * 5_000, b"A" * 42 + b"!"])
async def test_a_damaged_key_file_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    await sealed_box(tmp_path)
    path = tmp_path / "keys" / "master.key"
    path.write_bytes(content)
    with pytest.raises(MasterKeyUnusable, match=r"master\.key") as caught:
        async with opened(tmp_path):
            pass
    assert caught.value.__cause__ is None
    assert path.read_bytes() == content


async def test_a_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "master.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MasterKeyUnusable, match="leads nowhere"):
        async with opened(tmp_path):
            pass


async def test_a_key_file_that_others_can_read_is_closed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await sealed_box(tmp_path)
    path = tmp_path / "keys" / "master.key"
    path.chmod(0o644)
    async with opened(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "could be read by others" in caplog.text
    assert path.read_text().strip() not in caplog.text


async def test_a_changed_data_key_does_not_start(tmp_path: Path) -> None:
    await sealed_box(tmp_path)
    database = await Database.open(tmp_path / "catalog.db")
    await database.write(lambda sql: sql.execute("update data_keys set owner = 'blog'"))
    await database.close()
    with pytest.raises(SealedDataDamaged, match="the project blog"):
        async with opened(tmp_path):
            pass


# ---- another master key


async def test_a_start_with_both_keys_goes_over_to_the_new_one(tmp_path: Path) -> None:
    _, sealed = await sealed_box(tmp_path, master_key=text(KEY))
    async with opened(tmp_path, master_key=text(OTHER), previous=text(KEY)) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"
    async with opened(tmp_path, master_key=text(OTHER)) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"
        assert (await encryption.status()).key_id == MasterKey(OTHER).id
    with pytest.raises(MasterKeyWrong):
        async with opened(tmp_path, master_key=text(KEY)):
            pass


async def test_from_the_file_to_the_environment_and_back(tmp_path: Path) -> None:
    _, sealed = await sealed_box(tmp_path)
    async with opened(tmp_path, master_key=text(KEY)) as encryption:  # the file is the former key
        assert (await encryption.status()).source is KeySource.ENVIRONMENT
    (tmp_path / "keys" / "master.key").unlink()
    async with opened(tmp_path, previous=text(KEY)) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"
        assert (await encryption.status()).source is KeySource.FILE
    async with opened(tmp_path) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"


async def test_a_rotation_wraps_anew_while_the_box_runs(tmp_path: Path) -> None:
    noted: list[Any] = []
    async with opened(tmp_path) as encryption:
        sealer = encryption.sealer("shop")
        sealed = await sealer.seal("v", "n", b"x")
        before = await encryption.status()
        rotated = await encryption.rotate(note=lambda _, key_id: noted.append(key_id))
        after = await encryption.status()
        assert (rotated.rewrapped, rotated.key_id) == (1, after.key_id)
        assert after.key_id != before.key_id
        assert noted == [after.key_id]
        assert sealer.open("v", "n", sealed) == b"x"
    assert set(files(tmp_path)) == {"master.key", "master.key.previous"}
    (tmp_path / "keys" / "master.key.previous").unlink()
    async with opened(tmp_path) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"x"


async def test_a_backup_from_before_a_rotation_opens_with_the_previous_file(tmp_path: Path) -> None:
    _, sealed = await sealed_box(tmp_path)
    shutil.copy(tmp_path / "catalog.db", tmp_path / "backup.db")
    async with opened(tmp_path) as encryption:
        await encryption.rotate()
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"catalog.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(tmp_path / "catalog.db")
    async with opened(tmp_path) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"


async def test_what_comes_from_elsewhere_is_not_rotated_here(tmp_path: Path) -> None:
    async with opened(tmp_path / "a", master_key=text(KEY)) as encryption:
        with pytest.raises(MasterKeyElsewhere, match="V8BOX_MASTER_KEY_PREVIOUS"):
            await encryption.rotate()
        assert (await encryption.rotate(master_key=False, data_keys=True)).rewrapped == 0
    elsewhere = tmp_path / "secret"
    elsewhere.write_text(text(KEY).reveal())
    (tmp_path / "b" / "keys").mkdir(parents=True)
    (tmp_path / "b" / "keys" / "master.key").symlink_to(elsewhere)
    async with opened(tmp_path / "b") as encryption:
        with pytest.raises(MasterKeyElsewhere, match="is a link"):
            await encryption.rotate()


async def test_new_data_keys_and_values_sealed_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as encryption:
        sealer = encryption.sealer("shop")
        kept = [await sealer.seal("v", "n", b"x")]
        asked: list[str | None] = []

        async def holder(project: str | None) -> int:
            asked.append(project)
            old = [each for each in kept if sealer.is_old(each)]
            kept[:] = [await sealer.seal("v", "n", sealer.open("v", "n", each)) for each in old]
            return len(old)

        encryption.hold(holder)
        former = kept[0]
        rotated = await encryption.rotate(data_keys=True)
        assert (rotated.rewrapped, rotated.new_data_keys, rotated.resealed, asked) == (1, 1, 1, ["shop"])
        assert kept[0] != former
        assert not sealer.is_old(kept[0])
        assert sealer.open("v", "n", former) == b"x"  # one that was being written meanwhile
    async with opened(tmp_path) as encryption:
        assert [encryption.sealer("shop").open("v", "n", each) for each in (former, kept[0])] == [b"x", b"x"]


# ---- a rotation that is cut off


class Killed(BaseException):
    """The process ends here."""


def _kill_at(patch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool) -> None:
    method: Callable[..., Any] = getattr(owner, name)

    def killed(*arguments: Any, **named: Any) -> Any:
        if after:
            method(*arguments, **named)
        raise Killed

    patch.setattr(owner, name, killed)


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (KeyFolder, "begin", False),
        (KeyFolder, "begin", True),
        (MasterKey, "wrap", False),
        (KeyFolder, "finish", False),
        (os, "link", False),
        (os, "link", True),
        (Path, "replace", False),
        (Path, "replace", True),
        (KeyFolder, "finish", True),
    ],
)
async def test_a_rotation_that_ends_anywhere_loses_nothing(
    tmp_path: Path, owner: Any, name: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sealed = await sealed_box(tmp_path)
    async with opened(tmp_path) as encryption:
        with monkeypatch.context() as patch:
            _kill_at(patch, owner, name, after=after)
            with pytest.raises(Killed):
                await encryption.rotate()
    for _ in range(2):
        async with opened(tmp_path) as encryption:
            assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"
            assert "master.key.next" not in files(tmp_path)
            assert (await encryption.status()).key_id == KeyFolder(tmp_path / "keys").read(
                tmp_path / "keys" / "master.key"
            ).id  # type: ignore[union-attr]
            await encryption.rotate()


async def test_files_that_could_not_be_put_in_order_are_by_the_next_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sealed = await sealed_box(tmp_path)
    async with opened(tmp_path) as encryption:
        with monkeypatch.context() as patch:
            _kill_at(patch, KeyFolder, "finish", after=False)
            with pytest.raises(Killed):
                await encryption.rotate()
            _kill_at(patch, MasterKey, "wrap", after=False)  # and then not even the next one gets far
            with pytest.raises(Killed):
                await encryption.rotate()
        await encryption.rotate()
        fresh = await encryption.sealer("blog").seal("v", "n", b"x")
    async with opened(tmp_path) as encryption:
        assert encryption.sealer("shop").open("v", "n", sealed) == b"hunter2!"
        assert encryption.sealer("blog").open("v", "n", fresh) == b"x"
