"""A body whose length must be known before it is sent: in memory while it is small, else in a file without a name."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.contents import store_fault

MEMORY_BYTES: Final = 8 * 1024 * 1024
_WRITE_BYTES: Final = 1024 * 1024


class Spool:
    """Takes one body in, hashed as it comes. Enter it as a context: the file goes with it."""

    def __init__(self, folder: Path | None, most: int, digests: Mapping[str, str]) -> None:
        self._folder = folder
        self._most = most
        self._digests = digests
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in {"md5"} | digests.keys()}
        self._file: IO[bytes] = io.BytesIO()
        self.size = 0

    async def __aenter__(self) -> Spool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    async def take(self, body: bytes | AsyncIterator[bytes]) -> None:
        """Raises `object_too_large`, `bad_digest`, `no_space`."""
        if isinstance(body, bytes):
            await self._write(body)
        else:
            gathered = bytearray()
            async for chunk in body:
                gathered += chunk
                if len(gathered) >= _WRITE_BYTES:
                    await self._write(gathered)
                    gathered = bytearray()
            await self._write(gathered)
        for name, expected in self._digests.items():
            found = self._hashes[name].hexdigest()
            if found != expected.lower():
                raise BindingError("bad_digest", f"the content's {name} is {found}")

    @property
    def md5(self) -> str:
        """As the header Content-MD5 has it."""
        return base64.b64encode(self._hashes["md5"].digest()).decode()

    def content(self) -> bytes | Any:
        """What to send: bytes, or a file at its start."""
        if isinstance(self._file, io.BytesIO):
            return self._file.getvalue()
        self._file.seek(0)
        return self._file

    async def _write(self, data: bytes | bytearray) -> None:
        self.size += len(data)
        if self.size > self._most:
            raise BindingError("object_too_large", f"one part may have {self._most} bytes")
        try:
            # Shielded: a write under way must not meet a file that a cancelled upload closes.
            await asyncio.shield(asyncio.to_thread(self._write_now, data))
        except OSError as error:
            raise store_fault(error) from error

    def _write_now(self, data: bytes | bytearray) -> None:
        for digest in self._hashes.values():
            digest.update(data)
        if self.size > MEMORY_BYTES and isinstance(self._file, io.BytesIO):
            file = tempfile.TemporaryFile(dir=self._folder)
            file.write(self._file.getbuffer())
            self._file = file
        self._file.write(data)
