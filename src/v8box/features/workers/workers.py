"""Workers as the API shows them: what the catalog knows of them, with what the served folder says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from v8box.api.deployed import DeployFault, VersionDetail, VersionShown, WorkerInfo
from v8box.catalog import DEFAULT_PROJECT, PRODUCTION, Catalog, Deployment, Version, VersionInfo
from v8box.catalog.listing import Entry
from v8box.catalog.projects import ProjectNotFound
from v8box.catalog.warnings import warnings_of
from v8box.errors import NotFound, V8BoxError
from v8box.telemetry.actors import Actor

Source = Literal["folder", "site", "api"]
State = Literal["live", "not_live", "broken"]


class ComesFromFolder(V8BoxError):
    """The worker comes from the served folder: delete its file there, or send ?files=true to have that done."""

    status = 409
    code = "comes_from_folder"


class Folder(Protocol):
    """The served folder; its workers are those of the project `default`."""

    def owns(self, worker: str) -> bool:
        """Whether a file there is this worker."""
        ...

    def faults(self) -> Mapping[str, DeployFault]:
        """By worker, why its files as they are now are not live."""
        ...

    async def delete(self, worker: str) -> None:
        """Deletes the worker's files, and takes it off the routes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which workers a list shows: those that fit all that is said."""

    search: str = ""
    """Small letters that occur in the name or in a tag."""
    tags: Collection[str] = ()
    source: Source | None = None
    environment: str | None = None
    state: State | None = None

    def fits(self, entry: Entry, source: Source, *, broken: bool) -> bool:
        live = bool(entry.environments) or entry.held
        return (
            (self.source is None or source == self.source)
            and (self.environment is None or self.environment in entry.environments)
            and (self.state is None or {"live": live, "not_live": not live, "broken": broken}[self.state])
            and all(tag in entry.tags for tag in self.tags)
            and (self.search in entry.worker or any(self.search in tag for tag in entry.tags))
        )


Forget = Callable[[str, str], Awaitable[None]]
"""Takes a project and the name of a worker of it that is gone."""


VariableNames = Callable[[str, str, str], Awaitable[Collection[str]]]
"""The names of the variables that a worker gets from outside its manifest: project, environment, worker."""


async def _no_names(_project: str, _environment: str, _worker: str) -> Collection[str]:
    return ()


class Workers:
    """All workers. `base` is where they are called, `site_address` where a site answers, `exists` whether there is such
    a project; `forget` takes what else is kept of a deleted worker."""

    def __init__(
        self,
        catalog: Catalog,
        folder: Folder,
        base: str,
        forget: Forget,
        exists: Callable[[str], bool] = lambda _: True,
        variable_names: VariableNames = _no_names,
        site_address: Callable[[str], str] = str,
    ) -> None:
        self._site_address = site_address
        self.catalog = catalog
        self._exists = exists
        self.base = base
        self._folder = folder
        self._forget = forget
        self._variable_names = variable_names

    async def find_all(self, project: str, wanted: Wanted) -> list[Entry]:
        """Of those that have a version, and of those in the folder that could not be deployed yet, the ones that are
        wanted, by name. Raises `ProjectNotFound`."""
        self.check_project(project)
        entries = await self.catalog.listing.entries(project)
        faults = self._folder.faults() if project == DEFAULT_PROJECT else {}
        for name in faults.keys() - entries.keys():
            entries[name] = Entry(name)
        return [
            each
            for name, each in sorted(entries.items())
            if wanted.fits(each, self._source(project, each), broken=name in faults)
        ]

    def _source(self, project: str, entry: Entry) -> Source:
        return "folder" if self.is_from_folder(project, entry.worker) else "site" if entry.held else "api"

    def check_project(self, project: str) -> None:
        """Raises `ProjectNotFound`."""
        if not self._exists(project):
            raise ProjectNotFound(f"There is no project called {project[:63]}.")

    async def show(self, project: str, names: list[str]) -> list[WorkerInfo]:
        """Those of these names that there are."""
        found = await self.catalog.listing.look_up(project, names)
        faults = self._folder.faults() if project == DEFAULT_PROJECT else {}
        return [
            WorkerInfo.of(
                project,
                name,
                found[name].summary,
                found[name].deployments,
                base=self.base,
                from_folder=self.is_from_folder(project, name),
                error=faults.get(name),
                sites=found[name].sites,
                site_url=self._site_address(found[name].sites[0]) if found[name].sites else "",
                tags=found[name].tags,
            )
            for name in names
            if found[name].summary is not None or name in faults
        ]

    async def get(self, project: str, name: str) -> WorkerInfo:
        """Raises `NotFound`."""
        found = await self.show(project, [name])
        if not found:
            raise NotFound(f"There is no worker called {name[:63]} in this project.")
        return found[0]

    def is_from_folder(self, project: str, name: str) -> bool:
        return project == DEFAULT_PROJECT and self._folder.owns(name)

    async def delete(self, project: str, name: str, actor: Actor, *, files: bool) -> None:
        """With all its versions. Raises `NotFound`, `ComesFromFolder`."""
        await self.get(project, name)
        if self.is_from_folder(project, name):
            if not files:
                raise ComesFromFolder
            await self._folder.delete(name)
        if await self.catalog.worker(project, name) is not None:
            await self.catalog.delete_worker(name, project=project, actor=actor)
        await self._forget(project, name)

    async def find(self, project: str, worker: str, reference: str) -> Version:
        """The version that is meant. Raises `NotFound`, `BadRequest`."""
        return await self.catalog.versions.find(project, worker, reference)

    async def show_version(self, version: Version) -> VersionShown:
        return await self.shown(await self.catalog.versions.info(version.project, version.worker, version.id))

    async def shown(self, info: VersionInfo) -> VersionShown:
        version = info.version
        deployments = await self.catalog.deployments(version.worker, project=version.project)
        at_sites = self.catalog.live_at_sites(version.project, version.worker)
        return VersionShown.of(info, deployments, await self._warnings(version, deployments), at_sites)

    async def _warnings(self, version: Version, deployments: Sequence[Deployment]) -> list[str]:
        """Of every environment it is live in; of production as long as it is in none."""
        live = [each.environment for each in deployments if version.id in dict(each.shares)]
        found: dict[str, None] = {}
        for environment in live or [PRODUCTION]:
            names: Collection[str] = ()
            if version.manifest.env_required:
                try:
                    names = await self._variable_names(version.project, environment, version.worker)
                except V8BoxError as error:  # Vault is away, say
                    found[f"whether its variables are set in {environment} is not known: {error.detail}"] = None
                    continue
            found |= dict.fromkeys(warnings_of(version.manifest, names, environment))
        return list(found)

    async def detail(self, version: Version) -> tuple[VersionInfo, VersionDetail]:
        """All that is known of a version."""
        info = await self.catalog.versions.info(version.project, version.worker, version.id)
        deployments = await self.catalog.deployments(version.worker, project=version.project)
        sizes = await self.catalog.versions.sizes(version)
        at_sites = self.catalog.live_at_sites(version.project, version.worker)
        warnings = await self._warnings(version, deployments)
        return info, VersionDetail.whole(info, deployments, sizes, warnings, at_sites)
