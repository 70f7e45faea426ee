"""Runs and lines on disk: segments that are written in batches, searched newest first, and dropped whole when the
budget or their age is over.
"""

from v8box.telemetry.store.query import Found, LineQuery, RunQuery
from v8box.telemetry.store.store import MAX_HELD, RunStore, StoredLine

__all__ = ["MAX_HELD", "Found", "LineQuery", "RunQuery", "RunStore", "StoredLine"]
