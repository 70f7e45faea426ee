"""Request bodies and answers of /admin/s3. Sizes are bytes, times ISO 8601 in UTC."""

from __future__ import annotations

from pydantic import BaseModel, Field

from v8box.api.routes import Shape

MAX_KEYS = 1_000
MAX_QUOTA = 2**53 - 1


class NewBucket(Shape):
    name: str = Field(max_length=100, examples=["photos"])
    quota: int | None = Field(default=None, ge=1, le=MAX_QUOTA, description="Bytes that it may hold; null: no bound.")


class BucketChange(Shape):
    quota: int | None = Field(ge=1, le=MAX_QUOTA, description="Bytes that it may hold; null: no bound.")


class Keys(Shape):
    keys: list[str] = Field(min_length=1, max_length=MAX_KEYS)


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
