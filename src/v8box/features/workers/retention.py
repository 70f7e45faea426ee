"""Once a day: removes the versions that nothing needs, and the bytes that no version refers to."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from v8box.catalog.versions import Versions

_log: Final = logging.getLogger(__name__)
FIRST_SECONDS: Final = 900.0  # a start has other things to do
EVERY_SECONDS: Final = 86_400.0


async def retain_forever(
    versions: Versions, keep: int, *, first_seconds: float = FIRST_SECONDS, every_seconds: float = EVERY_SECONDS
) -> None:
    """Until cancelled. A failure is logged; the next day is another."""
    await asyncio.sleep(first_seconds)
    while True:
        try:
            removed = await versions.prune(keep)
            freed = await versions.sweep()
        except Exception:
            _log.exception("old versions could not be removed")
        else:
            if removed or freed:
                _log.info("retention removed %d versions and %d files of theirs", removed, freed)
        await asyncio.sleep(every_seconds)
