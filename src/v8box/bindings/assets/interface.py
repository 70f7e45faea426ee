"""What the `assets` binding asks of the box: a file of a site, answered as the site answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRequest:
    """A worker's request for a file. `host` and `path` are those of its URL, `path` as it was sent, beginning with a
    slash. `follow`: where the site would send a browser to another spelling of the path, that file is given."""

    project: str
    site: str
    method: str
    host: str
    secure: bool
    path: str
    query: str
    follow: bool
    run: str
    environment: str = ""
    """Where the worker runs."""
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetAnswer:
    """Head and body. The reader closes (`aclose`) a body that it does not read to its end."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)


class FetchAsset(Protocol):
    """Answers a request for a file; what the site refuses is an answer, too."""

    async def __call__(self, request: AssetRequest, /) -> AssetAnswer: ...
