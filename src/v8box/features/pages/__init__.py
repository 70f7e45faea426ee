"""Static sites: making a release of files, and everything people do with sites. Serving them is in `gateway/pages`."""

from v8box.features.pages.folder import FolderSites, SiteDeployed, SiteEvent, SiteFailed, SiteRemoved
from v8box.features.pages.previews import PreviewPasswords
from v8box.features.pages.service import Deploy, PagesService

__all__ = [
    "Deploy",
    "FolderSites",
    "PagesService",
    "PreviewPasswords",
    "SiteDeployed",
    "SiteEvent",
    "SiteFailed",
    "SiteRemoved",
]
