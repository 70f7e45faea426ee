"""The LibSQL server with namespaces and its admin API, its replica, and keys for its JSON Web Tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.servers import installation
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SqldKey:
    """A key pair: `file` is what the server is given (`jwt_key_file`), `token` signs what a client sends."""

    def __init__(self, directory: Path) -> None:
        self._private = Ed25519PrivateKey.generate()
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = _unpadded(raw)
        """As the server reads it, for `jwt_key` in a namespace's configuration too."""
        self.file = directory / "jwt.key"
        self.file.write_text(self.public)

    def token(self, claims: Mapping[str, Any] | None = None) -> str:
        """A token for everything, or with claims of one's own: `{"a": "ro"}`, `{"p": {"rw": {"ns": ["a"]}}}`."""
        head = _unpadded(json.dumps({"alg": "EdDSA", "typ": "JWT"}).encode())
        body = _unpadded(json.dumps(claims or {"a": "rw"}).encode())
        return f"{head}.{body}.{_unpadded(self._private.sign(f'{head}.{body}'.encode()))}"


class SqldServer(ServerProcess):
    """A primary. `url` speaks Hrana over HTTP and WebSocket, `admin_url` makes namespaces.

    A request names its namespace in the header `x-namespace-bin` (base64 without padding), or as the first label of
    `Host`.
    """

    def __init__(self, directory: Path, *, jwt_key_file: Path | None = None) -> None:
        super().__init__(directory)
        self._port, self._admin_port, self._grpc_port = free_port(), free_port(), free_port()
        self._jwt_key_file = jwt_key_file
        self.url = f"http://127.0.0.1:{self._port}"
        self.admin_url = f"http://127.0.0.1:{self._admin_port}"
        self.grpc_url = f"http://127.0.0.1:{self._grpc_port}"
        """Where replicas follow it."""

    def argv(self) -> Sequence[str]:
        options = ["--grpc-listen-addr", f"127.0.0.1:{self._grpc_port}", *self._common()]
        options += ["--admin-listen-addr", f"127.0.0.1:{self._admin_port}"]
        return [str(installation.sqld()), "-d", str(self.directory / "data"), *options]

    def _common(self) -> list[str]:
        options = ["--http-listen-addr", f"127.0.0.1:{self._port}", "--enable-namespaces", "--no-welcome"]
        if self._jwt_key_file is not None:
            options += ["--auth-jwt-key-file", str(self._jwt_key_file)]
        return options

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=1, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def create_namespace(self, name: str, **configuration: object) -> None:
        """Makes an empty database, as an administrator does beforehand."""
        made = httpx.post(
            f"{self.admin_url}/v1/namespaces/{name}/create", json=configuration, timeout=60, trust_env=False
        )
        made.raise_for_status()


class SqldReplica(SqldServer):
    """Follows a primary: reads are its own and go on without the primary, writes are handed to it. It has no
    `admin_url`."""

    def __init__(self, directory: Path, primary: SqldServer, *, jwt_key_file: Path | None = None) -> None:
        super().__init__(directory, jwt_key_file=jwt_key_file)
        self._primary = primary

    def argv(self) -> Sequence[str]:
        options = ["--primary-grpc-url", self._primary.grpc_url, *self._common()]
        return [str(installation.sqld()), "-d", str(self.directory / "data"), *options]
