"""What the routes of the cache take and show.

A key, a field or a value is a text where it is UTF-8, else `{"base64": "…"}`, in both directions.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from v8box.api.v1 import Shape, Time
from v8box.bindings.cache.browser import Item, Key, Text
from v8box.bindings.cache.editor import MAX_TTL_SECONDS
from v8box.errors import BadRequest

MAX_VALUE_CHARACTERS = 34_000_000
SPACE = r"^(cache|kv:[A-Za-z0-9_-]{1,64})$"
SpaceName = Annotated[
    str,
    Field(
        pattern=SPACE, description="`cache`, or `kv:` and the name of a KV namespace.", examples=["cache", "kv:PAGES"]
    ),
]


class Base64(Shape):
    """What is no text."""

    base64: str = Field(max_length=MAX_VALUE_CHARACTERS + MAX_VALUE_CHARACTERS // 3)


Data = Annotated[str, Field(max_length=MAX_VALUE_CHARACTERS)] | Base64
"""A text, or bytes that are none."""


def to_bytes(data: str | Base64) -> bytes:
    """Raises `BadRequest`."""
    try:
        return data.encode() if isinstance(data, str) else b64decode(data.base64, validate=True)
    except (UnicodeEncodeError, Base64Error, ValueError) as error:
        raise BadRequest("This is neither UTF-8 text nor base64.") from error


def shown(data: bytes) -> str | Base64:
    """Bytes as they are shown."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Base64(base64=b64encode(data).decode())


def shown_start(text: Text) -> str | Base64:
    """The same for a value of which only the beginning is there: a character that is cut at the end is left out."""
    if text.cut:
        for less in range(1, 4):
            try:
                return text.data[: len(text.data) - less].decode()
            except UnicodeDecodeError:
                continue
    return shown(text.data)


class CacheSpace(BaseModel):
    """A part of the project's cache, and what its keys take. Figures are some seconds old."""

    space: SpaceName
    keys: int | None = Field(description="`null`: not measured yet, or the server does not let keys be measured.")
    bytes: int | None = Field(description="Of the server's memory.")


class CacheServer(BaseModel):
    """What the server says of itself since it started, all projects together."""

    hits: int | None
    misses: int | None
    evicted: int | None
    expired: int | None
    memory_bytes: int | None
    memory_limit_bytes: int | None = Field(description="`null`: none, or it is not told.")


class CacheSpaces(BaseModel):
    """The project's cache as a whole."""

    items: list[CacheSpace]
    bytes: int | None = Field(description="What all keys of the project take, indexes and leases too.")
    quota_bytes: int | None = Field(description="What they may take; `null`: there is no bound.")
    measured_at: Time | None
    measuring: bool = Field(description="Newer figures are on their way: ask again in a second.")
    measurable: bool = Field(description="Whether the server lets keys be measured.")
    server: CacheServer | None = Field(description="Only for those who have a role in the whole box.")


class CacheKeyInfo(BaseModel):
    """A key, and what is known of it without reading what it holds."""

    key: str | Base64
    type: str = Field(
        description="`string`, `hash`, `list`, `set`, `zset`, `stream`; `kv` in a namespace; or what a module calls it."
    )
    ttl_seconds: float | None = Field(description="`null`: it does not expire.")
    bytes: int | None = Field(description="Of the server's memory.")
    length: int | None = Field(description="Bytes of a string or a KV value, items of anything else.")
    too_long: bool = Field(description="The name is longer than the API takes: it is shown cut and cannot be opened.")

    @classmethod
    def of(cls, key: Key, most: int) -> CacheKeyInfo:
        ttl = key.ttl_milliseconds
        return cls(
            key=shown_start(Text(key.name[:most], len(key.name))),
            type=key.type,
            ttl_seconds=None if ttl is None else ttl / 1000,
            bytes=key.bytes,
            length=key.length,
            too_long=len(key.name) > most,
        )


class CacheFolder(BaseModel):
    """A prefix that stands for the keys below it."""

    prefix: str
    keys: int = Field(description="How many of them were met on this page; add up those of all pages.")


class CacheKeyPage(BaseModel):
    """A page of keys. It may be short, or empty, though others follow: the server's keys are looked through a stretch
    at a time."""

    items: list[CacheKeyInfo]
    folders: list[CacheFolder]
    next_cursor: str | None = Field(description="For `?cursor=`: the page that follows. `null`: this is the last one.")


