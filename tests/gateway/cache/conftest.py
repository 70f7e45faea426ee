"""A gateway whose worker keeps answers: it answers what the test says, and counts how often it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.clock import Clock
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.conftest import Client, MakeWorld, World

from v8box.sandbox.interface import Invocation, RunFailed
from v8box.sandbox.run import Run

Headers = dict[str, str]


class Kept:
    """`world` with a worker that keeps answers. `says` changes what it answers from now on."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.answer: tuple[int, list[tuple[str, str]], bytes] = (200, [], b"")
        self.error: RunFailed | None = None
        self.gate: asyncio.Event | None = None
        world.worker = self._work

    def says(self, body: bytes = b"one", status: int = 200, **headers: str) -> None:
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.error = None
        self.answer = (status, pairs, body)

    def fails(self, status: int | None = None) -> None:
        self.error = RunFailed("Error", "it fails", None, status, caller=False)

    async def _work(self, sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        status, headers, body = self.answer
        asked = dict(invocation.headers)
        given = dict(headers)
        if "etag" in given and asked.get("if-none-match") == given["etag"]:
            status, body = 304, b""
        sandbox.respond(run, body, status, headers)

    @property
    def runs(self) -> int:
        return len(self.world.seen)

    async def get(self, path: str = "/", **options: Any) -> Client:
        headers: Headers = options.pop("headers", {})
        pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return await self.world.get(f"/run/hello{path}", headers=pairs, **options)

    def start(self, path: str = "/", **options: Any) -> Client:
        headers: Headers = options.pop("headers", {})
        pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return self.world.connect(f"/run/hello{path}", headers=pairs, **options)


MakeKept = Callable[..., Kept]


@pytest.fixture
async def make_kept(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> MakeKept:
    clock = Clock(monkeypatch)

    def make(cache: str = "", manifest: str = "", **options: Any) -> Kept:
        return Kept(make_world(manifest=f"{manifest}\n[cache]\nenabled = true\n{cache}\n", **options), clock)

    return make


@pytest.fixture
async def kept(make_kept: MakeKept) -> Kept:
    return make_kept()


def said(client: Client) -> str:
    return client.headers["cache-status"]
