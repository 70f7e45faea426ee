"""What the routes of the response cache take and show."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Path
from pydantic import BaseModel, Field, StringConstraints, model_validator

from v8box.api.v1 import Shape
from v8box.gateway.cache.entries import MAX_TAG_CHARACTERS

Project = Annotated[
    str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="A project; `default` is always there.")
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TAG_CHARACTERS, strip_whitespace=True)]
UrlPath = Annotated[str, StringConstraints(pattern="^/[^?#]*$", max_length=16_384)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=63)]


class Purge(Shape):
    """What to throw out. `tags`, `paths` and `prefixes` are purged all; with `site` or `worker` only of that one.
    Without them all of the site or the worker is."""

    tags: list[Tag] = Field(default_factory=list, max_length=500, description="What `Cache-Tag` said.")
    paths: list[UrlPath] = Field(
        default_factory=list,
        max_length=500,
        description="Paths as the worker or the site sees them, with any query, at any host.",
    )
    prefixes: list[UrlPath] = Field(default_factory=list, max_length=100, description="What paths begin with.")
    site: Name | None = Field(default=None, description="Answers of hosts that this site leads to.")
    worker: Name | None = Field(default=None, description="Answers of this worker, in all environments.")
    everything: bool = Field(default=False, description="All of the project.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        some = bool(self.tags or self.paths or self.prefixes or self.site or self.worker)
        if self.site is not None and self.worker is not None:
            raise ValueError("name a site or a worker, not both")
        if self.everything and some:
            raise ValueError("everything is all there is: name nothing beside it")
        if not self.everything and not some:
            raise ValueError("say what: tags, paths, prefixes, site, worker, or everything")
        return self


class Purged(BaseModel):
    """That it was done. From now on nobody gets what was kept before."""

    purged: bool = True


class CacheUse(BaseModel):
    """How a worker's or a site's requests were answered since the box started, and what is held of it in memory."""

    kind: str
    name: str
    entries: int
    bytes: int
    hit: int = Field(description="From what was kept, fresh.")
    stale: int = Field(description="From what was kept, stale: while it was refreshed, or because of an error.")
    collapsed: int = Field(description="With an answer that another request was waiting for.")
    revalidated: int = Field(description="Asked about, and still right.")
    miss: int
    bypass: int
