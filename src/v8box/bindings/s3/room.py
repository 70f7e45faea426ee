"""How much more a bucket may take: its quota and its project's, with what is on its way in counted.

An upload asks once how much room there is and then counts as it comes, so that an endless one is stopped early. The
index has the last word when the upload becomes an object.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId


@dataclass(frozen=True, slots=True)
class Room:
    """What a bucket and its project hold, and may hold; bytes, parts of open uploads included."""

    bucket: BucketId
    bucket_quota: int | None
    bucket_used: int
    project_quota: int | None
    project_used: int
    object_quota: int | None
    objects: int

    def check(self, more_in_bucket: int, more_in_project: int | None = None) -> None:
        """Raises `quota_exceeded` if so many bytes more are too many."""
        more_in_project = more_in_bucket if more_in_project is None else more_in_project
        if self.bucket_quota is not None and self.bucket_used + more_in_bucket > self.bucket_quota:
            raise _exceeded(f"the bucket {self.bucket.name}", self.bucket_quota, self.bucket_used, "bytes")
        if self.project_quota is not None and self.project_used + more_in_project > self.project_quota:
            raise _exceeded("the project's buckets together", self.project_quota, self.project_used, "bytes")

    def check_objects(self) -> None:
        if self.object_quota is not None and self.objects > self.object_quota:
            raise _exceeded("the project's buckets together", self.object_quota, self.objects, "objects")


def _exceeded(what: str, limit: int, used: int, unit: str) -> BindingError:
    message = f"{what} may hold {limit} {unit}: delete objects, abort uploads or raise the quota"
    return BindingError("quota_exceeded", message, {"limit": limit, "used": used, "unit": unit})


class Arrivals:
    """The bytes of all uploads that are under way."""

    def __init__(self) -> None:
        self._buckets: Counter[BucketId] = Counter()
        self._projects: Counter[str] = Counter()

    def count(self, room: Room, replaced: int = 0) -> Arrival:
        """A new one, of which `replaced` bytes will make place by themselves."""
        return Arrival(self, room, replaced)

    def add(self, bucket: BucketId, count: int) -> tuple[int, int]:
        """What is under way into the bucket and into its project, with `count` bytes more (or fewer)."""
        self._buckets[bucket] += count
        self._projects[bucket.project] += count
        counts = self._buckets[bucket], self._projects[bucket.project]
        if not counts[0]:
            del self._buckets[bucket]
        if not counts[1]:
            del self._projects[bucket.project]
        return counts


class Arrival:
    """One upload's bytes. `end` it in any case."""

    def __init__(self, arrivals: Arrivals, room: Room, replaced: int) -> None:
        self._arrivals = arrivals
        self._room = room
        self._replaced = replaced
        self._bytes = 0

    def grow(self, count: int) -> None:
        """Raises `quota_exceeded`."""
        self._bytes += count
        in_bucket, in_project = self._arrivals.add(self._room.bucket, count)
        self._room.check(in_bucket - self._replaced, in_project - self._replaced)

    def end(self) -> None:
        self._arrivals.add(self._room.bucket, -self._bytes)
        self._bytes = 0
