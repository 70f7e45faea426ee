"""The listener that keeps: hands what the feed tells to the store on disk and to the rings in memory."""

from __future__ import annotations

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore


class Intake:
    """On the loop, in the request path: nothing here takes long."""

    def __init__(self, store: RunStore, rings: Rings) -> None:
        self._store = store
        self._rings = rings

    def run(self, record: RunRecord) -> None:
        self._store.run(record)
        self._rings.run(record)

    def line(self, record: LineRecord) -> None:
        size = len(record.text)
        if record.fields is not None:
            size += len(msgspec.json.encode(record.fields))
        self._store.line(record, size)
        self._rings.line(record, size)
