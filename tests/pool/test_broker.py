"""Binding calls: to the right binding, on the right behalf; what a worker hears when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from tests.fakes.clock import settle
from tests.fakes.versions import a_version

from v8box.bindings.interface import Answer, BindingError, Call, Scope
from v8box.pool.broker import Broker
from v8box.sandbox.interface import CallRefused

SCOPE = Scope(project="default", worker="hello", version="hello-1", environment="production", run="r1")


class RecordingBinding:
    """Echoes its arguments, or fails as it is told."""

    name: ClassVar[str] = "db"

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.calls: list[Call] = []
        self.ended: list[Scope] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...

    async def call(self, call: Call) -> Answer:
        self.calls.append(call)
        if self.fault is not None:
            raise self.fault
        return Answer(call.args)

    async def end_run(self, scope: Scope) -> None:
        self.ended.append(scope)
        if self.fault is not None:
            raise self.fault


class HangingBinding(RecordingBinding):
    """Never comes to an end with a run."""

    name: ClassVar[str] = "cache"
    cancelled = False

    async def end_run(self, scope: Scope) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled = True


@pytest.fixture
def db() -> RecordingBinding:
    return RecordingBinding()


@pytest.fixture
async def broker(db: RecordingBinding) -> AsyncIterator[Broker]:
    broker = Broker({"db": db})
    yield broker
    await broker.stop()


async def test_a_call_reaches_its_binding_on_the_callers_behalf(broker: Broker, db: RecordingBinding) -> None:
    answer = await broker.serve(a_version(), "r1", "db", "query", ["select 1"], b"body")
    assert answer.result == ["select 1"]
    assert db.calls == [Call(SCOPE, "query", ["select 1"], b"body")]


async def test_a_binding_that_is_not_there(broker: Broker) -> None:
    with pytest.raises(CallRefused, match="no binding 'queue'") as caught:
        await broker.serve(a_version(), "r1", "queue", "send", None, None)
    assert caught.value.code == "NO_BINDING"


async def test_what_a_binding_refuses_reaches_the_worker(broker: Broker, db: RecordingBinding) -> None:
    db.fault = BindingError("SQLITE_CONSTRAINT", "UNIQUE constraint failed")
    with pytest.raises(CallRefused) as caught:
        await broker.serve(a_version(), "r1", "db", "query", None, None)
    assert (caught.value.code, caught.value.message) == ("SQLITE_CONSTRAINT", "UNIQUE constraint failed")


async def test_a_fault_of_the_box_is_logged_and_not_told(
    broker: Broker, db: RecordingBinding, caplog: pytest.LogCaptureFixture
) -> None:
    db.fault = OSError("/data/databases/secret.db: input/output error")
    with pytest.raises(CallRefused) as caught:
        await broker.serve(a_version(), "r1", "db", "query", None, None)
    assert caught.value.code == "INTERNAL"
    assert "secret" not in caught.value.message
    assert "secret" in caplog.text


async def test_a_cancelled_call_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    class Waiting(RecordingBinding):
        async def call(self, call: Call) -> Answer:
            await asyncio.get_running_loop().create_future()
            return Answer()

    broker = Broker({"db": Waiting()})
    task = asyncio.ensure_future(broker.serve(a_version(), "r1", "db", "query", None, None))
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()
    assert not caplog.records


async def test_the_end_of_a_run_reaches_every_binding(caplog: pytest.LogCaptureFixture) -> None:
    first, second = RecordingBinding(), RecordingBinding()
    first.fault = OSError("no")
    broker = Broker({"db": first, "cache": second})
    broker.run_ended(a_version(), "r1")
    await settle()
    assert first.ended == second.ended == [SCOPE]
    assert "end_run db" in caplog.text


async def test_a_broker_that_stops_waits_for_no_binding() -> None:
    hanging = HangingBinding()
    broker = Broker({"cache": hanging})
    broker.run_ended(a_version(), "r1")
    await settle()
    await broker.stop()
    assert hanging.cancelled
