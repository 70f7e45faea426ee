"""Which sites there are: releases, which one is live, previews, custom domains; and the snapshot the gateway reads.

What a release consists of is its blob (`gateway/pages/release`); here only its key is known.
"""

from v8box.catalog.sites.model import (
    Domain,
    Preview,
    ReleaseInfo,
    Site,
    SiteRoute,
    SiteTable,
)
from v8box.catalog.sites.names import BadSiteName, ReleaseInUse, SiteTaken, check_site_name
from v8box.catalog.sites.sites import KEEP, Keep, Sites

__all__ = [
    "KEEP",
    "BadSiteName",
    "Domain",
    "Keep",
    "Preview",
    "ReleaseInUse",
    "ReleaseInfo",
    "Site",
    "SiteRoute",
    "SiteTable",
    "SiteTaken",
    "Sites",
    "check_site_name",
]
