"""What a project may still store, asked before the bytes of a release are taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from v8box.errors import PayloadTooLarge

_MIB: Final = 1_048_576


class Admission(Protocol):
    """What a project may have."""

    def check_site(self, project: str, held: int) -> None:
        """Whether a project with so many sites may have one more. Raises `V8BoxError`, also when there is no such
        project."""
        ...

    async def check_bytes(self, project: str, more: int) -> None:
        """Whether the project may store so many bytes more. Raises `V8BoxError`."""
        ...


class Free:
    """Asks whether the bytes of a release fit, from the thread that has hashed them."""

    def __init__(
        self,
        admission: Admission,
        project: str,
        known: set[str],
        max_bytes: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._admission = admission
        self._project = project
        self._known = known
        self._max_bytes = max_bytes
        self._loop = loop

    def __call__(self, sizes: Mapping[str, int]) -> None:
        if sum(sizes.values()) > self._max_bytes:
            raise PayloadTooLarge(f"A release may have {self._max_bytes // _MIB} MB (V8BOX_SITE_MB).")
        more = sum(size for key, size in sizes.items() if key not in self._known)
        asking = self._admission.check_bytes(self._project, more)
        asyncio.run_coroutine_threadsafe(asking, self._loop).result()


async def bounded(data: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The bytes of one file, no more than `most`. Raises `PayloadTooLarge`."""
    size = 0
    async for chunk in data:
        size += len(chunk)
        if size > most:
            raise PayloadTooLarge(f"A file of a site may have {most // _MIB} MB (V8BOX_SITE_MB).")
        if chunk:
            yield chunk
