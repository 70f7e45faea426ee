"""Hrana over WebSocket: hello, streams side by side, cursors, and connections that break off or break the rules."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.hrana.conftest import MakeWorld, World, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from v8box.bindings.db.interface import DbLimits
from v8box.features.hrana import HranaLimits


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._number = 0

    async def hello(self, token: str | None) -> Any:
        await self.say({"type": "hello", "jwt": token})
        return await self.hear()

    async def say(self, message: Any) -> None:
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self) -> Any:
        return json.loads(await self.connection.recv())

    async def send(self, kind: str, **fields: Any) -> int:
        """A request that nobody waits for yet."""
        self._number += 1
        await self.say({"type": "request", "request_id": self._number, "request": {"type": kind, **fields}})
        return self._number

    async def ask(self, kind: str, **fields: Any) -> Any:
        """The response to a request, or its error's code."""
        number = await self.send(kind, **fields)
        answer = await self.hear()
        assert answer["request_id"] == number
        if answer["type"] == "response_error":
            return answer["error"]["code"]
        assert answer["response"]["type"] == kind
        return answer["response"]

    async def execute(self, sql: str, stream: int = 1) -> Any:
        """The rows of a statement, or its error's code."""
        answer = await self.ask("execute", stream_id=stream, stmt={"sql": sql})
        return (
            answer if isinstance(answer, str) else [[v.get("value") for v in row] for row in answer["result"]["rows"]]
        )

    async def closed(self) -> tuple[int, str]:
        """How the box closes the connection; what it still says before is dropped."""
        async with asyncio.timeout(60):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed:
                return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def client(world: World, path: str = "/crm", *protocols: str, **options: Any) -> AsyncIterator[Client]:
    offered = [Subprotocol(each) for each in protocols or ("hrana3", "hrana2")]
    async with connect(f"ws://127.0.0.1:{world.port}{path}", subprotocols=offered, max_size=None, **options) as made:
        yield Client(made)


@asynccontextmanager
async def signed_in(world: World, token: str | None = None) -> AsyncIterator[Client]:
    async with client(world) as made:
        assert await made.hello(token or await world.token("crm")) == {"type": "hello_ok"}
        await made.ask("open_stream", stream_id=1)
        yield made


async def test_subprotocols(world: World) -> None:
    for offered, chosen in {
        ("hrana2", "hrana3"): "hrana3",
        ("hrana3-protobuf", "hrana2", "hrana1"): "hrana2",
        ("hrana1",): "hrana1",
    }.items():
        async with client(world, "/crm", *offered) as made:
            assert made.connection.subprotocol == chosen
    for path, offered in {"/crm": ("hrana3-protobuf",), "/crm/v2": ("hrana2",)}.items():
        with pytest.raises(InvalidStatus):
            async with client(world, path, *offered):
                pass


async def test_hello(world: World) -> None:
    crm, all_ = await world.token("crm"), await world.token()
    for path, token, code in [
        ("/crm", None, "TOKEN_INVALID"),
        ("/crm", crm[:-1], "TOKEN_INVALID"),
        ("/default", crm, "DATABASE_FORBIDDEN"),
        ("/nowhere", all_, "NOT_FOUND"),
        ("/", all_, "DATABASE_UNNAMED"),
    ]:
        async with client(world, path) as made:
            answer = await made.hello(token)
            assert (answer["type"], answer["error"]["code"]) == ("hello_error", code)
            assert (await made.closed())[0] == 1008
    for path in ("/crm", "/crm/", "/", ""):
        async with client(world, path) as made:
            assert await made.hello(crm) == {"type": "hello_ok"}
    async with client(world, additional_headers={"authorization": f"Bearer {crm}"}) as made:
        assert await made.hello(None) == {"type": "hello_ok"}


