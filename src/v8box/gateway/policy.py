"""What protects the admin from the workers it hosts.

Where both share a host (no domain is set), browsers are sent on to the api host, or get a worker's page in a sandboxed
origin. What a worker asks of its callers is in `policies`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from v8box.gateway.headers import Incoming
from v8box.gateway.routing import Target

_SANDBOX: Final = (
    b"content-security-policy",
    b"sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads",
)


class PathModePolicy:
    """For hosts that serve everything by path."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self.headers: list[tuple[bytes, bytes]] = [_SANDBOX]

    def redirect(self, scope: MutableMapping[str, Any], incoming: Incoming, target: Target) -> bytes | None:
        """Where a browser that navigates on `localhost` goes instead: to a worker on `api.localhost`, to a site on its
        own host."""
        if not (incoming.navigates and target.shared_host):
            return None
        name, colon, port = target.host_name.partition(":")
        if name != self._domain:
            return None  # an address or another name: there is no api host beside it
        query: bytes = scope["query_string"]
        label = "api" if target.site is None else target.site
        path: bytes = scope["raw_path"] if target.site is None else (target.rest or "/").encode("latin-1")
        return b"%s://%s.%s%s%s%s" % (
            scope["scheme"].encode(),
            label.encode(),
            name.encode(),
            (colon + port).encode(),
            path,
            b"?" + query if query else b"",
        )
