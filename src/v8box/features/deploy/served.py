"""The served folder as the admin API sees it: which workers it holds, what is wrong with them, deleting one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from v8box.api.deployed import DeployFault
from v8box.errors import V8BoxError
from v8box.features.deploy.discovery import FUNCTIONS
from v8box.features.deploy.events import DeployFailed
from v8box.features.deploy.folder import FolderDeploys

_OUTCOME_SECONDS: Final = 150.0


class NotDeletable(V8BoxError):
    """Which files are this worker's cannot be told: v8box.toml names its main file, or it has a fault. Delete them
    yourself."""

    status = 409
    code = "not_deletable"


class ServedFolder:
    """The workers that `deploys` looks after."""

    def __init__(self, directory: Path, deploys: FolderDeploys) -> None:
        self._directory = directory
        self._deploys = deploys

    def owns(self, worker: str) -> bool:
        return worker in self._deploys.workers

    def faults(self) -> Mapping[str, DeployFault]:
        return {worker: fault(failed) for worker, failed in self._deploys.last_errors.items()}

    async def delete(self, worker: str) -> None:
        """The worker's folder, or its one file. Raises `NotDeletable`."""
        manifest = self._deploys.workers.get(worker)
        entry = PurePosixPath("" if manifest is None else manifest.entry)
        if entry.parent == PurePosixPath(FUNCTIONS, worker):
            path = self._directory / entry.parent
        elif entry == PurePosixPath(FUNCTIONS, worker + entry.suffix):
            path = self._directory / entry
        else:
            raise NotDeletable
        await asyncio.to_thread(_delete, path)
        async with asyncio.timeout(_OUTCOME_SECONDS):
            await self._deploys.outcome(worker)  # no deploy of it is under way any more


def fault(failed: DeployFailed) -> DeployFault:
    """Why a worker could not be deployed, as the API shows it."""
    place = failed.place
    if place is None:
        return DeployFault(message=failed.message)
    return DeployFault(message=failed.message, file=place.file, line=place.line, column=place.column)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
