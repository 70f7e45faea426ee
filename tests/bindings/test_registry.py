"""The registry builds what the settings ask for, each binding under the name it has on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from v8box.bindings.assets.interface import AssetAnswer, AssetRequest
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.registry import Resources, Services, build
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.services.interface import ServiceAnswer, ServiceRequest
from v8box.settings import load

SERVERS = {
    "LIBSQL_URL": "http://127.0.0.1:9",
    "V8BOX_LIBSQL_ADMIN_URL": "http://127.0.0.1:9",
    "S3_ENDPOINT": "http://127.0.0.1:9",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}


async def _no_asset(request: AssetRequest) -> AssetAnswer:
    raise AssertionError("nobody asks for a file")


async def _no_worker(request: ServiceRequest) -> ServiceAnswer:
    raise AssertionError("nobody calls another worker")


def built(directory: Path, launch: Any, environ: dict[str, str]) -> Services:
    settings = load(directory, environ)
    return build(
        Resources(
            settings=settings,
            valkey_url="unix:///nowhere.sock",
            restart_valkey=None,
            launch=launch,
            presign=None,
            fetch_asset=_no_asset,
            call_service=_no_worker,
        )
    )


def test_every_binding_is_built_under_its_name(tmp_path: Path, launch: Any) -> None:
    services = built(tmp_path, launch, {})
    assert list(services.bindings) == ["db", "cache", "s3", "assets", "services"]
    assert all(name == binding.name for name, binding in services.bindings.items())
    assert isinstance(services.databases, EmbeddedDatabases)
    assert isinstance(services.objects, EmbeddedObjects)
    assert list(tmp_path.iterdir()) == []  # nothing happens before `start`


def test_servers_are_used_where_the_settings_name_them(tmp_path: Path, launch: Any) -> None:
    services = built(tmp_path, launch, SERVERS)
    assert type(services.databases).__name__ == "LibsqlServer"
    assert type(services.objects).__name__ == "S3Server"
    assert list(tmp_path.iterdir()) == []
