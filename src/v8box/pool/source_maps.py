"""The source maps of versions, decoded when a stack first needs one, and stacks in terms of the user's own files.

A few maps are kept; a large one is decoded in a thread, so that it keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from v8box.catalog.model import Placement
from v8box.kit.sourcemap import SourceMap, SourceMapError

logger = logging.getLogger(__name__)

LoadSourceMap = Callable[[Placement], Awaitable[bytes | None]]

MAX_MAPS: Final = 32
_LARGE_BYTES: Final = 64 * 1024


class SourceMaps:
    """Maps by version. `get` gives None for one that is not there or cannot be used."""

    def __init__(self, load: LoadSourceMap) -> None:
        self._load = load
        self._maps: OrderedDict[str, SourceMap | None] = OrderedDict()

    async def get(self, placement: Placement) -> SourceMap | None:
        if placement.id in self._maps:
            self._maps.move_to_end(placement.id)
            return self._maps[placement.id]
        source_map = None
        try:
            data = await self._load(placement)
            if data is not None:
                large = len(data) > _LARGE_BYTES
                source_map = await asyncio.to_thread(SourceMap.parse, data) if large else SourceMap.parse(data)
        except SourceMapError as error:
            logger.warning("the source map of %s %s cannot be used: %s", placement.worker, placement.id, error)
        except Exception as error:
            logger.warning("the source map of %s %s cannot be read: %s", placement.worker, placement.id, error)
            return None  # it may be readable later
        self._maps[placement.id] = source_map
        while len(self._maps) > MAX_MAPS:
            self._maps.popitem(last=False)
        return source_map
