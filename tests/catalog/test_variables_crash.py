"""kill -9 in the middle of rotations and changes: every value that was told of is there, and opens."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from v8box.catalog.variables import Variables
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit_chain

LOOP = """
import asyncio, itertools, sys
from pathlib import Path
from v8box.catalog.variables import Level, NewValue, Variables
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit, audit_chain
from v8box.telemetry.actors import BOX

async def rotate(encryption):
    for number in itertools.count():
        await encryption.rotate(data_keys=number % 3 == 0)
        print("rotated", flush=True)

async def change(variables):
    for number in itertools.count(variables.revision("p", "production", "w")):
        values = {f"V{number % 5}": NewValue(value=f"value {number}", secret=True)}
        changed = await variables.change(Level("p", "", "w"), values, actor=BOX)
        print(f"V{number % 5}", number, changed.revision, flush=True)

async def main(folder):
    database = await Database.open(folder / "catalog.db")
    await audit.open_audit(database)
    encryption = await Encryption.open(database, folder / "keys")
    variables = await Variables.open(database, encryption)
    await asyncio.gather(rotate(encryption), change(variables))

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("lines", [1, 4, 20])
async def test_a_killed_box_opens_every_value(tmp_path: Path, lines: int) -> None:
    for _ in range(2):
        name, number, revision = await asyncio.to_thread(_run_until_killed, tmp_path, lines)
        database = await Database.open(tmp_path / "catalog.db")
        encryption = await Encryption.open(database, tmp_path / "keys")
        variables = await Variables.open(database, encryption)
        values = await variables.resolve("p", "production", "w")
        assert int(values[name].removeprefix("value ")) >= number
        assert variables.revision("p", "production", "w") >= revision
        assert {value.split()[0] for value in values.values()} == {"value"}
        assert not (tmp_path / "keys" / "master.key.next").exists()
        assert (await audit_chain.verify(database)).first_bad is None
        await database.close()


def _run_until_killed(folder: Path, lines: int) -> tuple[str, int, int]:
    """The last change that the box had told of when it was killed, in the middle of the next rotation or change."""
    told: list[str] = []
    changes: list[str] = []
    with subprocess.Popen([sys.executable, "-c", LOOP, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                told.append(line)
                changes += [line] if line.startswith("V") else []
            if len(told) >= lines and changes:
                process.kill()
    assert process.returncode == -9
    name, number, revision = changes[-1].split()
    return name, int(number), int(revision)
