"""How sites, previews and host names may be called, and what is said of one that may not be had."""

from __future__ import annotations

import re
from typing import Final

from v8box.errors import BadRequest, V8BoxError

RESERVED_NAMES: Final = frozenset(
    {
        *("admin", "api", "www", "db", "s3", "mail", "smtp", "imap", "ftp", "ns1", "ns2", "localhost", "v8box"),
        *("internal", "status", "health", "metrics", "auth", "login", "account", "accounts", "root", "webmaster"),
        *("hostmaster", "postmaster", "abuse", "autoconfig", "autodiscover", "wpad", "isatap", "security"),
    }
)
MAX_HOST_LABEL: Final = 63
LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_ID: Final = re.compile(r"[0-9a-f]{10}")
_HOST: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class BadSiteName(BadRequest):
    """A site's name is 1 to 40 of a-z, 0-9 and dash, begins and ends with neither, has no two in a row, and is no name
    that the box needs itself (admin, api, www, db, …)."""

    code = "bad_site_name"


class SiteTaken(V8BoxError):
    """There is a site of this name already, in this project or another."""

    status = 409
    code = "site_taken"


class ReleaseInUse(V8BoxError):
    """The release is live, pinned or shown in a preview. Deploy another one, or remove the pin or the preview first."""

    status = 409
    code = "release_in_use"


class SiteChanged(V8BoxError):
    """Somebody else changed the site meanwhile. Look at it again, then decide."""

    status = 412
    code = "site_changed"


class DomainTaken(V8BoxError):
    """This host name belongs to a site already."""

    status = 409
    code = "domain_taken"


def check_site_name(name: str) -> str:
    """The name, if it is one: a label of the domain. Raises `BadSiteName`."""
    if name in RESERVED_NAMES:
        raise BadSiteName(f"{name} is a name that the box needs itself: call the site otherwise.")
    if not _NAME.fullmatch(name) or "--" in name or name.startswith("xn-"):
        raise BadSiteName
    return name


def check_label(label: str, site: str) -> None:
    """Whether a preview of the site may be called so: `<label>--<site>` is a label of the domain. Raises
    `BadRequest`."""
    if not LABEL.fullmatch(label) or "--" in label or _ID.fullmatch(label):
        raise BadRequest("A preview's label is 1 to 32 of a-z, 0-9 and dash, no two dashes in a row, and no id")
    if len(host := f"{label}--{site}") > MAX_HOST_LABEL:
        raise BadRequest(f"{host} has {len(host)} characters, and a part of a host name up to {MAX_HOST_LABEL}")


def read_host_name(text: str) -> str:
    """A host name of somebody's own, in its one form. Raises `BadRequest`."""
    name = text.rstrip(".").lower()
    if not _HOST.fullmatch(name):
        raise BadRequest("A domain is a full host name in ASCII (xn--… for others), e.g. www.example.com")
    return name
