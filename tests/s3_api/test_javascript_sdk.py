"""The official JavaScript SDK, run in Deno from outside the box."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.s3_api.conftest import Box

DENO = str(Path(sys.executable).with_name("deno"))
SCRIPT = Path(__file__).with_name("sdk.ts")


@pytest.mark.parametrize("path_mode", [False, True], ids=["host", "path"])
async def test_every_command_and_presigned_urls(box: Box, path_mode: bool) -> None:
    endpoint = box.path_endpoint if path_mode else box.endpoint
    permissions = ("--allow-net", "--allow-env", "--allow-read", "--allow-sys")
    deno = await asyncio.create_subprocess_exec(
        *(DENO, "run", "--quiet", "--no-lock", "--no-config", "--node-modules-dir=none", *permissions),
        *(str(SCRIPT), endpoint, box.key_id, box.secret),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await deno.communicate()
    assert (deno.returncode, output) == (0, b"all done\n"), errors.decode()
