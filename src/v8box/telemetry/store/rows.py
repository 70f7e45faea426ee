"""A record as a row of its table, and back.

What is searched for has a column; a run's other fields are together in `rest`, a JSON array of the fields that the file
names in its own table. Those at the end of it that have their defaults are left out, which most runs' are.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from v8box.telemetry.records import LEVELS, LineRecord, RunError, RunRecord, rank

ID_BYTES: Final = 12
RUN_COLUMNS: Final = 13
LINE_COLUMNS: Final = 8
_HEAD: Final = ("method", "client", "cold", "cpu", "bytes_out", "trace", "span", "parent")
"""Those of `rest` that hardly a run has as they are by default."""
_COLUMNS: Final = frozenset(
    {
        "id",
        "time",
        "worker",
        "project",
        "environment",
        "version",
        "trigger",
        "status",
        "outcome",
        "duration",
        "path",
        "request_id",
        "error",
    }
)
"""The fields of a run that have a column, or follow from one."""
_FIELDS: Final = msgspec.structs.fields(RunRecord)
_TAIL: Final = tuple(each.name for each in _FIELDS if each.name not in _COLUMNS and each.name not in _HEAD)
REST: Final = (*_HEAD, *_TAIL)
_head_of: Final = attrgetter(*_HEAD)
_tail_of: Final = attrgetter(*_TAIL)
_UNKNOWN: Final = {"method": "", "cold": 0.0, "cpu": 0.0, "bytes_out": 0, "client": ""}
"""Of a run that another version wrote, which had no such field."""
_encode: Final = msgspec.json.encode

_MAX_KNOWN: Final = 100_000

Row = tuple[Any, ...]
Source = tuple[str, str, str]
"""Worker, project, environment."""
K = TypeVar("K", str, Source)
_DEFAULTS: Final = _tail_of(RunRecord("", "", 0.0, "", "", "", "", "", 0, "", 0.0, 0.0, 0.0, 0, ""))


class Numbers(dict[K, int]):
    """What stands in a file for what is the same in many records. `learn` gives the number of what is new."""

    def __init__(self, learn: Callable[[K], int]) -> None:
        super().__init__()
        self._learn: Callable[[K], int] = learn

    def __missing__(self, key: K) -> int:
        if len(self) >= _MAX_KNOWN:
            self.clear()
        number = self[key] = self._learn(key)
        return number


def run_row(record: RunRecord, sources: Numbers[Source], words: Numbers[str]) -> Row:
    """In the order of the table's columns. Raises what a record that makes no sense raises."""
    status, outcome, id_ = record.status, record.outcome, record.id
    trigger, error, request = record.trigger, record.error, record.request_id
    tail = _tail_of(record)
    rest = _encode(_head_of(record) if tail == _DEFAULTS else _head_of(record) + tail).decode()
    rare = status >= 400 or outcome != "ok" or trigger != "http"
    return (
        id_of(id_),
        sources[record.worker, record.project, record.environment],
        words[record.version],
        words[trigger],
        status,
        words[outcome],
        round(record.duration * 1000),
        rare,
        rare and record.failed,
        record.path,
        None if request == id_ else request,
        None if error is None else _encode(error).decode(),
        rest,
    )


def line_row(record: LineRecord, number: int, sources: Numbers[Source], words: Numbers[str]) -> Row:
    """Lines have no id of their own: theirs is their time, then a number that goes on."""
    return (
        id_at(int(record.time * 1000))[:6] + (number & 0xFFFF_FFFF_FFFF).to_bytes(6),
        sources[record.worker, record.project, record.environment],
        words[record.version],
        rank(record.level),
        None if record.run is None else id_of(record.run),
        record.text,
        record.thrown,
        None if record.fields is None else _encode(record.fields).decode(),
    )


def run_of(row: Sequence[Any], rest_fields: Sequence[str]) -> RunRecord:
    """A row of the query `runs`; `rest_fields`: what the file has in `rest`."""
    key, worker, project, environment, version, trigger, status, outcome, duration, path, request, error, rest = row
    values: dict[str, Any] = {**_UNKNOWN, **dict(zip(rest_fields, msgspec.json.decode(rest), strict=False))}
    values.update(
        id=text_of(key),
        request_id=request or text_of(key),
        time=millisecond_of(key) / 1000,
        worker=worker,
        project=project,
        environment=environment,
        version=version,
        trigger=trigger,
        status=status,
        outcome=outcome,
        duration=duration / 1000,
        path=path,
        error=None if error is None else msgspec.json.decode(error, type=RunError),
    )
    return msgspec.convert(values, RunRecord)


def line_of(row: Sequence[Any]) -> LineRecord:
    """A row of the query `lines`."""
    key, worker, project, environment, version, level, run, text, thrown, fields = row
    return LineRecord(
        millisecond_of(key) / 1000,
        None if run is None else text_of(run),
        worker,
        version,
        LEVELS[level],
        text,
        None if fields is None else msgspec.json.decode(fields),
        project,
        environment,
        bool(thrown),
    )


def millisecond_of(id_: bytes) -> int:
    return int.from_bytes(id_[:6])


def id_at(millisecond: int) -> bytes:
    """The first id of a millisecond."""
    return max(0, min(millisecond, (1 << 48) - 1)).to_bytes(6) + bytes(6)


def id_of(text: str) -> bytes:
    """How an id is kept."""
    try:
        return unhexlify(text)
    except ValueError:
        return text.encode()


def text_of(id_: bytes) -> str:
    """`id_of` back again."""
    if len(id_) == ID_BYTES:
        return id_.hex()
    try:
        return id_.decode()
    except UnicodeDecodeError:
        return id_.hex()
