"""What the catalog tells of versions to those who know only their ids."""

from __future__ import annotations

from typing import Final

from v8box.catalog.catalog import Catalog
from v8box.catalog.model import Version
from v8box.errors import NotFound
from v8box.storage import BlobMissing


class Deployed:
    """Asks the catalog; what it does not know (any more) is nothing, and no error."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog: Final = catalog

    async def number(self, project: str, worker: str, version: str) -> int:
        """The number that people say; 0: there is no such version."""
        found = await self._version(project, worker, version)
        return 0 if found is None else found.number

    async def live_since(self, project: str, worker: str, environment: str, version: str) -> float:
        """When the version last went live there, as Unix time; 0: it is not live."""
        found = await self._catalog.deployment(worker, project=project, environment=environment)
        if found is None:
            return 0.0
        live = any(each == version for each, _ in found.shares)
        return found.changed_at.timestamp() if live else 0.0

    async def source(self, project: str, worker: str, version: str, path: str) -> bytes | None:
        """A file of the version's sources."""
        found = await self._version(project, worker, version)
        if found is None or path not in found.sources:
            return None
        try:
            return await self._catalog.versions.source(found, path)
        except BlobMissing:
            return None

    async def _version(self, project: str, worker: str, version: str) -> Version | None:
        try:
            return await self._catalog.versions.get(project, worker, version)
        except NotFound:
            return None
