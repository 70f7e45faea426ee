"""What the routes of workers, versions and deployments take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from v8box.api.v1 import Shape
from v8box.catalog.listing import MAX_TAGS as MAX_WORKER_TAGS
from v8box.catalog.versions import MAX_MESSAGE, MAX_TAGS
from v8box.features.workers.canary_model import DEFAULT_STEPS

Message = Annotated[str, Field(max_length=MAX_MESSAGE, description="Why, for those who read the history.")]


class VersionChange(Shape):
    """What to change of a version; what is left out stays."""

    tags: list[str] | None = Field(default=None, max_length=MAX_TAGS, description="All its tags. A tag moves here.")
    pinned: bool | None = None
    message: Message | None = None


class WorkerChange(Shape):
    """What to change of a worker itself."""

    tags: list[str] = Field(max_length=MAX_WORKER_TAGS, description="All its tags.")


class TagChange(Shape):
    """Tags to put on several workers, or to take off. All of them are changed, or none."""

    workers: list[str] = Field(min_length=1, max_length=1_000, description="Names of workers.")
    add: list[str] = Field(default=[], max_length=MAX_WORKER_TAGS)
    remove: list[str] = Field(default=[], max_length=100)


class WantedShare(Shape):
    """A version's part of the requests."""

    version: str = Field(min_length=1, max_length=80, description="Its number, a tag, its id or the beginning of that.")
    weight: int = Field(ge=0, le=100, description="Per cent.")


class DeploymentChange(Shape):
    """What is to be live."""

    versions: list[WantedShare] = Field(min_length=1, max_length=2, description="Their weights make 100 together.")
    sticky: str | None = Field(
        default=None, max_length=80, description='"", "ip", "header:<name>" or "cookie:<name>". Left out: as it was.'
    )
    message: Message = ""


class Rollback(Shape):
    """Where to go back to."""

    to: str | None = Field(
        default=None, min_length=1, max_length=80, description="A version. Left out: what was live before by itself."
    )
    message: Message = ""


class Promotion(Shape):
    """What to make live here."""

    source: str = Field(alias="from", max_length=32, description="The environment whose newest version it is.")
    message: Message = ""


class CanaryGuards(Shape):
    """What the new version must keep to, over the last minute of a step. `null`: it does not matter."""

    max_error_rate: float | None = Field(default=0.05, ge=0, le=1, description="Of its requests: 5xx, or cut off.")
    max_error_rate_increase: float | None = Field(default=None, ge=0, le=1, description="More than the old version's.")
    max_p95_ms: float | None = Field(default=None, gt=0)
    max_p95_ratio: float | None = Field(default=None, ge=1, description="Times the old version's.")
    min_requests: int = Field(default=20, ge=0, le=1_000_000, description="Before so many nothing is judged, or done.")


class NewCanary(Shape):
    """A version to try."""

    version: str = Field(min_length=1, max_length=80, description="Its number, a tag, its id or the beginning of that.")
    steps: list[int] = Field(
        default=[*DEFAULT_STEPS], min_length=1, max_length=20, description="Per cents that grow; 100 is the last."
    )
    interval_seconds: float = Field(default=60, ge=1, le=86_400, description="How long a step takes at least.")
    guards: CanaryGuards = CanaryGuards()


class Retention(Shape):
    """What to keep."""

    keep: int | None = Field(
        default=None, ge=0, le=100_000, description="Versions. Left out: as many as the box keeps."
    )
