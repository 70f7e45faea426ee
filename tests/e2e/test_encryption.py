"""A box whose secrets cannot be opened does not start, and says what it needs."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

from tests.e2e.box import RunningBox

from v8box.storage import Database
from v8box.storage.encryption import Encryption


async def _seal(data: Path) -> str:
    database = await Database.open(data / "catalog.db")
    encryption = await Encryption.open(database, data / "keys")
    await encryption.sealer("default").seal("variables", "TOKEN", b"hunter2!")
    key_id = (await encryption.status()).key_id
    await database.close()
    return key_id


def test_without_the_right_master_key_the_box_does_not_start(tmp_path: Path) -> None:
    data = tmp_path / "box" / "data"
    key_id = asyncio.run(_seal(data))
    key = (data / "keys" / "master.key").read_text()
    (data / "keys" / "master.key").unlink()
    other = base64.b64encode(os.urandom(32)).decode()
    for environ in ({}, {"V8BOX_MASTER_KEY": other}):
        box = RunningBox(tmp_path / "box", environ)
        try:
            box.wait_line(rf"sealed with the master key {key_id}.*Nothing was changed")
            assert box.exit_code() == 1
            assert not (data / "keys" / "master.key").exists()
            assert not any(other in line for line in box.lines)
        finally:
            box.stop()
    (data / "keys" / "master.key").write_text(key)
    box = RunningBox(tmp_path / "box")
    try:
        box.wait_ready()
    finally:
        assert box.stop() == 0
