"""rclone from outside: a folder tree there and back, compared, changed, synced."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.s3_api.conftest import Box
from tests.servers import installation


class Rclone:
    """The program with one remote, `box:`, as its documentation for "other" S3 providers says."""

    def __init__(self, program: Path, box: Box, endpoint: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        remote = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ACCESS_KEY_ID": box.key_id,
            "SECRET_ACCESS_KEY": box.secret,
            "ENDPOINT": endpoint,
            "CHUNK_SIZE": "5Mi",
            "UPLOAD_CUTOFF": "6Mi",
        }
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RCLONE_CONFIG": str(folder / "rclone.conf"),
            **{f"RCLONE_CONFIG_BOX_{name}": value for name, value in remote.items()},
        }

    async def __call__(self, *arguments: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *(str(self._program), *arguments, "--retries", "1", "--low-level-retries", "1"),
            cwd=self._folder,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await child.communicate()
        assert child.returncode == 0, (arguments, errors.decode())
        return output.decode()


@pytest.mark.parametrize("path_mode", [False, True], ids=["host", "path"])
async def test_a_tree_there_and_back(box: Box, tmp_path: Path, path_mode: bool) -> None:
    program = await asyncio.to_thread(installation.rclone)
    there, back = tmp_path / "there", tmp_path / "back"
    dice = random.Random(7)
    for name, size in {
        "a.txt": 5,
        "empty": 0,
        "d/e/f.bin": 300_000,
        "d/with space & ünïcode (1).txt": 10,
        "d/plus+percent%20.txt": 10,
        "large.bin": 13_000_001,
    }.items():
        path = there / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(size))
    rclone = Rclone(program, box, box.path_endpoint if path_mode else box.endpoint, tmp_path)
    await rclone("mkdir", "box:tree")
    assert "tree" in await rclone("lsd", "box:")
    await rclone("copy", str(there), "box:tree/sub")
    await rclone("check", str(there), "box:tree/sub", "--download")
    await rclone("copy", "box:tree/sub", str(back))
    await rclone("check", str(there), str(back))
    assert (back / "a.txt").stat().st_mtime == pytest.approx((there / "a.txt").stat().st_mtime, abs=0.001)

    (there / "a.txt").unlink()
    (there / "empty").write_text("no longer")
    await rclone("sync", str(there), "box:tree/sub")
    await rclone("check", str(there), "box:tree/sub")
    await rclone("moveto", "box:tree/sub/d/e/f.bin", "box:tree/moved.bin")
    assert await rclone("size", "box:tree/moved.bin", "--json") == '{"count":1,"bytes":300000,"sizeless":0}\n'
    await rclone("touch", "box:tree/moved.bin")  # sets metadata by copying onto itself
    await rclone("purge", "box:tree")
    assert "tree" not in await rclone("lsd", "box:")