async def test_streams_share_texts_and_not_transactions(world: World) -> None:
    async with signed_in(world) as made:
        assert await made.execute("create table t (v)") == []
        await made.ask("open_stream", stream_id=-2)
        await made.ask("store_sql", sql_id=7, sql="select count(*) from t")
        assert await made.execute("begin") == []
        await made.execute("insert into t values (1)")
        inside = await made.ask("execute", stream_id=1, stmt={"sql_id": 7})
        outside = await made.ask("execute", stream_id=-2, stmt={"sql_id": 7})
        assert inside["result"]["rows"][0][0]["value"] == "1"
        assert outside["result"]["rows"][0][0]["value"] == "0"
        assert (await made.ask("get_autocommit", stream_id=1))["is_autocommit"] is False
        assert (await made.ask("get_autocommit", stream_id=-2))["is_autocommit"] is True
        await made.ask("close_sql", sql_id=7)
        assert await made.ask("execute", stream_id=1, stmt={"sql_id": 7}) == "SQL_NOT_FOUND"
        await made.ask("close_stream", stream_id=1)
        assert await made.ask("execute", stream_id=1, stmt={"sql": "select 1"}) == "STREAM_NOT_OPEN"
        assert await made.execute("select count(*) from t", -2) == [["0"]]  # closing has rolled back
        assert (await made.ask("sequence", stream_id=-2, sql="select 1; select 2")) == {"type": "sequence"}
        assert (await made.ask("describe", stream_id=-2, sql="select 1"))["result"]["is_readonly"] is True
        batch = {"steps": [{"stmt": {"sql": "select 3"}}]}
        assert (await made.ask("batch", stream_id=-2, batch=batch))["result"]["step_errors"] == [None]


async def test_streams_run_side_by_side_and_each_in_order(make_world: MakeWorld) -> None:
    async with make_world(db_limits=DbLimits(statement_seconds=60)) as world:
        async with signed_in(world) as made:
            await made.ask("open_stream", stream_id=2)
            endless = "with recursive n(i) as (values (1) union all select i + 1 from n) select max(i) from n"
            await made.send("execute", stream_id=1, stmt={"sql": endless})
            await made.send("execute", stream_id=1, stmt={"sql": "select 1"})
            for _ in range(3):
                assert await made.execute("select 2", 2) == [["2"]]  # does not wait for stream 1
        await until(lambda: len(world.app.streams) == 0)  # leaving has stopped the statement


async def test_a_text_may_be_closed_while_requests_that_use_it_wait(world: World) -> None:
    async with signed_in(world) as made:
        await made.ask("store_sql", sql_id=1, sql="select 'kept'")
        slow = "with recursive n(i) as (values (1) union all select i + 1 from n where i < 100000) select max(i) from n"
        numbers = [
            await made.send("execute", stream_id=1, stmt={"sql": slow}),
            await made.send("batch", stream_id=1, batch={"steps": [{"stmt": {"sql_id": 1}}]}),
            await made.send("close_sql", sql_id=1),
        ]
        answers = {answer["request_id"]: answer for answer in [await made.hear() for _ in numbers]}
        (result,) = answers[numbers[1]]["response"]["result"]["step_results"]
        assert result["rows"] == [[{"type": "text", "value": "kept"}]]


async def test_nothing_runs_on_a_stream_behind_its_close(world: World) -> None:
    async with signed_in(world) as made:
        await made.execute("create table t (v)")
        await made.send("close_stream", stream_id=1)
        for sql in ("begin immediate", "insert into t values (1)"):
            await made.send("execute", stream_id=1, stmt={"sql": sql})
        assert (await made.hear())["type"] == "response_ok"
        assert [(await made.hear())["error"]["code"] for _ in range(2)] == ["STREAM_NOT_OPEN"] * 2
        await made.ask("open_stream", stream_id=1)
        assert await made.execute("select count(*) from t") == [["0"]]


async def test_a_client_that_leaves_rolls_back(world: World) -> None:
    token = await world.token("crm")
    await world.pipeline(token, "create table t (v)", {"type": "close"})
    async with signed_in(world, token) as made:
        await made.execute("begin immediate")
        await made.execute("insert into t values (1)")
        assert len(world.app.streams) == 1
    await until(lambda: len(world.app.streams) == 0)
    assert await world.value(token, "select count(*) from t") == "0"


