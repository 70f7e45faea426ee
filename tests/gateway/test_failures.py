"""What runs threw, in their records: redacted, mapped, held back no longer than needed, never without bound."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.fakes.versions import a_version
from tests.gateway.conftest import World

from v8box.catalog.model import Placement
from v8box.gateway import failures as module
from v8box.gateway.failures import Failures, frames_of
from v8box.kit.sourcemap import Segment, encode_mappings
from v8box.pool.source_maps import SourceMaps
from v8box.sandbox.interface import Invocation, RunFailed, StartupFailed
from v8box.sandbox.run import Run
from v8box.telemetry.audit import MASK
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import RunError, RunRecord
from v8box.telemetry.redactor import Redactor

MAP = json.dumps(
    {
        "version": 3,
        "sources": ["functions/hello.ts"],
        "names": [],
        "mappings": encode_mappings([[Segment(0, 0, 4, 2)]]),
    }
).encode()
STACK = "TypeError: no\n    at f (blob:null/1:1:1)\n    at g (file:///x/shim.js:9:9)"
MAPPED = "    at f (functions/hello.ts:5:3)"


class Runs(Feed):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[RunRecord] = []

    def run(self, record: RunRecord) -> None:
        self.told.append(record)

    @property
    def stacks(self) -> list[str]:
        return [each.error.stack for each in self.told if each.error is not None]


class Maps:
    """Gives one map, when the test lets it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.loads = 0
        self.data: bytes | None = MAP

    async def load(self, _: Placement) -> bytes | None:
        self.loads += 1
        await self.gate.wait()
        return self.data


def mapped_version(number: int = 1) -> Placement:
    return dataclasses.replace(a_version(number=number), source_map_hash="1" * 64)


def a_record(run: str = "r1") -> RunRecord:
    return RunRecord(run, run, 1.0, "hello", "hello-1", "http", "GET", "/", 500, "exception", 1.0, 0, 0, 0, "")


def thrown(stack: str | None = STACK, message: str = "no", **more: Any) -> RunFailed:
    return RunFailed("TypeError", message, stack, None, caller=False, **more)


async def test_a_stack_is_told_in_the_users_own_terms() -> None:
    runs, maps = Runs(), Maps()
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), mapped_version(), thrown())
    assert runs.told == []  # it is held until it is mapped
    await settle()
    assert [each.error for each in runs.told] == [RunError("TypeError", "no", MAPPED)]


async def test_frames_that_are_known_hold_nobody_back() -> None:
    runs, maps = Runs(), Maps()
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), mapped_version(), thrown())
    await settle()
    failures.tell(a_record("r2"), mapped_version(), thrown(STACK.replace("no", "another"), "another"))
    assert [each.id for each in runs.told] == ["r1", "r2"]
    assert runs.stacks == [MAPPED, MAPPED]
    failures.tell(a_record("r3"), mapped_version(2), thrown())
    assert len(runs.told) == 2, "another version has a map of its own"
    await settle()
    assert maps.loads == 2


async def test_without_a_map_stacks_stay_but_not_the_platforms_frames() -> None:
    runs, maps = Runs(), Maps()
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), a_version(), thrown())
    maps.data = None
    failures.tell(a_record("r2"), mapped_version(), thrown())
    await settle()
    assert runs.stacks == ["    at f (blob:null/1:1:1)"] * 2


@pytest.mark.parametrize("stack", [None, "", "TypeError: no", "whatever the worker put there"])
async def test_a_thrown_value_without_frames(stack: str | None) -> None:
    runs = Runs()
    Failures(runs).tell(a_record(), a_version(), thrown(stack))
    assert [each.error for each in runs.told] == [RunError("TypeError", "no")]


