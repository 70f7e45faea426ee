"""Hrana in JSON, versions 1 to 3: what clients send, as types; what they get, as bytes. Knows no stream and no server.

The format is LibSQL's docs/HRANA_3_SPEC.md; fields that are unknown here are ignored, as it says. Results of statements
come encoded from the database and only pass through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from v8box.bindings.interface import BindingError

PROTOCOL_ERROR: Final = "HRANA_PROTO_ERROR"  # the official client's own word for it
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_encode: Final = msgspec.json.Encoder().encode


class ProtocolError(Exception):
    """A message is not what the protocol says; the stream, or the WebSocket, ends with it."""


# ---- what clients send


class _Null(msgspec.Struct, tag_field="type", tag="null"):
    pass


class _Integer(msgspec.Struct, tag_field="type", tag="integer"):
    value: str | int


class _Float(msgspec.Struct, tag_field="type", tag="float"):
    value: float


class _Text(msgspec.Struct, tag_field="type", tag="text"):
    value: str


class _Blob(msgspec.Struct, tag_field="type", tag="blob"):
    base64: str


Value = _Null | _Integer | _Float | _Text | _Blob


class NamedArg(msgspec.Struct):
    name: str
    value: Value


class Stmt(msgspec.Struct):
    sql: str | None = None
    sql_id: int | None = None
    args: list[Value] | None = None
    named_args: list[NamedArg] | None = None
    want_rows: bool | None = None


class IfOk(msgspec.Struct, tag_field="type", tag="ok"):
    step: int


class IfError(msgspec.Struct, tag_field="type", tag="error"):
    step: int


class IfNot(msgspec.Struct, tag_field="type", tag="not"):
    cond: Condition


class IfAll(msgspec.Struct, tag_field="type", tag="and"):
    conds: list[Condition]


class IfAny(msgspec.Struct, tag_field="type", tag="or"):
    conds: list[Condition]


class IfAutocommit(msgspec.Struct, tag_field="type", tag="is_autocommit"):
    pass


Condition = IfOk | IfError | IfNot | IfAll | IfAny | IfAutocommit


class Step(msgspec.Struct):
    stmt: Stmt
    condition: Condition | None = None


class Batch(msgspec.Struct):
    steps: list[Step]


class StreamRequest(msgspec.Struct, tag_field="type", kw_only=True):
    """One request on a stream. Over HTTP the stream is the baton's, on a WebSocket `stream_id` names it."""

    stream_id: int = 0


class Close(StreamRequest, tag="close"):
    pass


class Execute(StreamRequest, tag="execute"):
    stmt: Stmt


class RunBatch(StreamRequest, tag="batch"):
    batch: Batch


class Sequence_(StreamRequest, tag="sequence"):
    sql: str | None = None
    sql_id: int | None = None


class Describe(StreamRequest, tag="describe"):
    sql: str | None = None
    sql_id: int | None = None


class StoreSql(StreamRequest, tag="store_sql"):
    sql_id: int
    sql: str


class CloseSql(StreamRequest, tag="close_sql"):
    sql_id: int


class GetAutocommit(StreamRequest, tag="get_autocommit"):
    pass


class OpenStream(StreamRequest, tag="open_stream"):
    pass


class CloseStream(StreamRequest, tag="close_stream"):
    pass


class OpenCursor(StreamRequest, tag="open_cursor"):
    cursor_id: int
    batch: Batch


class FetchCursor(StreamRequest, tag="fetch_cursor"):
    cursor_id: int
    max_count: int


class CloseCursor(StreamRequest, tag="close_cursor"):
    cursor_id: int


OnStream = Execute | RunBatch | Sequence_ | Describe | StoreSql | CloseSql | GetAutocommit
OverHttp = OnStream | Close
OverWebSocket = OnStream | OpenStream | CloseStream | OpenCursor | FetchCursor | CloseCursor


class PipelineBody(msgspec.Struct):
    requests: list[OverHttp]
    baton: str | None = None


class CursorBody(msgspec.Struct):
    batch: Batch
    baton: str | None = None


class Hello(msgspec.Struct, tag_field="type", tag="hello"):
    jwt: str | None = None


class Request(msgspec.Struct, tag_field="type", tag="request"):
    request_id: int
    request: OverWebSocket


ClientMessage = Hello | Request


