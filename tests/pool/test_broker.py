"""Binding calls: to the right binding, on the right behalf; what a worker hears when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import pytest
from tests.fakes.clock import settle
from tests.fakes.versions import a_version

from v8box.bindings.interface import Answer, BindingError, Call, Scope
from v8box.catalog.model import EnvBinding, Limits, Permissions, Version
from v8box.pool.broker import Broker
from v8box.sandbox.interface import CallRefused
from v8box.telemetry.meter import MAX_SPANS, Meter

SCOPE = Scope(project="default", worker="hello", version="hello-1", environment="production", run="r1")


class RecordingBinding:
    """Echoes its arguments, or fails as it is told."""

    name: ClassVar[str] = "db"

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.calls: list[Call] = []
        self.ended: list[Scope] = []
        self.answer: Answer | None = None
        self.holding = True

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...

    async def call(self, call: Call) -> Answer:
        self.calls.append(call)
        if self.fault is not None:
            raise self.fault
        return self.answer or Answer(call.args)

    def keeps(self, scope: Scope) -> bool:
        return self.holding

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


async def serve(broker: Broker, meter: Meter | None = None, **parts: Any) -> Answer:
    """One call of a run, with whatever of it matters."""
    call: dict[str, Any] = {
        "placement": a_version(),
        "binding": "db",
        "operation": "query",
        "args": None,
        "body": None,
        "size": 0,
    }
    call |= parts
    return await broker.serve(run_id="r1", meter=meter or Meter(), **call)


async def given(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def limited(**limits: int) -> Version:
    version = a_version()
    return replace(version, manifest=replace(version.manifest, limits=Limits(**limits)))


async def test_a_call_reaches_its_binding_on_the_callers_behalf(broker: Broker, db: RecordingBinding) -> None:
    answer = await serve(broker, args=["select 1"], body=b"body")
    assert msgspec.json.decode(answer.result) == ["select 1"]
    assert db.calls == [Call(SCOPE, "query", ["select 1"], b"body")]


async def test_a_call_carries_what_the_manifest_grants(broker: Broker, db: RecordingBinding) -> None:
    version = a_version()
    permissions = Permissions(databases=("crm",), buckets=("mail",))
    bound = {"D": EnvBinding(kind="database", name="shop"), "K": EnvBinding(kind="kv", name="k")}
    bound["A"] = EnvBinding(kind="site", name="blog")
    bound["S"] = EnvBinding(kind="service", name="mailer")
    await serve(
        broker, placement=replace(version, manifest=replace(version.manifest, permissions=permissions, bindings=bound))
    )
    assert db.calls[0].scope.grants == {
        "db": {"crm", "shop"}, "s3": {"mail"}, "assets": {"blog"}, "services": {"mailer"},
    }  # fmt: skip
    await serve(broker)
    assert db.calls[1].scope.grants == {}


async def test_a_binding_that_is_not_there(broker: Broker) -> None:
    with pytest.raises(CallRefused, match="no binding 'queue'") as caught:
        await serve(broker, binding="queue", operation="send")
    assert caught.value.code == "NO_BINDING"


async def test_what_a_binding_refuses_reaches_the_worker(broker: Broker, db: RecordingBinding) -> None:
    db.fault = BindingError("SQLITE_CONSTRAINT", "UNIQUE constraint failed", {"raw_code": 2067})
    meter = Meter()
    with pytest.raises(CallRefused) as caught:
        await serve(broker, meter)
    assert (caught.value.code, caught.value.message) == ("SQLITE_CONSTRAINT", "UNIQUE constraint failed")
    assert caught.value.details == {"raw_code": 2067}
    assert meter.spans[0].error == "SQLITE_CONSTRAINT"


async def test_a_fault_of_the_box_is_logged_and_not_told(
    broker: Broker, db: RecordingBinding, caplog: pytest.LogCaptureFixture
) -> None:
    db.fault = OSError("/data/databases/secret.db: input/output error")
    with pytest.raises(CallRefused) as caught:
        await serve(broker)
    assert caught.value.code == "INTERNAL"
    assert "secret" not in caught.value.message
    assert "secret" in caplog.text


async def test_a_cancelled_call_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    class Waiting(RecordingBinding):
        async def call(self, call: Call) -> Answer:
            await asyncio.get_running_loop().create_future()
            return Answer()

    broker = Broker({"db": Waiting()})
    meter = Meter()
    task = asyncio.ensure_future(serve(broker, meter))
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()
    assert not caplog.records
    assert meter.spans[0].error == "CANCELLED"


async def test_each_call_is_metered(broker: Broker, db: RecordingBinding) -> None:
    meter = Meter()
    db.answer = Answer({"a": 1}, given([b"123", b"45"]), rows=7, written=2)
    answer = await serve(broker, meter, body=given([b"1234"]), size=10)
    assert [chunk async for chunk in answer.body] == [b"123", b"45"]  # type: ignore[union-attr]
    assert [chunk async for chunk in db.calls[0].body] == [b"1234"]  # type: ignore[union-attr]
    (span,) = meter.spans
    assert (span.binding, span.operation, span.rows, span.written) == ("db", "query", 7, 2)
    assert (span.bytes_in, span.bytes_out) == (14, len(b'{"a":1}') + 5)
    assert span.duration >= 0
    assert (meter.total_calls, meter.total_bytes) == (1, 26)


async def test_spans_are_bounded_and_calls_are_still_counted(broker: Broker) -> None:
    meter = Meter()
    for _ in range(MAX_SPANS + 5):
        await serve(broker, meter)
    assert (len(meter.spans), meter.total_calls) == (MAX_SPANS, MAX_SPANS + 5)


async def test_a_run_may_make_so_many_calls(broker: Broker, db: RecordingBinding) -> None:
    meter = Meter()
    version = limited(binding_calls=2)
    for _ in range(2):
        await serve(broker, meter, placement=version)
    with pytest.raises(CallRefused, match=r"limits\.binding_calls \(2\)") as caught:
        await serve(broker, meter, placement=version)
    assert (caught.value.code, len(db.calls)) == ("CALL_LIMIT", 2)
    await serve(broker, placement=version)  # another run
    meter.renew()  # a WebSocket's next message
    await serve(broker, meter, placement=version)


async def test_a_run_may_move_so_many_bytes(broker: Broker, db: RecordingBinding) -> None:
    version = limited(binding_mb=1)
    half = b"x" * 600_000
    with pytest.raises(CallRefused, match="binding_mb"):
        await serve(broker, placement=version, size=2_000_000)
    await serve(broker, placement=version, body=given([half, half]))
    with pytest.raises(BindingError, match="binding_mb"):
        assert [chunk async for chunk in db.calls[0].body]  # type: ignore[union-attr]
    db.answer = Answer(None, given([half, half]))
    answer = await serve(broker, placement=version)
    with pytest.raises(CallRefused, match="binding_mb"):
        assert [chunk async for chunk in answer.body]  # type: ignore[union-attr]


async def test_the_end_of_a_run_reaches_the_bindings_it_used(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = RecordingBinding(), RecordingBinding(), RecordingBinding()
    broker = Broker({"db": first, "cache": second, "s3": third})
    meter = Meter()
    await serve(broker, meter, binding="db")
    await serve(broker, meter, binding="cache")
    first.fault = OSError("no")
    second.holding = False
    broker.run_ended(a_version(), "r1", meter)
    await settle()
    assert first.ended == [SCOPE]
    assert second.ended == third.ended == []  # one holds nothing, one was never called
    assert "end_run db" in caplog.text


async def test_a_broker_that_stops_waits_for_no_binding() -> None:
    hanging = HangingBinding()
    broker = Broker({"cache": hanging})
    meter = Meter()
    await serve(broker, meter, binding="cache")
    broker.run_ended(a_version(), "r1", meter)
    await settle()
    await broker.stop()
    assert hanging.cancelled


async def test_a_span_tells_what_its_call_was_upon(broker: Broker) -> None:
    meter = Meter()
    await serve(broker, meter, operation="execute", args={"sql": "select * from t where a = 'hunter2'"})
    assert [span.what for span in meter.spans] == ["select * from t where a = ?"]
