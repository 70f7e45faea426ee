"""Speaks to HashiCorp Vault: reads a secret of the KV engine, version 2, and renews the token.

The token and what Vault answers are in no error and no log. Redirects are not followed: they would take the token to
another host.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from v8box.errors import SettingsError
from v8box.settings import Vault

MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_TOKEN: Final = 4_096
_SECONDS: Final = 5.0
_SECONDS_IN_ALL: Final = 10.0


class VaultFault(Exception):
    """Vault did not give what it was asked for. The text says why, for the log; `public` says it to a worker's callers,
    who need not know where the box keeps what."""

    def __init__(self, message: str, public: str = "Vault gives no answer that can be used") -> None:
        super().__init__(message)
        self.public = public


class _Data(msgspec.Struct):
    data: dict[str, Any] | None


class _Answer(msgspec.Struct):
    data: _Data


_read: Final = msgspec.json.Decoder(_Answer).decode


class VaultClient:
    """One Vault. `close` it."""

    def __init__(self, settings: Vault) -> None:
        if settings.address is None:
            raise ValueError("no address of Vault is set")
        self._settings = settings
        headers = {"x-vault-request": "true"}
        if settings.namespace is not None:
            headers["x-vault-namespace"] = settings.namespace
        self._client = httpx.AsyncClient(
            base_url=settings.address.reveal().rstrip("/") + "/v1/",
            headers=headers,
            timeout=_SECONDS,
            trust_env=False,  # a proxy from the environment has no business here
            verify=_trust(settings.ca_file),
        )

    def __repr__(self) -> str:
        return f"VaultClient({self._settings.address!r})"

    async def close(self) -> None:
        await self._client.aclose()

    async def read(self, path: str) -> dict[str, Any]:
        """The newest version of a secret; empty when there is none, or it was deleted. Raises `VaultFault`."""
        where = f"{_quoted(self._settings.mount)}/data/{_quoted(path)}"
        status, body = await self._ask("GET", where)
        match status:
            case 200:
                try:
                    return _read(body).data.data or {}
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    raise VaultFault(f"it answers {where} in no form of a KV engine of version 2") from None
            case 404:
                return {}
            case 403:
                message = f"it refuses the token for {where}: it has expired, or its policy has no `read` there"
                raise VaultFault(message, "Vault refuses the box")
            case 503:
                raise VaultFault("it is sealed, or in maintenance (503)", "Vault is sealed")
            case 301 | 302 | 307 | 308:
                raise VaultFault("it sends on to another host: set VAULT_ADDR to the active node, or a balancer's")
            case _:
                raise VaultFault(f"it answers {where} with {status}")

    async def renew(self) -> None:
        """Prolongs the token; one that cannot be prolonged stays as it is. Raises `VaultFault` when Vault is away."""
        await self._ask("POST", "auth/token/renew-self")

    async def check(self) -> None:
        """Raises `VaultFault` when Vault does not answer, or is sealed."""
        status, _ = await self._ask("GET", "sys/health?standbyok=true&perfstandbyok=true", token=False)
        if status >= 500:
            raise VaultFault(f"it is not ready ({status})")

    async def _ask(self, method: str, where: str, *, token: bool = True) -> tuple[int, bytes]:
        headers = {"x-vault-token": self._token()} if token else {}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_SECONDS_IN_ALL),
                self._client.stream(method, where, headers=headers) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise VaultFault(f"its answer to {where} is larger than {MAX_BYTES} bytes")
                return response.status_code, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise VaultFault(f"it cannot be reached ({type(error).__name__})", "Vault cannot be reached") from None
        except TimeoutError:
            raise VaultFault("it takes too long to answer", "Vault cannot be reached") from None

    def _token(self) -> str:
        """A file is read each time: Vault's agent puts a new token there."""
        file, token = self._settings.token_file, self._settings.token
        if file is None:
            return "" if token is None else token.reveal()
        try:
            with open(file, encoding="ascii") as opened:
                read = opened.read(_MAX_TOKEN + 1).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise VaultFault(f"its token file {file} cannot be read ({type(error).__name__})") from None
        if not read or not read.isprintable() or len(read) > _MAX_TOKEN:
            raise VaultFault(f"its token file {file} holds no token")
        return read


def _quoted(path: str) -> str:
    return quote(path.strip("/"), safe="/")


def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The system's authorities, or those of the file alone. Raises `SettingsError`."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an `SSLError` is one
        raise SettingsError(
            f"VAULT_CACERT: {ca_file} cannot be used: {error.strerror or 'no certificate in it'}"
        ) from error
