"""Once a day: removes the releases that nothing needs, previews that have expired, and bytes no release refers to."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from v8box.features.pages.service import PagesService

FIRST_SECONDS: Final = 1_200.0  # a start has other things to do, and workers' retention is first
EVERY_SECONDS: Final = 86_400.0
_log: Final = logging.getLogger(__name__)


async def retain_forever(
    service: PagesService, keep: int, *, first_seconds: float = FIRST_SECONDS, every_seconds: float = EVERY_SECONDS
) -> None:
    """Until cancelled. A failure is logged; the next day is another."""
    await asyncio.sleep(first_seconds)
    while True:
        try:
            removed = await service.sites.prune(keep)
            freed = await service.sweep()
        except Exception:
            _log.exception("old releases could not be removed")
        else:
            if removed or freed:
                _log.info("retention removed %d releases and previews, and %d files of theirs", removed, freed)
        await asyncio.sleep(every_seconds)
