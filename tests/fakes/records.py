"""Runs and lines as the box would have made them."""

from __future__ import annotations

import itertools
import time
from typing import Any

from v8box.telemetry.records import LineRecord, RunRecord

_numbers = itertools.count()


def run_id(at: float, number: int | None = None) -> str:
    """The id that a run gets which begins then."""
    return f"{int(at * 1000):012x}{next(_numbers) if number is None else number:012x}"


def a_run(at: float | None = None, **fields: Any) -> RunRecord:
    """An everyday run, but for the fields that are given."""
    at = int((time.time() if at is None else at) * 1000) / 1000
    id_ = fields.pop("id", None) or run_id(at)
    values: dict[str, Any] = {
        "id": id_,
        "request_id": id_,
        "time": at,
        "worker": "hello",
        "version": "v1",
        "trigger": "http",
        "method": "GET",
        "path": "/run/hello",
        "status": 200,
        "outcome": "ok",
        "duration": 1.5,
        "cold": 0.0,
        "cpu": 0.5,
        "bytes_out": 2,
        "client": "203.0.113.7",
    }
    return RunRecord(**{**values, **fields})


def a_line(text: str = "x", at: float | None = None, **fields: Any) -> LineRecord:
    at = int((time.time() if at is None else at) * 1000) / 1000
    values: dict[str, Any] = {"time": at, "run": None, "worker": "hello", "version": "v1", "level": "info"}
    return LineRecord(**{**values, "text": text, **fields})
