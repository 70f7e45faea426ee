"""The gateway put together: where requests enter, and everything of the box's own that answers some of them."""

from __future__ import annotations

from functools import partial

from v8box.api import Guard, LazyApp
from v8box.api.dashboard import BuiltFiles, Dashboard
from v8box.app.admin import AdminParts, build_admin_api
from v8box.app.metrics import open_scraper
from v8box.features.health.pages import build_pages
from v8box.features.hrana import HranaApp
from v8box.features.metrics.page import MetricsPage
from v8box.features.pages.internal import InternalApp
from v8box.features.s3_api import S3Api
from v8box.gateway.failures import Failures
from v8box.gateway.origins import Origins
from v8box.gateway.policies.book import PolicyBook
from v8box.gateway.policies.limiter import Limiter
from v8box.gateway.policies.order import Parts
from v8box.gateway.server import Gateway, GatewayParts


def build_gateway(
    admin: AdminParts, *, limiter: Limiter, origins: Origins, failures: Failures, hrana: HranaApp
) -> Gateway:
    settings, catalog, telemetry, sites = admin.settings, admin.catalog, admin.telemetry, admin.sites
    identities = admin.auth.identities
    policies = PolicyBook(
        Parts(keyring=admin.api_keys.keyring, limiter=limiter, counts=admin.counts, usage=admin.usage)
    )
    catalog.subscribe(policies.follow)
    scraper = open_scraper(
        settings,
        database=admin.database,
        telemetry=telemetry,
        catalog=catalog,
        pool=admin.pool,
        health=admin.health,
        cache=admin.cache,
        refusals=admin.counts,
        sites=sites.server,
    )
    return Gateway(
        GatewayParts(
            box=settings.box,
            requests=settings.requests,
            routes=lambda: catalog.routes,
            pool=admin.pool,
            pages={
                **build_pages(admin.health, identities, settings.box),
                "/metrics": MetricsPage(scraper, identities, settings.box, settings.metrics),
            },
            sites=sites.server,
            mounts={
                "admin": Dashboard(
                    Guard(LazyApp(partial(build_admin_api, admin)), identities=identities, box=settings.box),
                    BuiltFiles(),
                ),
                "db": hrana,
                "s3": S3Api(admin.services.objects, admin.keys),
                "internal": InternalApp(
                    settings.box.domain,
                    lambda: catalog.routes,
                    lambda: sites.service.sites.table,
                    sites.service.sites.domains_of,
                    settings.box.trusted_proxies,
                ),
            },
            feed=telemetry.feed,
            origins=origins,
            rates=telemetry.rates,
            failures=failures,
            policies=policies,
            cache=admin.cache,
        )
    )