async def test_cursors(world: World) -> None:
    async with signed_in(world) as made:
        numbers = "with recursive n(i) as (values (1) union all select i + 1 from n where i < 25) select i from n"
        batch = {"steps": [{"stmt": {"sql": numbers}}, {"stmt": {"sql": "selekt"}}]}
        assert await made.ask("open_cursor", stream_id=1, cursor_id=1, batch=batch) == {"type": "open_cursor"}
        entries: list[Any] = []
        while True:
            answer = await made.ask("fetch_cursor", cursor_id=1, max_count=10)
            assert len(answer["entries"]) <= 10
            entries += answer["entries"]
            if answer["done"]:
                break
        assert [entry["type"] for entry in entries] == ["step_begin", *["row"] * 25, "step_end", "step_error"]
        assert (await made.ask("fetch_cursor", cursor_id=1, max_count=10))["entries"] == []
        await made.ask("close_cursor", cursor_id=1)
        assert await made.ask("fetch_cursor", cursor_id=1, max_count=10) == "STREAM_NOT_OPEN"
        bad = {"steps": [{"stmt": {"sql": "select 1"}, "condition": {"type": "ok", "step": 5}}]}
        assert await made.ask("open_cursor", stream_id=1, cursor_id=2, batch=bad) == "HRANA_PROTO_ERROR"
        assert await made.ask("fetch_cursor", cursor_id=2, max_count=10) == "CURSOR_NOT_OPEN"
        await made.ask("close_cursor", cursor_id=2)
        assert await made.execute("select 1") == [["1"]]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 1002),
        ('{"type":"goodbye"}', 1002),
        ("[" * 200_000, 1002),
        (b"\x00", 1003),
        ('{"type":"request","request_id":1,"request":{"type":"execute"}}', 1002),
        ('{"type":"request","request_id":1,"request":{"type":"open_stream","stream_id":1}}', 1002),
        ("x" * 1001, 1009),
    ],
)
async def test_a_message_that_breaks_the_protocol(make_world: MakeWorld, message: str | bytes, code: int) -> None:
    limits = HranaLimits(body_bytes=1000) if code == 1009 else None
    async with make_world(limits=limits) as world:
        async with signed_in(world) as made:
            await made.say(message)
            assert (await made.closed())[0] == code
        await until(lambda: len(world.app.streams) == 0)


async def test_nothing_before_hello(world: World) -> None:
    async with client(world) as made:
        await made.send("open_stream", stream_id=1)
        assert (await made.closed())[0] == 1002
    assert len(world.app.streams) == 0


async def test_silence_before_hello(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(hello_seconds=0.1)) as world, client(world) as made:
        assert (await made.closed())[0] == 1008


async def test_silence_after_hello(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(connection_idle_seconds=0.1)) as world, client(world) as made:
        await made.hello(await world.token("crm"))
        assert (await made.closed())[0] == 1000


async def test_a_deleted_token_closes_its_connections(world: World) -> None:
    token, text = await world.tokens.create("one", label="", access="write", databases=["crm"])
    async with signed_in(world, text) as made, signed_in(world) as other:
        await made.execute("create table t (v)")
        await made.execute("begin immediate")
        await world.tokens.delete("one", token.id)
        assert await made.closed() == (1008, "the token was deleted")
        assert await other.execute("insert into t values (1)") == []


async def test_an_expired_token_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with signed_in(world, await world.token("crm", expires_at=time.time() + 60)) as made:
        later = time.time() + 61
        monkeypatch.setattr(time, "time", lambda: later)
        await made.send("get_autocommit", stream_id=1)
        assert (await made.closed())[0] == 1008


async def test_connections_streams_and_cursors_are_bounded(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(token_connections=1, token_streams=2, cursors=1)) as world:
        token = await world.token("crm")
        async with signed_in(world, token) as made:
            async with client(world) as second:
                assert (await second.hello(token))["type"] == "hello_error"
            batch: dict[str, Any] = {"steps": []}
            assert await made.ask("open_cursor", stream_id=1, cursor_id=1, batch=batch) == {"type": "open_cursor"}
            assert await made.ask("open_cursor", stream_id=1, cursor_id=2, batch=batch) == "TOO_MANY_CURSORS"
            await made.send("open_cursor", stream_id=1, cursor_id=3, batch=batch)
            assert (await made.closed())[0] == 1008
        async with signed_in(world, token) as made:
            await made.ask("open_stream", stream_id=2)
            await made.send("open_stream", stream_id=3)
            assert (await made.closed())[0] == 1008
        await until(lambda: len(world.app.streams) == 0)


async def test_a_flood_of_requests_is_answered_in_full(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(requests=4)) as world, signed_in(world) as made:
        for _ in range(200):
            await made.send("execute", stream_id=1, stmt={"sql": "select 1"})
        answers = [await made.hear() for _ in range(200)]
        assert [answer["request_id"] for answer in answers] == sorted(answer["request_id"] for answer in answers)
        assert {answer["type"] for answer in answers} == {"response_ok"}


async def test_stopping_says_goodbye(make_world: MakeWorld) -> None:
    async with make_world() as world, signed_in(world) as made:
        await made.execute("begin immediate")
        await world.app.stop()
        assert (await made.closed())[0] == 1001