class CacheItem(BaseModel):
    """A part of a collection. Which fields it has goes by the type."""

    name: str | Base64 | None = Field(default=None, description="The field of a hash, the member of a set or a zset.")
    value: str | Base64 | None = Field(default=None, description="Of a hash's field, or the item of a list.")
    index: int | None = Field(default=None, description="Where in the list; the rank in a zset.")
    score: str | None = Field(default=None, description="Of a zset's member; `inf` and `-inf` are scores too.")
    id: str | None = Field(default=None, description="Of a stream's entry.")
    entry: list[list[Any]] | None = Field(default=None, description="A stream's fields and values, in pairs.")
    cut: bool = Field(default=False, description="More than is shown here. A page of one item shows up to 1 MiB.")
    bytes: int = Field(description="How long it is as a whole.")

    @classmethod
    def of(cls, item: Item) -> CacheItem:
        texts = [text for text in (item.name, item.value, *item.parts) if text is not None]
        parts = [shown_start(part) for part in item.parts]
        return cls(
            name=None if item.name is None else shown_start(item.name),
            value=None if item.value is None else shown_start(item.value),
            index=item.index,
            score=item.score,
            id=item.id,
            entry=None if item.id is None else [parts[at : at + 2] for at in range(0, len(parts), 2)],
            cut=any(text.cut for text in texts) or item.part_count > len(item.parts),
            bytes=sum(text.length for text in texts),
        )


class CacheValue(CacheKeyInfo):
    """A key with what it holds: a string's or a KV value's beginning, up to 1 MiB, or a page of the items."""

    value: str | Base64 | None = Field(description="Of a string or a KV value.")
    cut: bool = Field(description="The value is longer than what is shown. Then it has no ETag.")
    metadata: Any = Field(description="Of a KV value: its JSON.")
    items: list[CacheItem]
    next_cursor: str | None = Field(description="For the next page of items.")


class CacheValueBody(Shape):
    """A string, or a value of a KV namespace."""

    value: Data
    ttl_seconds: float | Literal["keep"] | None = Field(
        default="keep",
        description="When it expires; `null`: never; `keep`: as it was.",
        examples=[3600],
    )
    metadata: Any = Field(default=None, description="Of a KV value: any JSON of up to 1,024 bytes; `null`: none.")


class CacheItemBody(Shape):
    """One change of one item of a collection. With `was` or `new` it is made only if that is so."""

    type: Literal["hash", "list", "set", "zset", "stream"]
    action: Literal["set", "remove", "append", "prepend", "create"] = Field(
        description="`append` and `prepend` are a list's; `create` makes the key and refuses where there is one."
    )
    name: Data | None = Field(default=None, description="The field of a hash, the member of a set or a zset.")
    value: Data | None = Field(default=None, description="Of a hash's field, or the item of a list.")
    index: int | None = Field(default=None, ge=-(2**53), le=2**53, description="Where in the list.")
    score: float | Literal["inf", "-inf"] | None = Field(default=None, description="Of a zset's member.")
    id: str | None = Field(default=None, pattern=r"^(\*|\d{1,20}-\d{1,20})$", description="Of a stream's entry.")
    entry: list[tuple[Data, Data]] | None = Field(default=None, min_length=1, max_length=100)
    was: Data | None = Field(default=None, description="The value, or the score, as it was when it was seen.")
    new: bool = Field(default=False, description="The field or member must not be there yet.")

    @model_validator(mode="after")
    def _fits(self) -> CacheItemBody:
        writes = self.action != "remove"
        needed = {
            "hash": ("name", "value") if writes else ("name",),
            "list": (("value",) if self.action != "set" else ("value", "index")) if writes else ("index",),
            "set": ("name",),
            "zset": ("name", "score") if writes else ("name",),
            "stream": ("entry",) if writes else ("id",),
        }[self.type]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"to {self.action} in a {self.type} say {' and '.join(missing)}")
        if self.action in ("append", "prepend") and self.type != "list":
            raise ValueError(f"only a list has two ends: use set for a {self.type}")
        if self.type == "stream" and self.was is not None:
            raise ValueError("an entry of a stream never changes: leave out was")
        if self.was is not None and self.new:
            raise ValueError("say was or new, not both")
        return self


class CacheItemChanged(BaseModel):
    """The key as it is now; `null`: with its last item it is gone."""

    key: CacheKeyInfo | None
    id: str | None = Field(description="Of the new entry of a stream.")


class CacheTtlBody(Shape):
    ttl_seconds: float | None = Field(
        ge=0.001, le=MAX_TTL_SECONDS, description="From now on; `null`: it does not expire.", examples=[3600]
    )


class CacheRenameBody(Shape):
    to: Data


class CacheDeleteBody(Shape):
    """What to delete: all keys of the space that begin with the prefix."""

    space: SpaceName = "cache"
    prefix: Data = Field(default="", examples=["session:"])
    everything: bool = Field(default=False, description="To be said with an empty prefix: all keys of the space.")
    dry_run: bool = Field(default=False, description="Only count them.")

    @model_validator(mode="after")
    def _says_what(self) -> CacheDeleteBody:
        empty = self.prefix in ("", Base64(base64=""))
        if empty and not (self.everything or self.dry_run):
            raise ValueError("without a prefix this deletes all keys: say everything, too")
        if not empty and self.everything:
            raise ValueError("everything is all there is: leave out the prefix")
        return self
