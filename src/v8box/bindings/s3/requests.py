"""What a worker's `s3` client may ask, operation by operation, and the checks that need no store."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import Condition, ObjectInfo, Range

KEY_BYTES: Final = 1_024  # S3's limit
METADATA_BYTES: Final = 8_192  # R2's limit, names and values of custom metadata together
HTTP_METADATA_BYTES: Final = 8_192
LIST_LIMIT: Final = 1_000
PARTS: Final = 10_000
PRESIGN_SECONDS: Final = 604_800  # S3's limit, a week
_DIGEST_LENGTHS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_HTTP_FIELDS: Final = frozenset(
    {"contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl", "cacheExpiry"}
)

Shape = TypeVar("Shape")


class Where(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`bucket`: none for the default one. Every operation has it; this is all of `buckets` and `head_bucket`."""

    bucket: str | None = None


class Head(Where, kw_only=True):
    key: str


class Get(Where, kw_only=True):
    key: str
    range: Range | None = None
    only_if: Condition | None = None


class Put(Where, kw_only=True):
    key: str
    http: dict[str, str] = {}
    custom: dict[str, str] = {}
    only_if: Condition | None = None
    digests: dict[str, str] = {}


class Copy(Where, kw_only=True):
    """`source_bucket`: none for the same as `bucket`. With `replace`, the copy has `http` and `custom` instead of what
    the source has. `only_if` is about the source."""

    source: str
    target: str
    source_bucket: str | None = None
    http: dict[str, str] = {}
    custom: dict[str, str] = {}
    replace: bool = False
    only_if: Condition | None = None


class Delete(Where, kw_only=True):
    keys: list[str]


class List(Where, kw_only=True):
    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    cursor: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1)] = LIST_LIMIT
    include: list[str] = []


class CreateUpload(Where, kw_only=True):
    key: str
    http: dict[str, str] = {}
    custom: dict[str, str] = {}


class Upload(Where, kw_only=True):
    """Of `abort_upload` and `list_parts`."""

    key: str
    upload: str


class PutPart(Upload, kw_only=True):
    number: Annotated[int, msgspec.Meta(ge=1, le=PARTS)]
    digests: dict[str, str] = {}


class CompleteUpload(Upload, kw_only=True):
    parts: Annotated[list[tuple[int, str]], msgspec.Meta(max_length=PARTS)]


class ListUploads(Where, kw_only=True):
    prefix: str = ""


class Presign(Where, kw_only=True):
    key: str
    method: Literal["GET", "PUT", "HEAD", "DELETE"] = "GET"
    expires: Annotated[int, msgspec.Meta(ge=1, le=PRESIGN_SECONDS)] = 3_600
    content_type: str | None = None
    disposition: str | None = None


class ObjectAnswer(msgspec.Struct, omit_defaults=True):
    """What the client makes an object of. `body` says whether bytes come beside it."""

    object: ObjectInfo
    range: tuple[int, int] | None = None
    body: bool = False


def read(args: Any, shape: type[Shape]) -> Shape:
    """Raises `invalid_argument`."""
    try:
        return msgspec.convert(args, shape)
    except msgspec.ValidationError as error:
        raise BindingError("invalid_argument", str(error)) from error


def check_key(key: str) -> str:
    """Raises `invalid_key`."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= KEY_BYTES:
        raise BindingError("invalid_key", f"a key has 1 to {KEY_BYTES} bytes of valid UTF-8")
    return key


def check_text(*texts: str) -> None:
    """What is compared with keys: a prefix, a delimiter, a position. Raises `invalid_argument`."""
    for text in texts:
        if len(text) > KEY_BYTES or not _is_utf8(text):
            raise BindingError(
                "invalid_argument", f"a prefix, a delimiter or a key has {KEY_BYTES} bytes of UTF-8 at most"
            )


def check_metadata(http: dict[str, str], custom: dict[str, str]) -> None:
    """Raises `invalid_argument`, `metadata_too_large`."""
    if unknown := http.keys() - _HTTP_FIELDS:
        raise BindingError("invalid_argument", f"httpMetadata has no field {min(unknown)[:40]!r}")
    if "cacheExpiry" in http and not http["cacheExpiry"].isdecimal():
        raise BindingError("invalid_argument", "cacheExpiry is a number of milliseconds since 1970")
    for fields, most in ((custom, METADATA_BYTES), (http, HTTP_METADATA_BYTES)):
        size = 0
        for name, value in fields.items():
            if not (_is_utf8(name) and _is_utf8(value)):
                raise BindingError("invalid_argument", "metadata must be valid Unicode")
            size += len(name.encode()) + len(value.encode())
        if size > most:
            raise BindingError("metadata_too_large", f"metadata may have {most} bytes, names and values together")


def check_digests(digests: dict[str, str]) -> None:
    """Raises `invalid_argument`."""
    for algorithm, digest in digests.items():
        if _DIGEST_LENGTHS.get(algorithm) != len(digest) or not _HEXADECIMAL.issuperset(digest):
            raise BindingError("invalid_argument", f"{algorithm[:20]} is no digest, or not hexadecimal of that length")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
