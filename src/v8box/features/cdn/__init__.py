"""The CDN in front of the box: what it keeps of a site goes once another release is live."""

from v8box.features.cdn.client import CdnClient, CdnFault
from v8box.features.cdn.purges import Purges

__all__ = ["CdnClient", "CdnFault", "Purges"]
