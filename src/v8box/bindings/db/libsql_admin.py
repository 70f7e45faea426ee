"""The LibSQL server's admin API: namespaces made, configured, copied and deleted. It has no listing.

The API is sqld's (`--admin-listen-addr`), JSON over HTTP; with `--admin-auth-key` it wants `Authorization: basic KEY`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from v8box.bindings.db.hrana_client import (
    MOST_ERROR_BYTES,
    ServerDown,
    ServerError,
    ServerUrl,
    as_server_error,
    open_session,
    reason_of,
)

if TYPE_CHECKING:
    import aiohttp

_SECONDS: Final = 5.0
_CONNECTIONS: Final = 8
_EXISTS: Final = "already exists"


class _Config(msgspec.Struct, frozen=True):
    """What of a namespace's configuration an operator may have set, and is kept."""

    block_reads: bool = False
    block_writes: bool = False
    block_reason: str | None = None
    allow_attach: bool = False
    txn_timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class NamespaceSettings:
    """What the platform sets: the largest size in bytes, and the public key if the namespace has one of its own."""

    most_bytes: int
    public_key: str | None

    def as_json(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"max_db_size": str(self.most_bytes)}
        if self.public_key is not None:
            settings["jwt_key"] = self.public_key
        return settings


class AdminApi:
    """Every method raises `ServerDown` and `ServerError`."""

    def __init__(self, url: ServerUrl, token: str, *, copy_seconds: float) -> None:
        self.url = url
        self._headers = {"Authorization": f"basic {token}"} if token else {}
        self._copy_seconds = copy_seconds
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def create(self, namespace: str, settings: NamespaceSettings) -> bool:
        """Makes an empty namespace; False when there was one, which is left as it is."""
        return await self._make(f"/v1/namespaces/{namespace}/create", settings.as_json(), _SECONDS)

    async def configure(self, namespace: str, settings: NamespaceSettings) -> None:
        """Sets size and key, and keeps what else an operator has set."""
        path = f"/v1/namespaces/{namespace}/config"
        kept = msgspec.json.decode(await self._ask("GET", path, None, _SECONDS), type=_Config)
        await self._ask("POST", path, {**msgspec.to_builtins(kept), **settings.as_json()}, _SECONDS)

    async def delete(self, namespace: str) -> bool:
        """False when there is none."""
        try:
            await self._ask("DELETE", f"/v1/namespaces/{namespace}", None, self._copy_seconds)
        except ServerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def fork(self, source: str, target: str) -> bool:
        """Copies a namespace with its configuration; False when there is a target."""
        return await self._make(f"/v1/namespaces/{source}/fork/{target}", None, self._copy_seconds)

    async def _make(self, path: str, body: Any, seconds: float) -> bool:
        try:
            await self._ask("POST", path, body, seconds)
        except ServerError as error:
            if error.status == 400 and _EXISTS in error.message:
                return False
            raise
        return True

    async def _ask(self, method: str, path: str, body: Any, seconds: float) -> bytes:
        import aiohttp

        if self._session is None:
            self._session = open_session(_CONNECTIONS)
        data = None if body is None else msgspec.json.encode(body)
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method, f"{self.url.base}{path}", data=data, headers=headers, allow_redirects=False
                ) as response,
            ):
                content = await response.content.read(MOST_ERROR_BYTES)
        except TimeoutError as error:
            raise ServerDown("its admin API does not answer", sent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServerDown(f"its admin API: {reason_of(error)}", sent=True) from error
        if response.status != 200:
            raise as_server_error(response.status, content)
        return content
