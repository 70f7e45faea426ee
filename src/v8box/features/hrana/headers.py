"""What matters here of a request's headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_BEARER: Final = b"bearer "
_MAX_DIGITS: Final = 19


class RequestHeaders:
    """`bearer` is the token's text, `length` the body's declared length or 0, `encoded` whether it is compressed."""

    __slots__ = ("bearer", "encoded", "length")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.bearer: str | None = None
        self.encoded = False
        self.length = 0
        for name, value in headers:
            match name.lower():
                case b"authorization" if value[: len(_BEARER)].lower() == _BEARER:
                    self.bearer = value[len(_BEARER) :].strip().decode("latin-1")
                case b"content-length" if value.isdigit():
                    self.length = int(value[:_MAX_DIGITS])
                case b"content-encoding":
                    self.encoded = value.strip().lower() != b"identity"


def bearer_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    return RequestHeaders(headers).bearer
