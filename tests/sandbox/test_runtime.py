"""The contract of a sandbox, on the fake and on a real Deno process: the same workers, the same outcomes."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.fakes.sandboxes import FakeSandbox, ThrowingSandbox, Worker
from tests.fakes.versions import a_version, an_invocation
from tests.sandbox.conftest import FakeCalls, Observed

from v8box.errors import StopReason
from v8box.sandbox.channel import Inbound
from v8box.sandbox.interface import (
    Death,
    Invocation,
    Profile,
    RunFailed,
    RunKilled,
    Sandbox,
    SandboxState,
    StartupFailed,
)
from v8box.sandbox.run import Response, Run
from v8box.sandbox.runtime import DenoRuntime, find_deno
from v8box.sandbox.shim import build_shim
from v8box.sandbox.spawner import Spawner

DEADLINE = 60.0
GONE = Death(reason=StopReason.CLIENT_GONE, detail="the client went away")

Load = Callable[[str], Awaitable[Sandbox]]


async def _hello(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    sandbox.respond(run, b"hello " + (invocation.body or b""), 201, [("x", "y")])


async def _throws(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    raise RunFailed("TypeError", "no", None, 418, caller=False)


async def _waits(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    while run.cancelled is None:  # noqa: ASYNC110 - a run has no event for it
        await asyncio.sleep(0)


async def _streams(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    run.body = Inbound(sandbox.channel, run.stream)
    run.response.set_result(Response(200, [], run.body))
    for number in range(3):
        run.body.feed(b"%d" % number, False)
        await asyncio.sleep(0)
    run.body.feed(b"", True)


WORKERS: dict[str, tuple[str, Worker | None]] = {
    "module": (
        """export default { async fetch(r) {
             return new Response("hello " + await r.text(), { status: 201, headers: { x: "y" } });
           } }""",
        _hello,
    ),
    "throws": ('export default () => { throw Object.assign(new TypeError("no"), { status: 418 }); }', _throws),
    "waits": (
        "export default { fetch: (r) => new Promise((_, no) => r.signal.addEventListener('abort', () => no('left'))) }",
        _waits,
    ),
    "streams": (
        """export default { fetch: () => new Response(new ReadableStream({ async start(c) {
             for (const n of "012") { c.enqueue(new TextEncoder().encode(n)); await new Promise((y) => setTimeout(y)); }
             c.close();
           } })) }""",
        _streams,
    ),
    "broken": ('throw new Error("at the start")', None),
}


@pytest.fixture(scope="session")
def shim_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shim")


@pytest.fixture(params=["fake", "deno"])
async def load(request: pytest.FixtureRequest, shim_folder: Path) -> AsyncIterator[Load]:
    """Gives a sandbox with one of `WORKERS` loaded."""
    made: list[Sandbox] = []
    closing: list[Callable[[], Awaitable[None]]] = []
    folder: Path | None = None

    async def load_into(sandbox: Sandbox, name: str) -> Sandbox:
        made.append(sandbox)
        head = {"worker": name, "version": "v", "environment": "production", "env": {}, "log_kb": 64,
                "subrequests": 10, "uses_process": False, "bindings": {}}  # fmt: skip
        await sandbox.load(a_version(name), head, WORKERS[name][0].encode())
        return sandbox

    if request.param == "fake":

        async def fake(name: str) -> Sandbox:
            make = ThrowingSandbox if name == "broken" else FakeSandbox
            return await load_into(make(Profile(), WORKERS[name][1]), name)

        yield fake
    else:
        deno = find_deno()
        shim = await build_shim(deno, shim_folder, os.environ)
        spawner = await Spawner.start()
        closing.append(spawner.stop)
        runtime = DenoRuntime(spawner, deno, FakeCalls(), Observed(), allow_ipv6=False)
        closing.insert(0, runtime.stop)
        folder = Path(tempfile.mkdtemp(prefix="v8box-test-"))  # a short path, through which every uid may pass
        folder.chmod(0o711)
        await runtime.start(shim, folder)

        async def real(name: str) -> Sandbox:
            return await load_into(await runtime.start_sandbox(Profile()), name)

        yield real
    for sandbox in made:
        sandbox.kill(GONE)
        async with asyncio.timeout(DEADLINE):
            await sandbox.stopped
    for close in closing:
        await close()
    if folder is not None:
        shutil.rmtree(folder)


async def test_a_run_and_its_answer(load: Load) -> None:
    sandbox = await load("module")
    assert sandbox.state is SandboxState.READY
    run = sandbox.invoke(an_invocation(method="POST", body=b"you"))
    async with asyncio.timeout(DEADLINE):
        response = await run.response
    assert (response.status, response.body) == (201, b"hello you")
    assert ("x", "y") in response.headers


async def test_many_runs_at_once(load: Load) -> None:
    sandbox = await load("module")
    runs = [sandbox.invoke(an_invocation(str(number), "POST", body=b"%d" % number)) for number in range(50)]
    async with asyncio.timeout(DEADLINE):
        bodies = [(await run.response).body for run in runs]
    assert bodies == [b"hello %d" % number for number in range(50)]
    assert not sandbox.runs


async def test_a_handler_that_throws(load: Load) -> None:
    run = (await load("throws")).invoke(an_invocation())
    with pytest.raises(RunFailed) as caught:
        async with asyncio.timeout(DEADLINE):
            await run.response
    assert (caught.value.name, caught.value.message, caught.value.status) == ("TypeError", "no", 418)


async def test_a_streamed_answer(load: Load) -> None:
    run = (await load("streams")).invoke(an_invocation())
    async with asyncio.timeout(DEADLINE):
        body = (await run.response).body
        assert isinstance(body, Inbound)
        assert b"".join([chunk async for chunk in body]) == b"012"


async def test_an_abandoned_run_aborts_and_ends(load: Load) -> None:
    sandbox = await load("waits")
    freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run = sandbox.invoke(an_invocation())
    sandbox.on_free = lambda: None if freed.done() else freed.set_result(None)
    sandbox.abandon(run, GONE, "gone")
    with pytest.raises(RunKilled, match="client_gone"):
        await run.response
    async with asyncio.timeout(DEADLINE):
        await freed
    assert not sandbox.runs
    assert sandbox.state is SandboxState.READY


async def test_a_drain_lets_runs_finish(load: Load) -> None:
    sandbox = await load("module")
    run = sandbox.invoke(an_invocation())
    sandbox.drain(StopReason.REPLACED)
    async with asyncio.timeout(DEADLINE):
        assert (await run.response).status == 201
        assert (await sandbox.stopped).reason is StopReason.REPLACED


async def test_a_kill_fails_the_runs(load: Load) -> None:
    sandbox = await load("waits")
    run = sandbox.invoke(an_invocation())
    sandbox.kill(Death(reason=StopReason.CPU, detail="too much"))
    with pytest.raises(RunKilled, match="cpu"):
        async with asyncio.timeout(DEADLINE):
            await run.response
    async with asyncio.timeout(DEADLINE):
        assert (await sandbox.stopped).reason is StopReason.CPU
    assert run.done


async def test_a_module_that_throws_does_not_load(load: Load) -> None:
    with pytest.raises(StartupFailed):
        async with asyncio.timeout(DEADLINE):
            await load("broken")