class Decode:
    """Reads one kind of message. Raises `ProtocolError` for whatever is none."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, data: bytes | bytearray | str) -> Any:
        try:
            return self._decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            raise ProtocolError(str(error)) from error
        except RecursionError as error:
            raise ProtocolError("the JSON is nested too deeply") from error


def resolve(request: OverWebSocket, find: Callable[[str | None, int | None], str]) -> None:
    """Puts the stored SQL texts that a request names into it."""
    match request:
        case Execute():
            stmts: Iterable[Stmt | Sequence_ | Describe] = (request.stmt,)
        case RunBatch() | OpenCursor():
            stmts = (step.stmt for step in request.batch.steps)
        case Sequence_() | Describe():
            stmts = (request,)
        case _:
            return
    for stmt in stmts:
        stmt.sql, stmt.sql_id = find(stmt.sql, stmt.sql_id), None


# ---- arguments


def arguments(stmt: Stmt) -> list[Any] | dict[str, Any] | None:
    """A statement's arguments as the database port takes them. Raises `BindingError` for what SQLite cannot hold."""
    if stmt.named_args:
        if stmt.args:
            raise BindingError("ARGS_INVALID", "arguments are positional or named, not both in one statement")
        return {named.name: argument(named.value) for named in stmt.named_args}
    return [argument(value) for value in stmt.args] if stmt.args else None


def argument(value: Value) -> Any:
    match value:
        case _Text():
            return value.value
        case _Integer():
            text = value.value
            if isinstance(text, str) and not _INTEGER.fullmatch(text):
                raise BindingError("ARGS_INVALID", "an integer argument is not written as one")
            number = int(text)
            if not -(2**63) <= number < 2**63:
                raise BindingError("ARGS_INVALID", "an integer argument does not fit 64 bits")
            return number
        case _Float():
            return value.value
        case _Null():
            return None
        case _Blob():
            text = value.base64.rstrip("=")
            return {"b": text + "=" * (-len(text) % 4)}  # clients in Rust leave the padding out


# ---- what clients get

raw: Final = msgspec.Raw
EMPTY_RESULT: Final = b'{"cols":[],"rows":[],"affected_row_count":0,"last_insert_rowid":null}'
NULL: Final = b"null"


class _StmtResult(msgspec.Struct):
    cols: msgspec.Raw
    rows: list[msgspec.Raw]
    affected_row_count: int
    last_insert_rowid: str | None = None


_read_result: Final = msgspec.json.Decoder(_StmtResult).decode


def without_rows(result: bytes | msgspec.Raw) -> bytes:
    """The result as a client wants it that asks for no rows."""
    whole = _read_result(result)
    whole.rows.clear()
    return _encode(whole)


def error_body(code: str, message: str) -> bytes:
    """Hrana's Error. SQLite's code is the primary one, as LibSQL's server gives it; the extended one stands beside."""
    primary = "_".join(code.split("_", 2)[:2]) if code.startswith("SQLITE_") else code
    body = {"message": message, "code": primary}
    if primary != code:
        body["extended_code"] = code
    return _encode(body)


def ok(response: bytes) -> bytes:
    """A StreamResult of a pipeline."""
    return b'{"type":"ok","response":%b}' % response


def failed(error: BindingError) -> bytes:
    return b'{"type":"error","error":%b}' % error_body(error.code, error.message)


def pipeline_answer(baton: str | None, results: Sequence[bytes]) -> bytes:
    return b'{"baton":%b,"base_url":null,"results":[%b]}' % (_encode(baton), b",".join(results))


def cursor_head(baton: str | None) -> bytes:
    return b'{"baton":%b,"base_url":null}' % _encode(baton)


def batch_result(results: Sequence[bytes], errors: Sequence[bytes]) -> bytes:
    return b'{"step_results":[%b],"step_errors":[%b]}' % (b",".join(results), b",".join(errors))


def entries(step: int, result: bytes | BindingError) -> Iterator[bytes]:
    """The cursor entries of one step that ran, or failed."""
    if isinstance(result, BindingError):
        yield b'{"type":"step_error","step":%d,"error":%b}' % (step, error_body(result.code, result.message))
        return
    whole = _read_result(result)
    yield b'{"type":"step_begin","step":%d,"cols":%b}' % (step, bytes(whole.cols))
    for row in whole.rows:
        yield b'{"type":"row","row":%b}' % bytes(row)
    rowid = _encode(whole.last_insert_rowid)
    yield b'{"type":"step_end","affected_row_count":%d,"last_insert_rowid":%b}' % (whole.affected_row_count, rowid)


def error_entry(code: str, message: str) -> bytes:
    """The last line of a cursor whose batch failed as a whole."""
    return b'{"type":"error","error":%b}\n' % error_body(code, message)
