"""A version's sources as a ZIP, made while it is sent: one file of it in memory at a time."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, cast

from v8box.catalog import Version

ReadSource = Callable[[Version, str], Awaitable[bytes]]


class _Sink:
    """What zipfile writes to, until it is taken."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data


async def source_zip(version: Version, read: ReadSource) -> AsyncIterator[bytes]:
    """The same version gives the same bytes."""
    sink = _Sink()
    archive = zipfile.ZipFile(cast(Any, sink), "w", zipfile.ZIP_DEFLATED)  # it asks for no more than this
    for path in sorted(version.sources):
        data = await read(version, path)
        await asyncio.to_thread(archive.writestr, _entry(path, version.created_at), data)
        yield sink.take()
    archive.close()
    yield sink.take()


def _entry(path: str, at: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o100644 << 16
    entry.create_system = 3
    return entry
