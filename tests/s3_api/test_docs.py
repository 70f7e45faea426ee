"""The page about the S3 API: its SDK example runs, its lists are the code's."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from tests.s3_api.conftest import Box

from v8box.features.s3_api import checksums, payload, server, service
from v8box.features.s3_api.chunked import _SMALLEST_SIGNED_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "s3-api.md").read_text()
DENO = str(Path(sys.executable).with_name("deno"))


async def test_the_sdk_example_runs(box: Box, tmp_path: Path) -> None:
    (example,) = [block for block in re.findall(r"```ts ignore\n(.*?)```", PAGE, re.DOTALL) if "S3Client(" in block]
    example = example.replace("http://s3.localhost:8000", box.endpoint).replace('"V8BX…"', f'"{box.key_id}"')
    script = tmp_path / "example.js"
    script.write_text(example.replace('"…"', f'"{box.secret}"'))
    deno = await asyncio.create_subprocess_exec(
        *(DENO, "run", "--quiet", "--no-lock", "--no-config", "--node-modules-dir=none", "--allow-all", str(script)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await deno.communicate()
    assert output == b"hello\nhello\n", errors.decode()


@pytest.mark.parametrize("algorithm", checksums.CHECKSUMS)
def test_every_checksum_is_named(algorithm: str) -> None:
    assert f"`{algorithm}`" in PAGE


@pytest.mark.parametrize("permission", service.Permission)
def test_every_permission_is_named(permission: str) -> None:
    assert f"| `{permission}` |" in PAGE


def test_the_figures_are_the_code_s() -> None:
    assert server.DEFAULT_BODY_BYTES == 5 * 1024**3
    assert "| one put or part | 5 GiB |" in PAGE
    assert f"| silence in the middle of a body | {payload.IDLE_SECONDS:.0f} s |" in PAGE
    assert f"at least {_SMALLEST_SIGNED_BYTES // 1024} KiB | `InvalidChunkSizeError`" in PAGE
    assert f"{service.MAX_KEYS:,} usable keys" in PAGE
