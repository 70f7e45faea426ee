"""Servers of other people's S3: Swift, which is complete, and rclone, which shows how far others stray."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
from tests.servers import installation
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess


class S3Server(ServerProcess):
    """What a client is given: `endpoint` (buckets are in the path), `access_key`, `secret_key`, `region`."""

    access_key: Final = "test:tester"
    secret_key: Final = "test-secret-of-forty-characters-in-length"
    region: Final = "us-east-1"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def answers(self) -> bool:
        try:
            return httpx.get(self.endpoint, timeout=2, trust_env=False).status_code < 500
        except httpx.TransportError:
            return False


class SwiftServer(S3Server):
    """OpenStack Swift with its S3 API. The file system of the folder must have extended attributes."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._ports = [free_port() for _ in ("account", "container", "object")]

    def argv(self) -> Sequence[str]:
        script = Path(__file__).with_name("swift_process.py")
        ports = [str(port) for port in (self._port, *self._ports)]
        return [sys.executable, "-s", str(script), str(self.directory), self.access_key, self.secret_key, *ports]

    def environ(self) -> dict[str, str]:
        return super().environ() | {"PYTHONPATH": str(installation.swift()), "PYTHONWARNINGS": "ignore"}


class RcloneServer(S3Server):
    """rclone's S3 over a folder. Known to stray: it ignores `If-None-Match` on a put, refuses keys like
    `a//b`, answers a range with 200, and forgets metadata when it ends."""

    def argv(self) -> Sequence[str]:
        folder = self.directory / "buckets"
        folder.mkdir(exist_ok=True)
        program = str(installation.rclone())
        keys = f"{self.access_key},{self.secret_key}"
        options = ["--addr", f"127.0.0.1:{self._port}", "--auth-key", keys, "--no-cleanup"]
        return [program, "serve", "s3", str(folder), *options]
