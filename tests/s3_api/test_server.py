"""What the application does with connections: clients that leave, stores that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.s3_api.conftest import Box
from tests.s3_api.raw import signed

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, Found, ObjectInfo, PutOptions
from v8box.features.s3_api import S3Api, payload

INFO = ObjectInfo(key="k", version="1", size=10_000_000, etag="e", uploaded=0)


class Body:
    """A body without an end, which says whether it was closed."""

    def __init__(self, fail_after: int = 1 << 60) -> None:
        self.closed = False
        self.read = 0
        self.flowing = asyncio.Event()
        self._fail_after = fail_after

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        self.read += 1
        if self.read == 10:
            self.flowing.set()
        if self.read > self._fail_after:
            raise BindingError("io_error", "the disk is gone")
        return b"x" * 1000

    async def aclose(self) -> None:
        self.closed = True


class OneBodyStore:
    """Gives a body of its own; takes none."""

    def __init__(self, body: Any) -> None:
        self.body = body

    async def get(self, *_: Any) -> Found:
        return Found(INFO, 0, INFO.size, self.body)

    async def list_page(self, *_: Any) -> Any:
        raise RuntimeError("secret words")


class FailingStore:
    """Raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _: str) -> Callable[..., Any]:
        async def fail(*_: Any) -> Any:
            raise self.error

        return fail


class Connection:
    """A client of the application, without a server between."""

    def __init__(self, box: Box, store: Any, path: str = "/v8box/k", method: str = "GET", **options: Any) -> None:
        request = signed(box, method, path, **options)
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        scope = {
            "type": "http",
            "method": method,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in request.headers.items()],
        }
        self.served = asyncio.ensure_future(S3Api(store, box.keys, clock=box.clock)(scope, self.inbox.get, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def gives(self, body: bytes = b"", more: bool = False) -> None:
        self.inbox.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leaves(self) -> None:
        self.inbox.put_nowait({"type": "http.disconnect"})


async def test_a_reader_that_leaves_ends_the_reading(box: Box) -> None:
    body = Body()
    connection = Connection(box, OneBodyStore(body))
    connection.gives()
    async with asyncio.timeout(60):
        await body.flowing.wait()
        connection.leaves()
        await connection.served
    assert body.closed


async def test_a_store_that_fails_in_mid_answer_cuts_it(box: Box) -> None:
    body = Body(fail_after=3)
    connection = Connection(box, OneBodyStore(body))
    connection.gives()
    with pytest.raises(BindingError):
        await connection.served
    assert body.closed
    assert connection.sent[-1]["more_body"] is True


async def test_a_writer_that_leaves_is_answered_nothing(box: Box) -> None:
    connection = Connection(box, box.store, method="PUT", payload="UNSIGNED-PAYLOAD")
    connection.gives(b"x" * 100_000, more=True)
    connection.leaves()
    await connection.served
    assert connection.sent == []
    assert await box.store.head(BucketId("one", "v8box"), "k") is None


async def test_a_writer_that_sleeps_is_ended(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "IDLE_SECONDS", 0.01)
    connection = Connection(box, box.store, method="PUT", payload="UNSIGNED-PAYLOAD")
    connection.gives(b"x" * 100_000, more=True)
    await connection.served
    assert connection.sent[0]["status"] == 400
    assert b"RequestTimeout" in connection.sent[1]["body"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BindingError("io_error", "/secret/path"), 500, b"InternalError"),
        (BindingError("brand_new", "/secret/path"), 500, b"InternalError"),
        (RuntimeError("/secret/path"), 500, b"InternalError"),
        (BindingError("not_ready", "soon"), 503, b"ServiceUnavailable"),
        (BindingError("quota_exceeded", "20 GB are used"), 403, b"QuotaExceeded"),
        (BindingError("no_space", "no room"), 507, b"StorageFull"),
    ],
)
async def test_errors_of_the_store(
    box: Box, caplog: pytest.LogCaptureFixture, error: Exception, status: int, code: bytes
) -> None:
    connection = Connection(box, FailingStore(error))
    connection.gives()
    await connection.served
    assert connection.sent[0]["status"] == status
    assert code in connection.sent[1]["body"]
    assert b"secret" not in connection.sent[1]["body"]
    assert bool(caplog.records) == (status == 500)


async def test_what_is_stored_is_read_without_being_held(box: Box) -> None:
    """A large object passes in pieces."""
    bucket = BucketId("one", "v8box")

    async def large() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(65_536)

    await box.store.put(bucket, "k", large(), PutOptions())
    connection = Connection(box, box.store)
    connection.gives()
    await connection.served
    sizes = [len(message["body"]) for message in connection.sent[1:]]
    assert sum(sizes) == 64 * 65_536
    assert max(sizes) <= 1024 * 1024


async def test_only_http_is_served(box: Box) -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        await S3Api(box.store, box.keys)({"type": "websocket"}, asyncio.Queue[Any]().get, lambda _: asyncio.sleep(0))
