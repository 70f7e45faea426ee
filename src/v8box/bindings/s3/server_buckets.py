"""The buckets of projects on an S3 server: found, made, listed, deleted, and its faults told in the projects' words."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3 import server_metadata as metadata
from v8box.bindings.s3.interface import BucketId, BucketInfo, no_such_bucket
from v8box.bindings.s3.server_client import S3Client
from v8box.bindings.s3.server_names import BucketNames

logger = logging.getLogger(__name__)

_MAKE_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)  # between attempts to make the first buckets; the last one repeats


class ServerBuckets:
    """`default_bucket` is there for every project, `initial_buckets` for `default_project`; none can be deleted."""

    def __init__(
        self, client: S3Client, region: str, default_bucket: str, initial_buckets: Sequence[str], default_project: str
    ) -> None:
        self._client = client
        self._region = region
        self._default_bucket = default_bucket
        self._required = frozenset({default_bucket, *initial_buckets})
        self._names = BucketNames(default_project, self._required)
        self._made: set[str] = set()

    async def name(self, bucket: BucketId) -> str:
        """The bucket's name on the server. A project's default bucket is made at its first use."""
        name = self._names.on_server(bucket)
        if bucket.name == self._default_bucket and name not in self._made:
            if not await self.exists(name):
                await self._create(name)
            self._made.add(name)
        return name

    @contextmanager
    def explain(self, bucket: BucketId) -> Iterator[None]:
        """What the server does not find in here is the bucket: raises `no_such_bucket` by its project's name."""
        try:
            yield
        except BindingError as error:
            if error.code in ("no_such_bucket", "not_found"):
                self._made.discard(self._names.on_server(bucket))
                raise no_such_bucket(bucket) from error
            raise

    async def exists(self, name: str) -> bool:
        try:
            await self._client.call("head_bucket", Bucket=name)
        except BindingError as error:
            if error.code in ("not_found", "no_such_bucket"):
                return False
            raise
        return True

    async def list(self, project: str) -> list[BucketInfo]:
        await self.name(BucketId(project, self._default_bucket))
        found: list[BucketInfo] = []
        arguments: dict[str, Any] = {}
        while True:
            answer = await self._client.call("list_buckets", **arguments)
            for entry in answer.get("Buckets", ()):
                name = self._names.of_project(project, entry["Name"])
                if name is not None:
                    found.append(BucketInfo(name=name, created=metadata.to_ms(entry.get("CreationDate"))))
            if not answer.get("ContinuationToken"):
                return sorted(found, key=lambda bucket: bucket.name)
            arguments["ContinuationToken"] = answer["ContinuationToken"]

    async def create(self, bucket: BucketId, quota: int | None) -> None:
        if quota is not None:
            raise _no_quotas()
        name = self._names.on_server(bucket)
        if bucket.name == self._default_bucket or await self.exists(name):
            raise BindingError("bucket_exists", f"there is a bucket {bucket.name} already")
        await self._create(name)

    async def set_quota(self, bucket: BucketId, quota: int | None) -> None:
        if not await self.exists(await self.name(bucket)):
            raise no_such_bucket(bucket)
        if quota is not None:
            raise _no_quotas()

    async def delete(self, bucket: BucketId) -> None:
        name = self._names.on_server(bucket)
        if bucket.name == self._default_bucket or name in self._required:
            raise BindingError("bucket_required", f"the settings name the bucket {bucket.name}: it cannot be deleted")
        with self.explain(bucket):
            await self._client.call("delete_bucket", Bucket=name)

    async def make_required(self) -> None:
        """Makes the buckets that the settings name. A server that is down does not keep the box from starting."""
        missing = set(self._required)
        for attempt in itertools.count():
            for name in sorted(missing):
                try:
                    if not await self.exists(name):
                        await self._create(name)
                        logger.info("made the bucket %s on %s", name, self._client.host)
                except BindingError as error:
                    if attempt == 0:
                        logger.warning("the bucket %s cannot be made yet: %s", name, error.message)
                else:
                    missing.discard(name)
            if not missing:
                return
            await asyncio.sleep(_MAKE_PAUSES[min(attempt, len(_MAKE_PAUSES) - 1)])

    async def _create(self, name: str) -> None:
        arguments: dict[str, Any] = {}
        if self._region != "us-east-1":
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        try:
            await self._client.call("create_bucket", Bucket=name, **arguments)
        except BindingError as error:
            if error.code != "bucket_exists" or not await self.exists(name):
                raise


def _no_quotas() -> BindingError:
    return BindingError("not_available", "a bucket on an S3 server has the server's own quotas: set it there")
