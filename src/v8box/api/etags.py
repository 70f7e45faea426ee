"""ETags of what two people may edit: whoever writes over a state that they have not seen is told so.

An ETag is a hash of the resource as it is shown, so any change of what one can see changes it. `If-Match` compares
strongly, as RFC 9110 (13.1.1) has it: a weak tag matches nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec
from fastapi import Request
from pydantic import BaseModel

from v8box.errors import BadRequest, V8BoxError

_encode: Final = msgspec.json.Encoder(order="sorted").encode
_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class PreconditionFailed(V8BoxError):
    """Somebody has changed it meanwhile. Get it again, and make the change on what it is now."""

    status = 412
    code = "precondition_failed"

    def __init__(self, etag: str, detail: str | None = None) -> None:
        super().__init__(detail)
        self.etag = etag
        """The tag of what is there now."""


def etag_of(value: Any) -> str:
    """The tag of a resource as it is shown: a model, or plain JSON values."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return f'"{hashlib.sha256(_encode(plain)).hexdigest()[:32]}"'


def check_if_match(request: Request, etag: str) -> None:
    """Raises `PreconditionFailed` when the request has an `If-Match` that does not name `etag`. Call it inside the
    transaction that changes, or while nobody else can."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    tags = _tags(wanted, "If-Match")
    if any(not weak and tag == etag for weak, tag in tags):
        return
    if any(weak for weak, _ in tags):
        raise PreconditionFailed(etag, 'If-Match names a weak tag (W/"…"), and those match nothing. Send a strong one.')
    raise PreconditionFailed(etag)


def is_unchanged(request: Request, etag: str) -> bool:
    """Whether the client has this state already (`If-None-Match`), so that 304 is enough."""
    held = request.headers.get("if-none-match")
    if held is None:
        return False
    return held.strip() == "*" or any(tag == etag for _, tag in _tags(held, "If-None-Match"))


def _tags(text: str, header: str) -> list[tuple[bool, str]]:
    """The tags of a list, and whether each is weak."""
    found = [_TAG.fullmatch(part.strip()) for part in re.findall(r'(?:[^,"]|"[^"]*"?)+', text)]
    if not found or None in found:
        raise BadRequest(f'{header} takes tags in quotes, as the ETag header has them: "…"; or *.')
    return [(match[1] is not None, match[2]) for match in found if match is not None]
