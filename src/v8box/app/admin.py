"""The admin API put together: what it is made of, every feature's routes, and what goes with a project.

Only the composition root imports this; FastAPI, which takes most of a second, is imported when the API is first asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from v8box.api.auth import Auth
from v8box.api.auth.passwords import Passwords
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.api.staging import Staging
from v8box.app.deployed import Deployed
from v8box.app.inbox import build_inbox
from v8box.app.notifications import NotificationParts
from v8box.app.telemetry import Telemetry
from v8box.bindings import registry
from v8box.bindings.s3.interface import Presigner
from v8box.catalog.catalog import Catalog
from v8box.catalog.model import Manifest, Placement
from v8box.catalog.projects import Projects, Usage
from v8box.catalog.variables import Variables
from v8box.features.api_keys.service import ApiKeys
from v8box.features.audit import AuditLog
from v8box.features.captures import Captures
from v8box.features.deploy import FolderDeploys
from v8box.features.deploy.files import WorkerFiles
from v8box.features.deploy.uploads import Uploads
from v8box.features.health.service import Health
from v8box.features.hrana import Tokens
from v8box.features.pages import Deploy, FolderSites, PagesService
from v8box.features.pages.optimise import Optimiser
from v8box.features.projects import Owned, ProjectService, Room, of_buckets, of_databases
from v8box.features.s3_api import AccessKeys
from v8box.features.saved_queries import SavedQueries
from v8box.features.workers.canary import Canaries
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.assets import SiteAssets
from v8box.gateway.pages.server import SiteServer
from v8box.gateway.policies.counts import Counts
from v8box.gateway.routing import Router
from v8box.gateway.trials import Trials
from v8box.pool.pool import Pool
from v8box.settings import Settings
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from v8box.api.deployed import DeployedSite
    from v8box.api.staging import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteParts:
    """The static sites: what deploys them, serves them, makes them smaller, the folder's, and who checks previews'
    passwords."""

    service: PagesService
    server: SiteServer
    assets: SiteAssets
    folder: FolderSites
    optimiser: Optimiser
    passwords: Passwords


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """What the admin API is put together from."""

    database: Database
    db_url: str
    s3_url: str
    services: registry.Services
    tokens: Tokens
    keys: AccessKeys
    presigner: Presigner
    catalog: Catalog
    variables: Variables
    encryption: Encryption
    auth: Auth
    idempotency: Idempotency
    operations: Operations
    canaries: Canaries
    telemetry: Telemetry
    captures: Captures
    saved_queries: SavedQueries
    pool: Pool
    trials: Trials
    deploys: FolderDeploys
    uploads: Uploads
    staging: Staging
    imports: Staging
    sites: SiteParts
    address: Callable[[str], str]
    """Where the site or preview with this label answers."""
    files: WorkerFiles
    settings: Settings
    run_url: str
    router: Callable[[], Router]
    health: Health
    notices: NotificationParts
    projects: Projects
    usage: Usage
    api_keys: ApiKeys
    counts: Counts
    room: Room
    cache: ResponseCache

    async def project_exists(self, name: str) -> bool:
        return self.projects.exists(name)

    async def project_names(self) -> Sequence[str]:
        return [project.name for project in self.projects.all()]


def build_admin_api(parts: AdminParts) -> FastAPI:
    """The admin API. Imported and built at its first request: FastAPI alone takes 0.6 s."""
    from v8box.api.app import build_api

    return build_api(
        admin_routers(parts),
        idempotency=parts.idempotency,
        project_exists=parts.project_exists,
        record=partial(audit.record, parts.database),
    )


def admin_routers(parts: AdminParts) -> list[APIRouter]:
    """Every feature's routes."""
    from v8box.features.api_keys import routes as api_keys
    from v8box.features.audit import routes as audit_routes
    from v8box.features.cache import routes as cache
    from v8box.features.cache_purge import routes as cache_purge
    from v8box.features.captures import routes as captures
    from v8box.features.database import routes as database
    from v8box.features.database import types as database_types
    from v8box.features.database.imports import routes as imports
    from v8box.features.deploy import file_routes, served
    from v8box.features.deploy import routes as deploy
    from v8box.features.errors import routes as errors
    from v8box.features.explain import explain
    from v8box.features.explain import routes as explain_routes
    from v8box.features.health import routes as health
    from v8box.features.hrana import routes as hrana
    from v8box.features.inbox import routes as inbox
    from v8box.features.kills import routes as kills
    from v8box.features.manifest import routes as manifests
    from v8box.features.memory import routes as memory
    from v8box.features.metrics import routes as metrics_routes
    from v8box.features.metrics.service import Metrics
    from v8box.features.notifications import routes as notifications
    from v8box.features.objects import clearing, links
    from v8box.features.objects import routes as objects
    from v8box.features.objects import uploads as object_uploads
    from v8box.features.operations import routes as operations
    from v8box.features.pages import deploy_routes as site_deploys
    from v8box.features.pages import domain_routes, rule_routes, settings_routes
    from v8box.features.pages import routes as pages
    from v8box.features.pages.optimise import routes as optimise
    from v8box.features.projects import routes as projects
    from v8box.features.runs import routes as runs
    from v8box.features.s3_api import routes as s3_api
    from v8box.features.saved_queries import routes as saved_queries
    from v8box.features.sessions import login, own_account
    from v8box.features.sessions import routes as sessions
    from v8box.features.slow import routes as slow
    from v8box.features.tokens import routes as personal_tokens
    from v8box.features.users import routes as users
    from v8box.features.variables import encryption_routes as encryption
    from v8box.features.variables import routes as variables
    from v8box.features.workers import routes as workers_api
    from v8box.features.workers import trial_routes
    from v8box.features.workers.workers import Workers
    from v8box.gateway.policies import order

    def manifest(project: str, environment: str, worker: str) -> Manifest | None:
        live = parts.catalog.routes.live(worker, project, environment)
        return None if live is None else live.manifest

    def live(project: str, worker: str, environment: str) -> Placement | None:
        return parts.catalog.routes.live(worker, project, environment)

    deployer = site_deploys.Deployer(parts.sites.service, parts.address)

    async def deploy_site(place: Place, order: deploy.SiteOrder, told: Callable[[str], None]) -> DeployedSite:
        wanted = Deploy(project=order.project, site=order.site, actor=order.actor, message=order.message)
        return await deployer.deploy(place, wanted, order.environment, told)

    async def find_version(project: str, worker: str, reference: str) -> str:
        return (await parts.catalog.versions.find(project, worker, reference)).id

    metrics = Metrics(parts.telemetry.rollups, parts.catalog.changes)
    services = parts.services
    folder = served.ServedFolder(parts.settings.directory, parts.deploys)
    workers = Workers(
        parts.catalog,
        folder,
        parts.run_url,
        partial(forget_worker, parts.variables, parts.telemetry),
        parts.projects.exists,
        partial(variable_names, parts.variables),
        parts.address,
    )
    deploys = deploy.DeployRoutes(
        parts.uploads,
        parts.staging,
        parts.operations,
        show=workers.show_version,
        show_worker=workers.get,
        base=parts.run_url,
        sites=deploy.SiteDeploys(
            bounds=parts.sites.service.bounds,
            deploy=deploy_site,
        ),
        on_failed=parts.notices.deploy_failed,
    )
    return [
        hrana.build_router(parts.tokens, services.databases, lambda: parts.db_url),
        s3_api.build_router(parts.keys, lambda: parts.s3_url),
        database.build_router(services.databases, parts.room.check_database, parts.saved_queries.forget_database),
        saved_queries.build_router(parts.saved_queries, services.databases),
        database_types.build_router(services.databases),
        imports.build_router(services.databases, parts.imports, parts.operations, parts.room.check_bytes),
        objects.build_router(services.objects, parts.room.check_bucket),
        links.build_router(services.objects, parts.presigner),
        object_uploads.build_router(services.objects),
        clearing.build_router(services.objects, parts.operations),
        operations.build_router(parts.operations),
        cache.build_router(services.cache_keys, parts.operations, partial(audit.record, parts.database)),
        cache_purge.build_router(parts.cache, partial(audit.record, parts.database)),
        inbox.build_router(build_inbox(parts.notices.notifications.alerts, parts.telemetry.errors, parts.operations)),
        audit_routes.build_router(AuditLog(parts.database)),
        kills.build_router(parts.telemetry.kills),
        captures.build_router(parts.captures, parts.operations, live),
        memory.build_router(parts.pool),
        slow.build_router(parts.telemetry.slow),
        health.build_router(
            parts.health,
            domain=parts.settings.box.domain,
            urls={"run": parts.run_url, "db": parts.db_url, "s3": parts.s3_url},
            signals=lambda: None if parts.telemetry.exporter is None else parts.telemetry.exporter.signals,
            trace_ratio=parts.settings.otlp.trace_ratio,
        ),
        *notifications.build_routers(parts.notices.notifications, parts.notices.desk),
        projects.build_router(
            ProjectService(parts.projects, parts.usage, parts.room, parts.operations, _owned_by_projects(parts)),
            parts.auth.accounts.members,
        ),
        variables.build_router(parts.variables, manifest),
        manifests.build_router(),
        api_keys.build_router(parts.api_keys, parts.counts, parts.projects.exists),
        encryption.build_router(parts.encryption),
        login.build_login_router(parts.auth),
        sessions.build_router(parts.auth, parts.project_names),
        own_account.build_account_router(parts.auth),
        users.build_router(parts.auth, parts.project_exists),
        personal_tokens.build_router(parts.auth, parts.project_exists),
        trial_routes.build_router(workers, parts.trials, parts.usage.over),
        runs.build_router(parts.telemetry.runs, parts.telemetry.tail),
        *workers_api.build_routers(workers, parts.canaries, parts.telemetry.tail, parts.settings.versions.keep),
        *deploy.build_routers(deploys),
        file_routes.build_router(parts.files, workers.show_version),
        errors.build_router(parts.telemetry.errors, Deployed(parts.catalog).source, parts.telemetry.forwarder.status),
        explain_routes.build_router(
            explain.Explainer(parts.router, lambda: parts.catalog.routes, order.describe, parts.sites.server.foresee)
        ),
        *pages.build_routers(parts.sites.service, parts.address, parts.sites.passwords),
        site_deploys.build_router(parts.sites.service, parts.address, parts.operations),
        domain_routes.build_router(parts.sites.service.sites, parts.settings.box.domain),
        rule_routes.build_router(parts.sites.service, parts.sites.server.load, parts.address),
        settings_routes.build_router(parts.sites.service),
        optimise.build_router(parts.sites.optimiser),
        metrics_routes.build_router(metrics, find_version),
        metrics_routes.build_box_router(metrics),
    ]


