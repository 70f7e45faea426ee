"""Hrana over HTTP on real databases: requests, streams, transactions, batches, cursors."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.hrana.conftest import MakeWorld, World, until

from v8box.bindings.db.interface import DbLimits
from v8box.features.hrana import HranaLimits


def execute(sql: str, *args: Any, **more: Any) -> dict[str, Any]:
    values = [{"type": "integer", "value": str(arg)} if isinstance(arg, int) else arg for arg in args]
    return {"type": "execute", "stmt": {"sql": sql, "args": values, **more}}


def outcome(result: Any) -> str:
    return "ok" if result["type"] == "ok" else str(result["error"].get("code"))


def outcomes(answer: Any) -> list[str]:
    return [outcome(result) for result in answer["results"]]


@pytest.fixture
async def token(world: World) -> str:
    token = await world.token("crm")
    await world.pipeline(token, "create table t (v integer unique)")
    return token


# ---- addresses


async def test_versions_need_no_token(world: World) -> None:
    for path, status in {"/v2": 200, "/v3": 200, "/v3-protobuf": 404, "/crm/v2": 200, "/": 404, "/v1": 404}.items():
        assert (await world.http.get(path)).status_code == status, path
    assert (await world.http.get("/v2/pipeline")).status_code == 405
    assert (await world.http.post("/v2")).status_code == 405
    assert (await world.http.post("/")).status_code == 404


async def test_browsers_may_ask(world: World) -> None:
    answer = await world.http.options("/crm/v2/pipeline", headers={"origin": "https://app.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    refused = await world.post("/v2/pipeline", {}, "wrong")
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in refused.headers


# ---- statements


async def test_a_statement_with_values_of_every_kind(world: World, token: str) -> None:
    args: list[dict[str, Any]] = [
        {"type": "null"},
        {"type": "integer", "value": "-9223372036854775808"},
        {"type": "float", "value": 1},
        {"type": "text", "value": "žluť 🐎"},
        {"type": "blob", "base64": "AAECAw"},
    ]
    (result,) = (await world.pipeline(token, execute("select ? as a, ?, ?, ?, ?", *args)))["results"]
    assert result["response"]["type"] == "execute"
    told = result["response"]["result"]
    assert told["cols"][0] == {"name": "a", "decltype": None}
    assert told["affected_row_count"] == 0
    got = told["rows"][0]
    got[4]["base64"] = got[4]["base64"].rstrip("=")
    assert got == args


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "integer", "value": "9223372036854775808"}, "ARGS_INVALID"),
        ({"type": "integer", "value": "1_000"}, "ARGS_INVALID"),
        ({"type": "integer", "value": "\u0661"}, "ARGS_INVALID"),
        ({"type": "integer", "value": ""}, "ARGS_INVALID"),
        ({"type": "integer", "value": "9" * 5000}, "ARGS_INVALID"),
        ({"type": "blob", "base64": "*"}, "ARGS_INVALID"),
        ({"type": "blob", "base64": "A"}, "ARGS_INVALID"),
        ({"type": "text", "value": "a\0b"}, "ok"),
        ({"type": "integer", "value": 7}, "ok"),
    ],
)
async def test_arguments_that_are_hardly_any(world: World, token: str, value: Any, expected: str) -> None:
    assert outcomes(await world.pipeline(token, execute("select ?", value))) == [expected]


async def test_named_arguments_with_and_without_their_sign(world: World, token: str) -> None:
    named = [
        {"name": "a", "value": {"type": "integer", "value": "1"}},
        {"name": "@b", "value": {"type": "integer", "value": "2"}},
    ]
    both = {"type": "execute", "stmt": {"sql": "select :a + @b", "named_args": named, "args": [{"type": "null"}]}}
    one = {"type": "execute", "stmt": {"sql": "select :a + @b", "named_args": named}}
    answer = await world.pipeline(token, one, both)
    assert outcomes(answer) == ["ok", "ARGS_INVALID"]
    assert answer["results"][0]["response"]["result"]["rows"] == [[{"type": "integer", "value": "3"}]]


async def test_rows_nobody_wants_are_not_sent(world: World, token: str) -> None:
    answer = await world.pipeline(token, execute("insert into t values (1), (2) returning v", want_rows=False))
    result = answer["results"][0]["response"]["result"]
    assert result["rows"] == []
    assert result["affected_row_count"] == 2
    assert result["last_insert_rowid"] == "2"
    assert result["cols"][0]["name"] == "v"


async def test_one_that_fails_does_not_stop_the_others(world: World, token: str) -> None:
    answer = await world.pipeline(token, "insert into t values (1)", "insert into t values (1)", "select 1")
    assert outcomes(answer) == ["ok", "SQLITE_CONSTRAINT", "ok"]
    error = answer["results"][1]["error"]
    assert error["message"] == "UNIQUE constraint failed: t.v"
    assert error["extended_code"] == "SQLITE_CONSTRAINT_UNIQUE"


async def test_stored_texts(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(stored_texts=2, stored_bytes=100, all_stored_bytes=120)) as world:
        token = await world.token("crm")
        by_id = {"type": "execute", "stmt": {"sql_id": 1}}
        answer = await world.pipeline(
            token,
            {"type": "store_sql", "sql_id": 1, "sql": "select 1"},
            by_id,
            {"type": "store_sql", "sql_id": 1, "sql": "select 2"},
            {"type": "store_sql", "sql_id": 2, "sql": "x" * 93},
            {"type": "store_sql", "sql_id": 2, "sql": "x" * 92},
            {"type": "store_sql", "sql_id": 3, "sql": ""},
            {"type": "execute", "stmt": {"sql": "select 1", "sql_id": 1}},
            {"type": "execute", "stmt": {}},
        )
        proto, full = "HRANA_PROTO_ERROR", "SQL_STORE_TOO_LARGE"
        assert outcomes(answer) == ["ok", "ok", proto, full, "ok", full, proto, proto]
        # Its texts live as long as the stream; another has no room, and none of this one's.
        other = await world.pipeline(token, {"type": "store_sql", "sql_id": 1, "sql": "x" * 21}, by_id)
        assert outcomes(other) == [full, "SQL_NOT_FOUND"]
        last = await world.pipeline(token, by_id, {"type": "close_sql", "sql_id": 1}, by_id, baton=answer["baton"])
        assert outcomes(last) == ["ok", "ok", "SQL_NOT_FOUND"]
        ended = await world.pipeline(token, {"type": "close"}, baton=last["baton"])
        assert ended["baton"] is None
        assert outcomes(await world.pipeline(token, {"type": "store_sql", "sql_id": 1, "sql": "x" * 90})) == ["ok"]


async def test_describe(world: World, token: str) -> None:
    answer = await world.pipeline(token, {"type": "describe", "sql": "select v, :x from t where v > ?2"})
    result = answer["results"][0]["response"]["result"]
    assert [column["name"] for column in result["cols"]] == ["v", ":x"]
    assert result["is_readonly"] is True
    assert result["is_explain"] is False
    assert [each["name"] for each in result["params"]] == [":x", "?2"]
    assert outcomes(await world.pipeline(token, {"type": "describe", "sql": "selekt"})) == ["SQLITE_ERROR"]


# ---- streams and transactions


async def test_a_transaction_over_several_requests(world: World, token: str) -> None:
    autocommit = {"type": "get_autocommit"}
    first = await world.pipeline(token, autocommit, "/* go */ begin immediate", autocommit, "insert into t values (1)")
    assert [result["response"].get("is_autocommit") for result in first["results"]] == [True, None, False, None]
    assert await world.value(token, "select count(*) from t") == "0"
    second = await world.pipeline(token, "begin", "select v from t", "commit -- done", baton=first["baton"])
    assert outcomes(second) == ["SQLITE_ERROR", "ok", "ok"]
    assert second["baton"] not in (None, first["baton"])
    assert await world.value(token, "select count(*) from t") == "1"
    third = await world.pipeline(token, "commit", "rollback", baton=second["baton"])
    assert outcomes(third) == ["SQLITE_ERROR", "SQLITE_ERROR"]


async def test_a_stream_that_is_closed_rolls_back(world: World, token: str) -> None:
    close = {"type": "close"}
    answer = await world.pipeline(token, "begin", "insert into t values (1)", close, "select 1", close)
    assert outcomes(answer) == ["ok", "ok", "ok", "STREAM_CLOSED", "STREAM_CLOSED"]
    assert answer["baton"] is None
    assert await world.value(token, "select count(*) from t") == "0"


async def test_a_baton_is_its_owners_and_good_once(world: World, token: str) -> None:
    other, reader = await world.token("crm"), await world.token("crm", access="read")
    both = await world.token()
    begun = await world.pipeline(token, "begin immediate", "insert into t values (1)")
    baton = begun["baton"]
    for thief in (other, reader, both):
        answer = await world.post("/crm/v2/pipeline", {"baton": baton, "requests": []}, thief)
        assert (answer.status_code, answer.json()["code"]) == (400, "STREAM_EXPIRED")
    for guess in ("", "x", baton[:-1], baton + "a", baton.swapcase()):
        assert (await world.post("/v2/pipeline", {"baton": guess, "requests": []}, token)).status_code == 400
    await world.pipeline(token, "commit", baton=baton)  # no theft has harmed it
    assert (await world.post("/v2/pipeline", {"baton": baton, "requests": []}, token)).status_code == 400
    assert await world.value(token, "select count(*) from t") == "1"


async def test_a_baton_is_good_for_its_database_only(world: World) -> None:
    token = await world.token()
    begun = await world.pipeline(token, "begin", path="/crm")
    answer = await world.post("/default/v2/pipeline", {"baton": begun["baton"], "requests": []}, token)
    assert answer.status_code == 400


async def test_of_two_who_use_one_baton_one_gets_the_stream(world: World, token: str) -> None:
    begun = await world.pipeline(token, "begin")
    body = {"baton": begun["baton"], "requests": [execute("insert into t values (1)")]}
    answers = await asyncio.gather(*(world.post("/v2/pipeline", body, token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_an_idle_stream_is_rolled_back(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(idle_seconds=0.05)) as world:
        token = await world.token("crm")
        await world.pipeline(token, "create table t (v)")
        begun = await world.pipeline(token, "begin immediate", "insert into t values (1)")
        await until(lambda: len(world.app.streams) == 0)
        assert world.app.streams.parked == 0
        assert (await world.post("/v2/pipeline", {"baton": begun["baton"], "requests": []}, token)).status_code == 400
        assert outcomes(await world.pipeline(token, "insert into t values (2)")) == ["ok"]
        assert await world.value(token, "select sum(v) from t") == "2"


async def test_nothing_runs_outside_of_a_transaction_that_timed_out(make_world: MakeWorld) -> None:
    async with make_world(db_limits=DbLimits(lease_seconds=0.05)) as world:
        token = await world.token("crm")
        await world.pipeline(token, "create table t (v)")
        baton = (await world.pipeline(token, "begin", "insert into t values (1)"))["baton"]
        async with asyncio.timeout(60):
            while True:
                answer = await world.pipeline(token, {"type": "get_autocommit"}, baton=baton)
                baton = answer["baton"]
                if answer["results"][0]["response"]["is_autocommit"]:
                    break
                await asyncio.sleep(0.01)
        lost = await world.pipeline(
            token,
            "insert into t values (2)",
            {"type": "sequence", "sql": "insert into t values (3)"},
            "commit",
            baton=baton,
        )
        assert outcomes(lost) == ["TRANSACTION_TIMEOUT"] * 3
        anew = await world.pipeline(token, "rollback", "insert into t values (4)", baton=lost["baton"])
        assert outcomes(anew) == ["ok", "ok"]
        assert await world.value(token, "select group_concat(v) from t") == "4"


async def test_a_commit_that_fails_ends_the_transaction(world: World, token: str) -> None:
    await world.pipeline(token, "create table p (id integer primary key)")
    await world.pipeline(token, "create table c (p references p(id) deferrable initially deferred)")
    answer = await world.pipeline(
        token, "begin", "insert into c values (1)", "commit", "insert into t values (1)", "rollback", "select 1"
    )
    assert outcomes(answer) == ["ok", "ok", "SQLITE_CONSTRAINT", "TRANSACTION_CLOSED", "ok", "ok"]
    assert await world.value(token, "select count(*) from t") == "0"


async def test_open_transactions_of_a_project_are_bounded(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(transactions=2)) as world:
        token, other = await world.token("crm"), await world.token("default")
        first = await world.pipeline(token, "begin")
        await world.pipeline(other, "begin")
        assert outcomes(await world.pipeline(other, "begin")) == ["TOO_MANY_TRANSACTIONS"]
        await world.pipeline(token, "rollback", baton=first["baton"])
        assert outcomes(await world.pipeline(other, "begin")) == ["ok"]


async def test_sequences(world: World, token: str) -> None:
    def sequence(sql: str) -> dict[str, Any]:
        return {"type": "sequence", "sql": sql}

    begun = await world.pipeline(
        token, sequence("begin; insert into t values (1); -- begin\n insert into t values (2)")
    )
    assert outcomes(begun) == ["ok"]
    assert await world.value(token, "select count(*) from t") == "0"
    ended = await world.pipeline(
        token, sequence("insert into t values (3); commit; insert into t values (4)"), baton=begun["baton"]
    )
    assert outcomes(ended) == ["ok"]
    assert await world.value(token, "select count(*) from t") == "4"
    failing = await world.pipeline(
        token, sequence("insert into t values (5); insert into t values (5); insert into t values (6)")
    )
    assert outcomes(failing) == ["SQLITE_CONSTRAINT"]
    assert await world.value(token, "select count(*) from t") == "5"
    balanced = "pragma foreign_keys=off; begin; insert into t values (7); commit; pragma foreign_keys=on"
    assert outcomes(await world.pipeline(token, sequence(balanced), sequence(""), sequence("-- nothing"))) == ["ok"] * 3


# ---- batches and cursors


def step(sql: str, condition: Any = None) -> dict[str, Any]:
    return {"stmt": {"sql": sql}, "condition": condition}


async def test_conditions(world: World, token: str) -> None:
    ok, error = {"type": "ok", "step": 0}, {"type": "error", "step": 1}
    steps = [
        step("select 1"),
        step("selekt"),
        step("select 2", ok),
        step("select 3", {"type": "not", "cond": ok}),
        step("select 4", {"type": "error", "step": 3}),  # it was skipped, which is no error
        step("select 5", {"type": "and", "conds": [ok, error, {"type": "is_autocommit"}]}),
        step("begin", {"type": "or", "conds": [{"type": "error", "step": 0}, ok]}),
        step("select 6", {"type": "is_autocommit"}),
        step("rollback", {"type": "not", "cond": {"type": "is_autocommit"}}),
        step("select 7", {"type": "and", "conds": []}),
        step("select 8", {"type": "or", "conds": []}),
    ]
    (result,) = (await world.pipeline(token, {"type": "batch", "batch": {"steps": steps}}))["results"]
    told = result["response"]["result"]
    ran = [number for number, each in enumerate(told["step_results"]) if each]
    assert ran == [0, 2, 5, 6, 8, 9]
    assert [number for number, each in enumerate(told["step_errors"]) if each] == [1]
    assert told["step_errors"][1]["code"] == "SQLITE_ERROR"


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "ok", "step": 1},
        {"type": "ok", "step": -1},
        {"type": "error", "step": 10**9},
        {"type": "and", "conds": [{"type": "not", "cond": {"type": "error", "step": 1}}]},
    ],
)
async def test_a_condition_that_looks_ahead_refuses_the_batch(world: World, token: str, condition: Any) -> None:
    batch = {"steps": [step("insert into t values (1)"), step("select 1", condition)]}
    assert outcomes(await world.pipeline(token, {"type": "batch", "batch": batch})) == ["HRANA_PROTO_ERROR"]
    assert await world.value(token, "select count(*) from t") == "0"


async def test_a_cursor_gives_what_a_batch_gives(world: World, token: str) -> None:
    steps = [
        step("begin"),
        step("insert into t select value from generate_series(1, 3)"),
        step(
            "with recursive n(i) as (values (1) union all select i + 1 from n where i < 3000) "
            "insert into t select i from n"
        ),
        step("selekt"),
        step("select 'skipped'", {"type": "ok", "step": 3}),
        step("select v, 'x' as x from t order by v"),
    ]
    answer = await world.post("/v3/cursor", {"batch": {"steps": steps}}, token)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    head, entries = lines[0], lines[1:]
    kinds = [(entry["type"], entry.get("step")) for entry in entries if entry["type"] != "row"]
    assert kinds == [
        ("step_begin", 0),
        ("step_end", None),
        ("step_error", 1),  # there is no such function here
        ("step_begin", 2),
        ("step_end", None),
        ("step_error", 3),
        ("step_begin", 5),
        ("step_end", None),
    ]
    rows = [entry["row"] for entry in entries if entry["type"] == "row"]
    assert [row[0]["value"] for row in rows] == [str(number) for number in range(1, 3001)]
    assert next(entry for entry in entries if entry.get("affected_row_count"))["affected_row_count"] == 3000
    await world.pipeline(token, "commit", baton=head["baton"])
    assert await world.value(token, "select count(*) from t") == "3000"
    bad = await world.post("/v3/cursor", {"batch": {"steps": [step("select 1", {"type": "ok", "step": 0})]}}, token)
    assert json.loads(bad.text.splitlines()[-1])["type"] == "error"


# ---- limits


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"requests":{}}',
        b'{"requests":[{"type":"drop"}]}',
        b'{"requests":[{"type":"execute"}]}',
        b'{"requests":[{"type":"execute","stmt":{"sql":1}}]}',
        b'{"requests":[{"type":"execute","stmt":{"sql":"select ?","args":[{"type":"float","value":1e999}]}}]}',
        b'{"requests":[{"type":"execute","stmt":{"sql":"select ?","args":[{"type":"float","value":NaN}]}}]}',
        b'{"baton":1,"requests":[]}',
        b'{"requests":' + b"[" * 200_000,
        b'{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{},"condition":' + b'{"type":"not","cond":' * 100_000,
        b'{"requests":[' + b",".join([b'{"type":"close"}'] * 257) + b"]}",
    ],
)
async def test_bodies_that_are_none(world: World, token: str, body: bytes) -> None:
    answer = await world.post("/v2/pipeline", body, token)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.content) < 1000
    assert len(world.app.streams) == 1  # that of the fixture


async def test_deeply_nested_conditions(world: World, token: str) -> None:
    condition: Any = {"type": "is_autocommit"}
    for _ in range(16):
        condition = {"type": "not", "cond": condition}
    batch = {"type": "batch", "batch": {"steps": [step("select 1", condition)]}}
    assert outcomes(await world.pipeline(token, batch)) == ["HRANA_PROTO_ERROR"]


async def test_large_bodies(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(body_bytes=1000, held_bytes=1500)) as world:
        token = await world.token("crm")
        assert (await world.post("/v2/pipeline", b"x" * 1001, token)).status_code == 413

        async def chunks() -> Any:
            for _ in range(11):
                yield b" " * 100

        headers = {"authorization": f"Bearer {token}"}
        answer = await world.http.post("/v2/pipeline", content=chunks(), headers=headers)
        assert answer.status_code == 413
        answer = await world.http.post("/v2/pipeline", content=b"{}", headers={**headers, "content-encoding": "gzip"})
        assert answer.status_code == 415
        assert (await world.pipeline(token, "select 1"))["results"]  # nothing is held back


async def test_many_streams(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(token_streams=2, streams=3)) as world:
        one, two = await world.token("crm"), await world.token("crm")
        for _ in range(2):
            await world.pipeline(one)
        refused = await world.post("/v2/pipeline", {"requests": []}, one)
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_STREAMS")
        assert refused.headers["retry-after"] == "1"
        await world.pipeline(two)
        assert (await world.post("/v2/pipeline", {"requests": []}, two)).status_code == 429


async def test_answers_and_batches_are_bounded(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(response_bytes=1000, steps=4)) as world:
        token = await world.token("crm")
        large = "select hex(zeroblob(600))"
        assert outcomes(await world.pipeline(token, large, large, "select 1")) == ["ok", *["RESPONSE_TOO_LARGE"] * 2]
        batch = {"type": "batch", "batch": {"steps": [step("select 1")] * 5}}
        assert outcomes(await world.pipeline(token, batch)) == ["BATCH_TOO_LARGE"]
        assert outcomes(await world.pipeline(token, *["select 1"] * 5)) == ["ok"] * 4 + ["BATCH_TOO_LARGE"]


async def test_a_client_that_leaves_takes_its_statement_with_it(make_world: MakeWorld) -> None:
    async with make_world(db_limits=DbLimits(statement_seconds=60)) as world:
        token = await world.token("crm")
        await world.pipeline(token, "create table t (v)")
        endless = "with recursive n(i) as (values (1) union all select i + 1 from n) insert into t select max(i) from n"
        body = json.dumps({"requests": [execute("begin immediate"), execute(endless)]}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = f"POST /v2/pipeline HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        before = len(world.app.streams)
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        await until(lambda: len(world.app.streams) > before)
        writer.close()
        await until(lambda: len(world.app.streams) == before)
        # The write lock is free at once, not when a deadline passes.
        assert outcomes(await world.pipeline(token, "insert into t values (1)")) == ["ok"]


async def test_a_pipeline_that_takes_too_long(make_world: MakeWorld) -> None:
    limits = HranaLimits(pipeline_seconds=0.2)
    async with make_world(limits=limits, db_limits=DbLimits(statement_seconds=60)) as world:
        token = await world.token("crm")
        endless = "with recursive n(i) as (values (1) union all select i + 1 from n) select max(i) from n"
        answer = await world.post("/v2/pipeline", {"requests": [execute(endless)]}, token)
        assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
        assert len(world.app.streams) == 0


async def test_a_cursor_that_takes_too_long(make_world: MakeWorld) -> None:
    limits = HranaLimits(pipeline_seconds=0.2)
    async with make_world(limits=limits, db_limits=DbLimits(statement_seconds=60)) as world:
        token = await world.token("crm")
        endless = "with recursive n(i) as (values (1) union all select i + 1 from n) select max(i) from n"
        answer = await world.post("/v3/cursor", {"batch": {"steps": [step("begin"), step(endless)]}}, token)
        last = json.loads(answer.text.splitlines()[-1])
        assert (last["type"], last["error"]["code"]) == ("error", "TIMEOUT")
        assert len(world.app.streams) == 0


async def test_a_body_that_never_ends(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(body_seconds=0.1)) as world:
        token = await world.token("crm")
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = f"POST /v2/pipeline HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n"
        writer.write(head.encode() + b"{")
        assert b" 408 " in await reader.readline()
        writer.close()
