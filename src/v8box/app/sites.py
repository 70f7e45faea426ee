"""The static sites put together: their releases, what serves them, what makes them smaller, and the folder's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from v8box.api.auth.passwords import Passwords
from v8box.api.staging import Staging
from v8box.app.admin import SiteParts
from v8box.catalog.catalog import Catalog
from v8box.catalog.sites import Sites
from v8box.features.cdn import CdnClient, Purges
from v8box.features.pages import FolderSites, PagesService, PreviewPasswords, SiteEvent
from v8box.features.pages.function_builds import FunctionBuilds
from v8box.features.pages.optimise import Optimiser, OptimiserProcess, Outcomes
from v8box.features.projects import Room
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.answers import HotFiles
from v8box.gateway.pages.assets import SiteAssets
from v8box.gateway.pages.proxy import HostProxy
from v8box.gateway.pages.release import Releases
from v8box.gateway.pages.serve import Pages
from v8box.gateway.pages.server import SiteServer
from v8box.kit.tasks import TaskSet
from v8box.sandbox.tools import Helpers
from v8box.settings import Settings
from v8box.storage import Database, FolderBlobs
from v8box.telemetry import audit

_SITES_AT_ONCE: Final = 8
"""Deploys of sites that are received or unpacked; the next ones wait. A slow client holds a place of its own."""


async def open_sites(
    settings: Settings,
    *,
    database: Database,
    catalog: Catalog,
    cache: ResponseCache,
    helpers: Helpers,
    admission: Room,
    functions: FunctionBuilds,
    forget_worker: Callable[[str, str], Awaitable[None]],
    on_event: Callable[[SiteEvent], None],
    stack: AsyncExitStack,
    tasks: TaskSet,
) -> SiteParts:
    """Whatever is to be closed goes on `stack`, what goes on for the box's whole life in `tasks`."""
    data = settings.data_directory
    sites = await Sites.open(database)
    catalog.hold(sites.table.held)
    sites.subscribe(lambda table: catalog.hold(table.held))  # before anybody sees the site that needs them
    blobs = FolderBlobs(data / "sites")
    await blobs.open()
    staging = Staging(data / "staging-sites", _SITES_AT_ONCE)
    await staging.open()
    process = OptimiserProcess(partial(helpers.launch_optimiser, store=data / "sites"), data / "sites")
    optimiser = Optimiser(sites, blobs, await Outcomes.open(database), process, data / "staging-optimiser")
    optimiser.follow(sites.table)
    sites.subscribe(optimiser.follow)
    service = PagesService(
        sites,
        blobs,
        staging,
        optimisation=optimiser.state,
        admission=admission,
        functions=functions,
        forget_worker=forget_worker,
        max_bytes=settings.sites.max_bytes,
    )
    releases = Releases(blobs.get)
    hasher = Passwords()
    stack.callback(hasher.stop)
    passwords = PreviewPasswords(hasher.check)
    proxy = HostProxy()
    stack.push_async_callback(proxy.stop)
    pages = Pages(releases, HotFiles(blobs), passwords.verify)
    server = SiteServer(sites.table, pages, releases, proxy, cache)
    assets = SiteAssets(lambda: sites.table, pages)
    sites.subscribe(server.follow)
    if settings.cdn.kind is not None:
        client = CdnClient(settings.cdn)
        stack.push_async_callback(client.close)
        domain = settings.box.domain
        purges = Purges(client, sites.table, lambda site: f"{site}.{domain}", partial(audit.record, database))
        sites.subscribe(purges.follow)
        tasks.forever(purges.run(), "purges of the CDN")
    cache.groups.follow_sites(sites.table)
    sites.subscribe(cache.groups.follow_sites)
    folder = FolderSites(settings.pages_directory, service, on_event=on_event)
    return SiteParts(
        service=service, server=server, assets=assets, folder=folder, optimiser=optimiser, passwords=hasher
    )
