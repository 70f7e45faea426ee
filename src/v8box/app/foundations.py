"""What all else of the box stands on, put together: its database, the catalog, projects, variables and secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from v8box.catalog.catalog import Catalog
from v8box.catalog.model import Placement
from v8box.catalog.projects import Projects, Usage, quotas_of
from v8box.catalog.variables import Variables
from v8box.features.projects import Room
from v8box.kit.tasks import TaskSet
from v8box.settings import Settings
from v8box.settings import Vault as VaultSettings
from v8box.storage import Database, FolderBlobs, backups
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit, audit_chain
from v8box.telemetry.redactor import Redactor, Redactors

if TYPE_CHECKING:
    from v8box.catalog.variables.vault import VaultSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundations:
    """`catalog.db` and what keeps its state there before anything runs."""

    database: Database
    encryption: Encryption
    projects: Projects
    usage: Usage
    room: Room
    variables: Variables
    catalog: Catalog
    vault: VaultSource | None
    redactors: Redactors

    async def load_variables(self, placement: Placement) -> Mapping[str, str]:
        """What a sandbox starts with; from here on its log does not show the secrets among it."""
        where = (placement.project, placement.environment, placement.worker)
        loaded = await self.variables.load(*where)
        self.redactors.learn(*where, loaded.secrets)
        return loaded.values

    def redactor(self, placement: Placement) -> Redactor:
        return self.redactors.of(placement.project, placement.environment, placement.worker)


async def open_foundations(settings: Settings, data: Path, stack: AsyncExitStack, tasks: TaskSet) -> Foundations:
    """Whatever is to be closed goes on `stack`, what goes on for the box's whole life in `tasks`. Raises what says that
    the database is damaged, or the master key another one."""
    file, backups_folder = data / "catalog.db", data / "backups"
    await asyncio.to_thread(backups.check, file, backups_folder)
    database = await Database.open(file)
    stack.push_async_callback(database.close)
    encryption = await Encryption.open(
        database,
        data / "keys",
        master_key=settings.box.master_key,
        previous=settings.box.master_key_previous,
    )
    blobs = FolderBlobs(data / "blobs")
    await blobs.open()
    await audit.open_audit(database)
    vault = _vault(settings.vault)
    if vault is not None:
        stack.push_async_callback(vault.close)
    projects = await Projects.open(database, quotas_of(settings.projects))
    variables = await Variables.open(
        database, encryption, vault, quota=lambda project: projects.quotas(project).variables
    )
    usage = await Usage.open(database, projects)
    stack.push_async_callback(usage.close)
    catalog = await Catalog.open(
        database, blobs, revision=variables.revision, quota=lambda project: projects.quotas(project).workers
    )
    variables.subscribe(catalog.refresh_variables)
    if vault is not None:
        catalog.subscribe(vault.follow)
        vault.follow(catalog.routes)
        tasks.forever(vault.run(), "vault")
    tasks.forever(usage.write_forever(), "usage")
    tasks.forever(audit_chain.prune_forever(database, settings.audit.days), "retention of the audit log")
    tasks.forever(backups.back_up_forever(file, backups_folder), "backups")
    return Foundations(
        database=database,
        encryption=encryption,
        projects=projects,
        usage=usage,
        room=Room(projects),
        variables=variables,
        catalog=catalog,
        vault=vault,
        redactors=Redactors(),
    )


def _vault(settings: VaultSettings) -> VaultSource | None:
    """The Vault that variables come from, if there is one. Imported when it is: an HTTP client takes its time."""
    if settings.address is None:
        return None
    from v8box.catalog.variables.vault import VaultSource
    from v8box.catalog.variables.vault_client import VaultClient

    return VaultSource(VaultClient(settings), settings)
