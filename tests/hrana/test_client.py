"""The official npm client, run in Deno, against the box."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.hrana.conftest import MakeWorld, World

from v8box.bindings.db.interface import DbLimits

HERE = Path(__file__).parent
DENO = str(Path(sys.executable).with_name("deno"))


async def deno(script: str, *args: str) -> str:
    """What a script prints; its errors are the test's."""
    child = await asyncio.create_subprocess_exec(
        *(DENO, "run", "--allow-all", "--quiet", "--no-lock", str(HERE / script), *args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("http", "libsql://127.0.0.1:{port}/crm/?tls=0"),
        ("node", "http://127.0.0.1:{port}"),
        ("ws", "ws://127.0.0.1:{port}/crm"),
    ],
)
async def test_every_call_of_the_official_client(world: World, kind: str, url: str) -> None:
    write, read = await world.token("crm"), await world.token("crm", access="read")
    told = await deno("client_e2e.ts", kind, url.format(port=world.port), write, read)
    assert "9 passed" in told


async def test_below_a_path(make_world: MakeWorld) -> None:
    async with make_world(root_path="/db") as world:
        write, read = await world.token(), await world.token(access="read")
        await deno("client_e2e.ts", "http", f"http://127.0.0.1:{world.port}/db/crm/", write, read)


async def test_drizzle_with_its_migrator(world: World) -> None:
    token = await world.token("crm")
    told = await deno("drizzle_e2e.ts", f"libsql://127.0.0.1:{world.port}/crm/?tls=0", token)
    assert "drizzle passed" in told


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_transaction_that_its_client_forgets(make_world: MakeWorld, scheme: str) -> None:
    async with make_world(db_limits=DbLimits(lease_seconds=0.2)) as world:
        told = await deno("timeout_e2e.ts", f"{scheme}://127.0.0.1:{world.port}/crm/", await world.token("crm"))
        assert "timeout passed" in told
