"""Bodies to and from an S3 server: gathered into parts of known length on the way there, as they come on the way
back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Final

from v8box.bindings.interface import BindingError

PART_BYTES: Final = 8 * 1024 * 1024  # 10,000 of them are 80 GB
CHUNK_BYTES: Final = 256 * 1024
_ON_LOOP_BYTES: Final = 16 * 1024  # hashed on the loop up to here: that is shorter than the way to a thread


class Digests:
    """The digests that a caller gave for a whole body, computed as its parts go by."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        self._expected = expected
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in expected}

    async def see(self, part: bytes) -> str:
        """Counts a part in. Gives back its own MD5, as the header Content-MD5 has it."""
        if len(part) <= _ON_LOOP_BYTES:
            return self._see(part)
        return await asyncio.to_thread(self._see, part)

    def check(self) -> None:
        """Raises `bad_digest`."""
        for name, digest in self._hashes.items():
            if digest.hexdigest() != self._expected[name].lower():
                raise BindingError("bad_digest", f"the content's {name} is {digest.hexdigest()}")

    def _see(self, part: bytes) -> str:
        for digest in self._hashes.values():
            digest.update(part)
        return base64.b64encode(hashlib.md5(part, usedforsecurity=False).digest()).decode()


async def in_parts(body: bytes | AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """A body in parts of `PART_BYTES`, the last one shorter; one empty part if there is nothing. Raises
    `object_too_large` when there are more than `most` bytes."""
    gathered = bytearray()
    size = 0
    given = False
    async for chunk in _chunks(body):
        size += len(chunk)
        if size > most:
            raise BindingError("object_too_large", f"one upload may have {most} bytes: send it in parts")
        gathered += chunk
        while len(gathered) >= PART_BYTES:
            given = True
            yield bytes(memoryview(gathered)[:PART_BYTES])
            del gathered[:PART_BYTES]
    if gathered or not given:
        yield bytes(gathered)


async def _chunks(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), CHUNK_BYTES):
            yield body[start : start + CHUNK_BYTES]
        return
    async for chunk in body:
        yield chunk


class ServerBody:
    """What an S3 server sends, from `skip` bytes on and `length` bytes long. Close it (`aclose`) when it is not read to
    its end: its connection is given up then."""

    def __init__(self, raw: Any, skip: int, length: int, fault: Callable[[str], BindingError]) -> None:
        self._raw = raw
        self._skip = skip
        self._left = length
        self._fault = fault
        self._closed = False

    def __aiter__(self) -> ServerBody:
        return self

    async def __anext__(self) -> bytes:
        while self._left > 0 and not self._closed:
            try:
                chunk = bytes(await self._raw.read(CHUNK_BYTES))
            except Exception as error:  # the library's and aiohttp's own, which have no common root
                await self.aclose()
                raise self._broken() from error
            if not chunk:
                await self.aclose()
                raise self._broken()
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            chunk = chunk[skipped : skipped + self._left]
            self._left -= len(chunk)
            if chunk:
                return chunk
        await self.aclose()
        raise StopAsyncIteration

    async def read_whole(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._raw.close()

    def _broken(self) -> BindingError:
        return self._fault("broke off in the middle of an object")