async def test_secrets_are_in_no_part_of_it() -> None:
    runs, maps = Runs(), Maps()
    redactor = Redactor(["hunter2-hunter2"])
    failures = Failures(runs, SourceMaps(maps.load), lambda _: redactor)
    stack = "hunter2-hunter2: no hunter2-hunter2\n    at hunter2-hunter2 (blob:null/1:1:1)"
    error = RunFailed("hunter2-hunter2", "no hunter2-hunter2", stack, None, caller=False)
    failures.tell(a_record(), mapped_version(), error)
    await settle()
    assert [each.error for each in runs.told] == [
        RunError(MASK, f"no {MASK}", f"    at {MASK} (functions/hello.ts:5:3)")
    ]


async def test_a_module_that_throws_while_it_loads() -> None:
    runs, maps = Runs(), Maps()
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), mapped_version(), StartupFailed("TypeError: no", STACK, None, "TypeError"))
    await settle()
    assert [each.error for each in runs.told] == [RunError("TypeError", "no", MAPPED)]


async def test_a_start_that_takes_too_long() -> None:
    runs = Runs()
    Failures(runs).tell(a_record(), a_version(), StartupFailed("the module did not finish loading"))
    assert [each.error for each in runs.told] == [RunError("StartupFailed", "the module did not finish loading")]


async def test_more_than_the_bound_are_told_without_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 2)
    runs, maps = Runs(), Maps()
    maps.gate.clear()
    failures = Failures(runs, SourceMaps(maps.load))
    for number in range(4):
        failures.tell(a_record(f"r{number}"), mapped_version(), thrown())
    assert [each.id for each in runs.told] == ["r2", "r3"]
    assert runs.stacks == ["", ""]
    maps.gate.set()
    await settle()
    assert [each.id for each in runs.told] == ["r2", "r3", "r0", "r1"]
    assert runs.stacks[2:] == [MAPPED, MAPPED]


async def test_what_is_held_is_told_at_the_end() -> None:
    runs, maps = Runs(), Maps()
    maps.gate.clear()
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), mapped_version(), thrown())
    await settle()
    await failures.stop()
    assert [each.id for each in runs.told] == ["r1"]


async def test_a_map_that_cannot_be_used_holds_nothing_for_ever() -> None:
    runs, maps = Runs(), Maps()
    maps.data = b"no map"
    failures = Failures(runs, SourceMaps(maps.load))
    failures.tell(a_record(), mapped_version(), thrown())
    await settle()
    assert runs.stacks == ["    at f (blob:null/1:1:1)"]


def test_a_message_with_lines_like_frames_is_no_stack() -> None:
    head = "Error: meet\n    at noon"
    assert frames_of(head + "\n    at f (blob:null/1:1:1)", head) == "    at f (blob:null/1:1:1)"


def test_a_stack_without_end_is_cut_between_frames() -> None:
    frames = frames_of("Error: x\n" + "    at f (blob:null/1:1:1)\n" * 10_000, "Error: x").split("\n")
    assert 10 < len(frames) <= 50
    assert set(frames) == {"    at f (blob:null/1:1:1)"}
    long = frames_of("Error: x\n" + f"    at {'f' * 300} (blob:null/1:1:1)\n" * 100, "Error: x").split("\n")
    assert len({*long}) == 1, "no frame is half there"


async def test_the_gateway_says_what_a_run_threw(world: World) -> None:
    async def throw(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.failure = thrown()
        raise run.failure

    world.worker = throw
    await world.get()
    (record,) = world.records.runs
    assert record.error == RunError("TypeError", "no", "    at f (blob:null/1:1:1)")


async def test_a_callers_fault_is_none_of_the_workers(world: World) -> None:
    async def refuse(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.failure = RunFailed("BadParams", "no JSON", None, 400, caller=True)
        raise run.failure

    world.worker = refuse
    await world.get()
    (record,) = world.records.runs
    assert record.error is None


async def test_a_throw_in_the_middle_of_an_answer_is_in_its_record(world: World) -> None:
    async def break_off(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"half")
        run.failure = thrown()

    world.worker = break_off
    client = await world.get()
    assert client.status == 200
    (record,) = world.records.runs
    assert record.error is not None
    assert record.error.message == "no"
