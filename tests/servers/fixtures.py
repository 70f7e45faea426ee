"""Servers that live as long as the test session, started when a test first asks for one.

A conftest takes them in with `from tests.servers.fixtures import sqld_server, redis_server`. A test that stops or
kills its server makes one of its own: `with SqldServer(tmp_path / "sqld") as server: …`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers import RcloneServer, RedisServer, SqldReplica, SqldServer, SwiftServer


@pytest.fixture(scope="session")
def sqld_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqldServer]:
    """A primary without authentication."""
    with SqldServer(tmp_path_factory.mktemp("sqld")) as server:
        yield server


@pytest.fixture(scope="session")
def sqld_replica(tmp_path_factory: pytest.TempPathFactory, sqld_server: SqldServer) -> Iterator[SqldReplica]:
    """Follows `sqld_server`."""
    with SqldReplica(tmp_path_factory.mktemp("sqld-replica"), sqld_server) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Debian's Redis 7 by TCP, without a password."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def swift_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """An S3 that does what S3 does."""
    with SwiftServer(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    """An S3 that strays."""
    with RcloneServer(tmp_path_factory.mktemp("rclone")) as server:
        yield server
