"""Request bodies and answers of /admin/s3. Sizes are bytes, times ISO 8601 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from v8box.api.routes import Shape

MAX_KEYS = 1_000
MAX_QUOTA = 2**53 - 1
MAX_PARTS = 10_000
MAX_LINK_SECONDS = 7 * 86_400


class NewBucket(Shape):
    name: str = Field(max_length=100, examples=["photos"])
    quota: int | None = Field(default=None, ge=1, le=MAX_QUOTA, description="Bytes that it may hold; null: no bound.")


class BucketChange(Shape):
    quota: int | None = Field(ge=1, le=MAX_QUOTA, description="Bytes that it may hold; null: no bound.")


class Keys(Shape):
    keys: list[str] = Field(min_length=1, max_length=MAX_KEYS)


class ObjectChange(Shape):
    http: dict[str, str] = Field(
        default_factory=dict,
        max_length=10,
        description="contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl.",
    )
    metadata: dict[str, str] = Field(default_factory=dict, max_length=100)


Key = Annotated[str, Field(min_length=1, max_length=1_024)]


class NewLink(Shape):
    key: Key
    method: Literal["GET", "PUT"] = "GET"
    expiresInSeconds: int = Field(default=3_600, ge=1, le=MAX_LINK_SECONDS)
    contentType: str | None = Field(
        default=None, max_length=200, description="GET: what the answer says it is. PUT: what must be sent as such."
    )
    download: bool = Field(default=False, description="GET: browsers save it under its name instead of showing it.")


class NewUpload(Shape):
    key: Key
    contentType: str | None = Field(default=None, max_length=200)
    metadata: dict[str, str] = Field(default_factory=dict, max_length=100)


class PartOf(Shape):
    number: int = Field(ge=1, le=MAX_PARTS)
    etag: str = Field(max_length=200)


class Completion(Shape):
    key: Key
    parts: list[PartOf] = Field(min_length=1, max_length=MAX_PARTS)
    replace: bool = Field(default=False, description="Whether an object that has the key already is replaced.")


class Clearing(Shape):
    prefixes: list[Annotated[str, Field(max_length=1_024)]] = Field(
        default_factory=list, max_length=MAX_KEYS, description='All objects whose keys begin so. "" is all of them.'
    )
    keys: list[Key] = Field(default_factory=list, max_length=MAX_KEYS)


# What comes back.


class Link(BaseModel, extra="forbid"):
    url: str = Field(description="Whoever has it needs no sign-in. It is not kept anywhere.")
    method: Literal["GET", "PUT"]
    expires: str
    headers: dict[str, str] = Field(description="What must be sent with it.")


class UploadEntry(BaseModel, extra="forbid"):
    id: str
    key: str
    started: str


class PartEntry(BaseModel, extra="forbid"):
    number: int
    etag: str
    sizeBytes: int


class Aborted(BaseModel, extra="forbid"):
    aborted: str


class BucketEntry(BaseModel, extra="forbid"):
    name: str
    created: str | None
    objects: int | None = Field(description="null where the server does not tell cheaply.")
    sizeBytes: int | None
    quota: int | None


class ObjectEntry(BaseModel, extra="forbid"):
    key: str
    sizeBytes: int
    etag: str
    uploaded: str
    http: dict[str, str] = Field(description="contentType, contentLanguage, contentDisposition, contentEncoding, …")
    metadata: dict[str, str]


class ObjectPage(BaseModel, extra="forbid"):
    objects: list[ObjectEntry]
    prefixes: list[str] = Field(description="With a delimiter: what stands for the keys below it.")
    cursor: str | None = Field(description="For the next page; null on the last.")


class DeletedBucket(BaseModel, extra="forbid"):
    deleted: str


class DeletedKeys(BaseModel, extra="forbid"):
    deleted: list[str]
