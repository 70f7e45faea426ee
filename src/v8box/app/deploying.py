"""How workers arrive and change, put together: the folder's, those that are sent, their files, canaries, retention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from v8box.api.staging import Staging
from v8box.app.admin import variable_names
from v8box.app.foundations import Foundations
from v8box.catalog.catalog import Catalog
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.projects import Projects
from v8box.features.deploy import Alone, Bundler, DeployEvent, FolderDeploys
from v8box.features.deploy.files import WorkerFiles
from v8box.features.deploy.uploads import Uploads
from v8box.features.workers.canary import Canaries
from v8box.features.workers.retention import retain_forever
from v8box.kit.tasks import TaskSet
from v8box.settings import Settings
from v8box.telemetry.rates import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploying:
    """`listeners` are told of every deploy of the folder's."""

    folder: FolderDeploys
    uploads: Uploads
    staging: Staging
    files: WorkerFiles
    canaries: Canaries
    listeners: list[Callable[[DeployEvent], None]]


async def open_deploying(
    settings: Settings,
    base: Foundations,
    bundler: Bundler,
    rates: Rates,
    *,
    alone: Alone | None,
    tasks: TaskSet,
) -> Deploying:
    """What goes on for the box's whole life goes in `tasks`. `alone`: the folder is this one worker."""
    data, catalog = settings.data_directory, base.catalog
    listeners: list[Callable[[DeployEvent], None]] = []
    folder = FolderDeploys(
        settings.directory,
        data,
        catalog,
        bundler,
        on_event=partial(_tell_each, listeners),
        alone=alone,
        variable_names=partial(variable_names, base.variables),
    )
    staging = Staging(data / "staged-workers")
    await staging.open()
    uploads = Uploads(
        catalog,
        bundler,
        admit=partial(_admit_workers, base.projects, catalog),
        from_folder=lambda project, worker: project == DEFAULT_PROJECT and worker in folder.workers,
    )
    canaries = await Canaries.open(base.database, catalog, rates)
    tasks.forever(canaries.run(), "canaries")
    tasks.forever(folder.run(), "deploys")
    tasks.forever(retain_forever(catalog.versions, settings.versions.keep), "retention")
    return Deploying(
        folder=folder,
        uploads=uploads,
        staging=staging,
        files=WorkerFiles(settings.directory, data, folder, catalog, uploads, staging),
        canaries=canaries,
        listeners=listeners,
    )


def _tell_each(listeners: Sequence[Callable[[DeployEvent], None]], event: DeployEvent) -> None:
    for listener in listeners:
        listener(event)


async def _admit_workers(projects: Projects, catalog: Catalog, project: str, workers: Sequence[str]) -> None:
    """Whether the project, if there is one, may have these workers too. Raises `ProjectNotFound`, `QuotaExceeded`."""
    projects.get(project)
    names = {each.worker for each in await catalog.workers(project)}
    more = len(set(workers) - names)
    if more:
        projects.check_room(project, "workers", len(names) + more - 1)
