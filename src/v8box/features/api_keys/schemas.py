"""API keys as the API shows and takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from v8box.api.v1 import Shape, Time
from v8box.catalog.manifest_values import read_method, read_network
from v8box.catalog.policies import RateLimit
from v8box.features.api_keys.service import MAX_NAME, MAX_OVERLAP_SECONDS
from v8box.gateway.policies.keyring import PREFIX, ApiKey

_PATTERN: Final = r"^[a-z0-9*?_-]{1,63}$"
_PATH: Final = re.compile(r"/[\x21-\x7e]{0,199}")
_UP: Final = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)|[\\?#]", re.IGNORECASE)


def _path(value: str) -> str:
    if not _PATH.fullmatch(value) or _UP.search(value):
        raise ValueError("must be a path that begins with a slash, without . and .. and ?")
    return value


def _each(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, description="What it is for; shown in the list.")]
Patterns = Annotated[
    list[Annotated[str, Field(pattern=_PATTERN)]],
    Field(max_length=100, description="Names, or patterns like `shop-*`. Empty: all of the project."),
]
Methods = Annotated[
    list[Annotated[str, _each(read_method)]],
    Field(max_length=20, description="Methods it may use. Empty: any."),
]
Paths = Annotated[
    list[Annotated[str, _each(_path)]],
    Field(
        max_length=100, description="Beginnings of the path behind the worker's name, by whole segments. Empty: any."
    ),
]
Addresses = Annotated[
    list[Annotated[str, _each(read_network)]],
    Field(max_length=1_000, description="Addresses or ranges it may be used from. Empty: any."),
]
Expiry = Annotated[AwareDatetime | None, Field(description="When it ends. Null: never.")]


class KeyLimit(Shape):
    """How often a key may be used, all workers together."""

    limit: int = Field(ge=1, le=1_000_000_000, description="Requests in a window.")
    window_seconds: int = Field(ge=1, le=31 * 86_400)
    burst: int | None = Field(default=None, ge=1, le=1_000_000_000, description="How many may come at once; `limit`.")

    def record(self) -> RateLimit:
        return RateLimit(limit=self.limit, window_seconds=self.window_seconds, burst=self.burst or 0, by="key")


class NewApiKey(Shape):
    """An API key to make."""

    name: Name
    workers: Patterns = Field(default=[])
    methods: Methods = Field(default=[])
    paths: Paths = Field(default=[])
    environments: Patterns = Field(default=[])
    allow_ips: Addresses = Field(default=[])
    rate_limit: KeyLimit | None = None
    expires_at: Expiry = None


class ApiKeyChange(Shape):
    """What is to change of an API key; what is left out stays."""

    name: Name | None = None
    workers: Patterns | None = None
    methods: Methods | None = None
    paths: Paths | None = None
    environments: Patterns | None = None
    allow_ips: Addresses | None = None
    rate_limit: KeyLimit | None = None
    expires_at: Expiry = None

    def changes(self) -> dict[str, Any]:
        """By field of `ApiKey`. A null takes a limit or an end away; for a list it means nothing and is left out."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        nullable = ("rate_limit", "expires_at")
        return plain({name: value for name, value in given.items() if value is not None or name in nullable})


def plain(given: dict[str, Any]) -> dict[str, Any]:
    """What was sent as the fields of an `ApiKey`."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, list):
            found[name] = tuple(dict.fromkeys(value))
        elif isinstance(value, KeyLimit):
            found[name] = value.record()
        else:
            found[name] = value.timestamp() if isinstance(value, datetime) else value
    return found


class Rotation(Shape):
    """How a key is rotated."""

    overlap_seconds: int = Field(
        default=0,
        ge=0,
        le=MAX_OVERLAP_SECONDS,
        description="How much longer the secret of before is good. 0: not at all, for one that leaked.",
    )


class ApiKeyInfo(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    begins: str = Field(description="How its text begins, to tell keys apart.")
    workers: list[str]
    methods: list[str]
    paths: list[str]
    environments: list[str]
    allow_ips: list[str]
    rate_limit: KeyLimit | None
    created_at: Time
    created_by: str
    expires_at: Time | None
    expired: bool
    last_used_at: Time | None = Field(description="Exact to a minute.")
    previous_valid_until: Time | None = Field(description="Until when the secret of before the rotation is good.")

    @classmethod
    def of(cls, key: ApiKey, last_used: float | None, now: float) -> ApiKeyInfo:
        limit = key.rate_limit
        rotating = key.previous_hash is not None and now < key.previous_until
        return cls(
            id=key.id,
            name=key.name,
            begins=f"{PREFIX}{key.id}_",
            workers=list(key.workers),
            methods=list(key.methods),
            paths=list(key.paths),
            environments=list(key.environments),
            allow_ips=list(key.allow_ips),
            rate_limit=None
            if limit is None
            else KeyLimit(limit=limit.limit, window_seconds=limit.window_seconds, burst=limit.burst or None),
            created_at=_moment(key.created_at),
            created_by=key.created_by,
            expires_at=None if key.expires_at is None else _moment(key.expires_at),
            expired=key.expires_at is not None and now >= key.expires_at,
            last_used_at=None if last_used is None else _moment(last_used),
            previous_valid_until=_moment(key.previous_until) if rotating else None,
        )


class ApiKeyWithText(ApiKeyInfo):
    """An API key that was just made or rotated."""

    key: str = Field(description="The key itself. It is shown this once; only a hash of it is kept.")


class RefusalsInfo(BaseModel):
    """How often requests to a worker were refused since the box started."""

    worker: str
    environment: str
    code: str = Field(examples=["rate_limited"])
    dry_run: bool = Field(description="Whether they would have been, and were only counted.")
    count: int


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
