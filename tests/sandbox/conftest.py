"""What the tests of one sandbox share: a server of calls, an observer, a `DenoSandbox` without a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tests.fakes.children import FakeChild
from tests.fakes.clock import settle
from tests.fakes.versions import a_version, an_invocation

from v8box.catalog.model import Limits, Version
from v8box.errors import StopReason
from v8box.sandbox.deno import DenoSandbox
from v8box.sandbox.interface import CallAnswer, Death, LogLine, Profile, SandboxState
from v8box.sandbox.protocol import HEADER_BYTES, Kind, pack_header
from v8box.sandbox.run import Run
from v8box.telemetry.meter import Meter
from v8box.telemetry.origin import Origin
from v8box.telemetry.records import Measurement


def a_frame(kind: int, flags: int = 0, stream: int = 0, head: Any = b"", body: bytes = b"") -> bytes:
    """A frame as the worker writes it; a head that is no bytes becomes JSON."""
    raw = head if isinstance(head, bytes) else msgspec.json.encode(head)
    return pack_header(HEADER_BYTES - 4 + len(raw) + len(body), kind, flags, 0, stream, len(raw)) + raw + body


@dataclass
class Answer:
    result: Any = None
    body: bytes | AsyncIterator[bytes] | None = None


Serve = Callable[[str, str, Any, bytes | AsyncIterator[bytes] | None], Any]


@dataclass
class FakeCalls:
    """Serves calls with `serving`, an async function of binding, operation, args and body."""

    serving: Serve | None = None
    served: list[tuple[str, str, str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def serve(
        self,
        version: Version,
        run_id: str,
        meter: Meter,
        size: int,
        binding: str,
        operation: str,
        args: Any,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> CallAnswer:
        self.served.append((run_id, binding, operation, args))
        if self.serving is None:
            return Answer()
        answer: CallAnswer = await self.serving(binding, operation, args, body)
        return answer

    def run_ended(self, version: Version, run_id: str, meter: Meter) -> None:
        self.ended.append(run_id)


@dataclass
class Observed:
    lines: list[LogLine] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    stops: list[Death] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    lost: int = 0

    def logged(self, version: Version, lines: Sequence[LogLine]) -> None:
        self.lines += lines

    def died(self, version: Version | None, death: Death) -> None:
        self.deaths.append(death)

    def stopped(self, version: Version, death: Death) -> None:
        self.stops.append(death)

    def measured(self, version: Version, entries: Sequence[Measurement], *, lost: bool) -> None:
        self.measurements += entries
        self.lost += lost


class Wire(asyncio.Transport):
    """The worker's side of the socket: what the box wrote, as frames."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The tests push back when they want to."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()
        self.aborted = False

    def write(self, data: Any) -> None:
        self.data += data

    def abort(self) -> None:
        self.aborted = True

    @property
    def frames(self) -> list[tuple[Kind, int, int, bytes, bytes]]:
        found, at = [], 0
        while at < len(self.data):
            length = int.from_bytes(self.data[at : at + 4], "little")
            kind, flags = self.data[at + 4], self.data[at + 5]
            stream = int.from_bytes(self.data[at + 8 : at + 12], "little")
            head = int.from_bytes(self.data[at + 12 : at + 16], "little")
            rest = bytes(self.data[at + 16 : at + 4 + length])
            found.append((Kind(kind), flags, stream, rest[:head], rest[head:]))
            at += 4 + length
        return found

    def kinds(self) -> list[Kind]:
        return [frame[0] for frame in self.frames]


class Bench:
    """A `DenoSandbox` whose process and worker are the test."""

    def __init__(self) -> None:
        self.calls = FakeCalls()
        self.observed = Observed()
        self.sandbox = DenoSandbox(Profile(), self.calls, self.observed)
        self.child = FakeChild()
        self.wire = Wire()
        self.sandbox.attach(self.child)
        self.sandbox.channel.connection_made(self.wire)

    def says(self, *frames: bytes) -> None:
        """The worker writes these, and the box reads them at once."""
        self.sandbox.channel.data_received(b"".join(frames))

    async def become_blank(self) -> None:
        hello = asyncio.ensure_future(self.sandbox.hello(5))
        await settle(3)
        self.says(a_frame(Kind.HELLO, head={"protocol": 1}))
        await hello

    async def become_ready(self, limits: Limits | None = None) -> None:
        await self.become_blank()
        loading = self.load(limits)
        await settle(3)
        self.says(a_frame(Kind.LOADED, head={"shape": "handler"}))
        await loading
        assert self.sandbox.state is SandboxState.READY

    def load(self, limits: Limits | None = None) -> asyncio.Future[None]:
        version = a_version(limits=limits or Limits())
        return asyncio.ensure_future(self.sandbox.load(version, {"worker": "hello"}, b"code"))

    def invoke(self, run_id: str = "r1", *, upgrade: bool = False, body: bytes | None = b"") -> Run:
        invocation = an_invocation(run_id, body=body)
        invocation.upgrade = upgrade
        invocation.origin = Origin("q1", "1.2.3.4", f"00-{'a' * 32}-{'b' * 16}-01")
        return self.sandbox.invoke(invocation)

    async def end(self, code: int | None = None, sig: int | None = None) -> Death:
        self.child.end(code, sig)
        await settle(5)
        return self.sandbox.stopped.result()

    @property
    def fault(self) -> StopReason | None:
        """What the sandbox was killed for, if it was."""
        death = self.sandbox._death
        return None if death is None else death.reason


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.sandbox.kill(Death(reason=StopReason.SHUTDOWN, detail="the test is over"))
    bench.child.end(sig=9)
    await settle(5)
