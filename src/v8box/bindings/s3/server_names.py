"""Which bucket of an S3 server is which bucket of which project.

The default project's bucket `b` is the server's bucket `b`, so buckets that were there before the box are seen as they
are; of names with dots, the default project has only those in the settings. Any other project's `b` is `<project>.b`:
a project's name has no dot, so no two of them meet.
"""

from __future__ import annotations

import re
from typing import Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId

NAME_LENGTH: Final = 63  # S3's limit
_PROJECT: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class BucketNames:
    """`reserved` are the buckets that the settings name; they are the default project's and nobody else's."""

    def __init__(self, default_project: str, reserved: frozenset[str]) -> None:
        self._default_project = default_project
        self._reserved = reserved

    def on_server(self, bucket: BucketId) -> str:
        """Raises `invalid_bucket`."""
        if bucket.project == self._default_project:
            if "." in bucket.name and bucket.name not in self._reserved:
                raise BindingError("invalid_bucket", "on an S3 server, a bucket's name has no dots: use hyphens")
            return bucket.name
        if not _PROJECT.fullmatch(bucket.project):
            project = bucket.project[:40]
            message = f"on an S3 server, the project {project!r} has no buckets: its name is not of a-z, 0-9 and -"
            raise BindingError("invalid_bucket", message)
        name = f"{bucket.project}.{bucket.name}"
        if len(name) > NAME_LENGTH:
            most = NAME_LENGTH - len(bucket.project) - 1
            raise BindingError(
                "invalid_bucket", f"on an S3 server, this project's buckets have names of {most} characters"
            )
        if name in self._reserved:
            raise BindingError("invalid_bucket", f"the name {bucket.name} is taken: choose another")
        return name

    def of_project(self, project: str, name: str) -> str | None:
        """What a project calls the server's bucket of that name; None if it is not the project's."""
        if name in self._reserved or "." not in name:
            return name if project == self._default_project else None
        owner, _, own_name = name.partition(".")
        return own_name if owner == project and project != self._default_project else None
