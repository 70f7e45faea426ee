"""A Vault on loopback, as far as a KV engine of version 2 goes: data and metadata, versions, tokens, namespaces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

TOKEN = "hvs.CAESIJ-the-token-of-the-box"


class FakeVault:
    """Secrets by namespace and path. What it does wrong is set by its fields."""

    def __init__(self) -> None:
        self.url = ""
        self.token = TOKEN
        self.denied: set[str] = set()
        """Paths that the token's policy does not allow."""
        self.sealed = False
        self.broken: Callable[[], web.Response] | None = None
        self.asked: list[str] = []
        self._versions: dict[tuple[str, str], list[dict[str, Any] | None]] = {}

    def put(self, path: str, namespace: str = "", **data: Any) -> None:
        """A new version of a secret."""
        self._versions.setdefault((namespace, path), []).append(data)

    def delete(self, path: str, namespace: str = "") -> None:
        """Deletes the newest version, as `vault kv delete` does."""
        self._versions[namespace, path][-1] = None

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[FakeVault]:
        app = web.Application()
        app.router.add_route("*", "/v1/sys/health", self._health)
        app.router.add_post("/v1/auth/token/renew-self", self._renew)
        app.router.add_get("/v1/secret/{kind:data|metadata}/{path:.+}", self._kv)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked.append(request.path.removeprefix("/v1/"))
        if self.broken is not None:
            return self.broken()
        if self.sealed:
            return web.json_response({"errors": ["Vault is sealed"]}, status=503)
        if request.headers.get("X-Vault-Token") != self.token:
            return web.json_response({"errors": ["2 errors occurred:\n\t* permission denied\n"]}, status=403)
        return None

    async def _kv(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        path = request.match_info["path"]
        if path in self.denied:
            return web.json_response({"errors": ["1 error occurred:\n\t* permission denied\n"]}, status=403)
        versions = self._versions.get((request.headers.get("X-Vault-Namespace", ""), path), [])
        if not versions:
            return web.json_response({"errors": []}, status=404)
        deleted = versions[-1] is None
        at = datetime.now(UTC).isoformat()
        metadata = {
            **{"created_time": at, "custom_metadata": None, "deletion_time": at if deleted else ""},
            **{"destroyed": False, "version": len(versions)},
        }
        if request.match_info["kind"] == "metadata":
            return web.json_response(_envelope({"current_version": len(versions), "versions": {}}))
        data = {"data": versions[-1], "metadata": metadata}
        return web.json_response(_envelope(data), status=404 if deleted else 200)

    async def _renew(self, request: web.Request) -> web.StreamResponse:
        return self._refusal(request) or web.json_response({"auth": {"renewable": True, "lease_duration": 3600}})

    async def _health(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"initialized": True, "sealed": self.sealed}, status=503 if self.sealed else 200)


def _envelope(data: Any) -> dict[str, Any]:
    return {
        **{"request_id": "9e0b", "lease_id": "", "renewable": False, "lease_duration": 0},
        **{"data": data, "wrap_info": None, "warnings": None, "auth": None, "mount_type": "kv"},
    }