async def forget_worker(variables: Variables, telemetry: Telemetry, project: str, worker: str) -> None:
    """What is kept of a worker beside its versions, when it is deleted for good."""
    await variables.forget_worker(project, worker)
    await telemetry.errors.forget_worker(project, worker)


async def variable_names(variables: Variables, project: str, environment: str, worker: str) -> Collection[str]:
    return [name for name, value in (await variables.resolve(project, environment, worker)).items() if value]


def _owned_by_projects(parts: AdminParts) -> Sequence[Owned]:
    """What goes with a project that is deleted, in this order: what uses a thing goes before the thing."""
    catalog, variables, tokens, keys = parts.catalog, parts.variables, parts.tokens, parts.keys

    async def remove_workers(project: str, actor: Actor) -> None:
        for each in await catalog.workers(project):
            await catalog.delete_worker(each.worker, project=project, actor=actor)

    sites = parts.sites.service.sites

    async def remove_sites(project: str, actor: Actor) -> None:
        for each in await sites.list(project):
            await parts.sites.service.delete(project, each.name, actor)

    async def count_sites(project: str) -> int:
        return len(await sites.list(project))

    async def remove_tokens(project: str, _: Actor) -> None:
        for token in tokens.list(project):
            await tokens.delete(project, token.id)

    async def remove_keys(project: str, _: Actor) -> None:
        for key in await keys.list(project):
            if key.usable(time.time()):
                await keys.revoke(project, key.id)

    async def remove_api_keys(project: str, actor: Actor) -> None:
        for key in parts.api_keys.list(project):
            await parts.api_keys.delete(project, key.id, actor)

    async def count_workers(project: str) -> int:
        return len(await catalog.workers(project))

    return (
        Owned(kind="sites", count=count_sites, remove=remove_sites),
        Owned(kind="workers", count=count_workers, remove=remove_workers),
        Owned(kind="errors", remove=lambda project, _: parts.telemetry.errors.forget_project(project)),
        Owned(kind="variables", count=variables.count, remove=lambda project, _: variables.forget_project(project)),
        Owned(kind="database tokens", remove=remove_tokens),
        Owned(kind="S3 keys", remove=remove_keys),
        Owned(kind="API keys", remove=remove_api_keys),
        of_databases(parts.services.databases),
        of_buckets(parts.services.objects),
        Owned(kind="saved queries", remove=lambda project, _: parts.saved_queries.forget_project(project)),
        Owned(kind="captures", remove=lambda project, _: parts.captures.forget_project(project)),
        Owned(kind="slow log", remove=lambda project, _: parts.telemetry.slow.forget_project(project)),
        Owned(kind="kill reports", remove=lambda project, _: parts.telemetry.kills.forget_project(project)),
        Owned(kind="notifications", remove=lambda project, _: parts.notices.desk.forget(project)),
        Owned(kind="roles", remove=lambda project, _: parts.auth.accounts.forget_project(project)),
        Owned(kind="metrics", remove=lambda project, _: parts.telemetry.rollups.forget_project(project)),
        Owned(kind="cached keys", remove=lambda project, _: parts.services.forget_cache(project)),
    )
