"""The stores that the `s3` suite runs on, and what is known of each server's faults."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers import S3Server as ServerProcess
from tests.servers.fixtures import rclone_server, swift_server

from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import ObjectLimits, ObjectStore
from v8box.bindings.s3.server import S3Server

__all__ = ["rclone_server", "swift_server"]

LIMITS = ObjectLimits(object_bytes=12_000_000)
PROJECT = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A store under test. What is False or not empty is a known difference, with its reason beside it below."""

    name: str
    store: ObjectStore
    default_bucket: str
    exact_times: bool = True
    """A put answers the very time that the object has from then on."""
    multipart_etags: bool = True
    """An object of parts has the MD5 of their MD5s."""
    refused_keys: re.Pattern[str] | None = None
    """Keys that the server cannot have."""
    quotas: bool = True
    replaces_parts: bool = True
    """A part can be put again."""
    sparse_parts: bool = True
    """The numbers of parts may have gaps."""
    forgives_completes: bool = True
    """An upload whose completing was refused is still there, and parts that are too small are such a reason."""
    forgets_completed: bool = True
    """A completed upload is no upload any more."""
    replaces_metadata: bool = True
    """A copy with metadata of its own has nothing of the source's."""
    listing: bool = True
    """Listings of any keys page with any delimiter, as S3's do."""
    starts_after_prefixes: bool = True
    """A listing that starts after `a/` still has the prefix `a/` of `a/b`."""

    def takes(self, key: str) -> bool:
        return self.refused_keys is None or self.refused_keys.search(key) is None


def server_backend(process: ServerProcess, **faults: object) -> Backend:
    default_bucket = f"b{secrets.token_hex(6)}"
    store = S3Server(
        process.endpoint,
        process.access_key,
        process.secret_key,
        process.region,
        default_bucket=default_bucket,
        initial_buckets=(),
        default_project=PROJECT,
        limits=LIMITS,
    )
    common: dict[str, object] = {"exact_times": False, "quotas": False}
    return Backend(default_bucket=default_bucket, store=store, **{**common, **faults})  # type: ignore[arg-type]


SWIFT: dict[str, object] = {
    "refused_keys": re.compile("\x00"),
    "forgets_completed": False,  # it lists its parts, so that a second complete of the same parts succeeds
    "starts_after_prefixes": False,
}
RCLONE: dict[str, object] = {
    "multipart_etags": False,
    # Its keys are paths: cleaned as such, each of their names 255 bytes at most, `a` never beside `a/b`.
    "refused_keys": re.compile(r"(^|/)(\.{0,2})(/|$)|[\x00-\x1f]|[^/]{256}"),
    "listing": False,
    "replaces_parts": False,
    "sparse_parts": False,
    "forgives_completes": False,
    "replaces_metadata": False,
}


@pytest.fixture(params=["embedded", "swift", "rclone"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "embedded":
        store = EmbeddedObjects(tmp_path / "objects", default_project=PROJECT, limits=LIMITS)
        made = Backend(name="embedded", store=store, default_bucket="v8box")
    elif request.param == "swift":
        made = server_backend(request.getfixturevalue("swift_server"), name="swift", **SWIFT)
    else:
        made = server_backend(request.getfixturevalue("rclone_server"), name="rclone", **RCLONE)
    await made.store.start()
    yield made
    await made.store.stop()


@pytest.fixture
async def s3(backend: Backend) -> S3Binding:
    return S3Binding(backend.store, default_bucket=backend.default_bucket)
