"""The `aws-chunked` content coding: bodies in chunks that are signed one by one, or that end with a trailer, or both.

Written after the S3 API reference, "Signature Calculations … Transferring Payload in Multiple Chunks" and "…Including
Trailing Headers". The data is given out as it comes; it may be kept only when `finish` found nothing wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.sigv4 import EMPTY_SHA256, Claim, equal, sign_text

_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER: Final = re.compile(rb"([A-Za-z0-9-]{1,64}):[ \t]*([\x21-\x7e]{1,256})[ \t\n]*")
_MAX_LINE_BYTES: Final = 512
_MAX_TRAILERS: Final = 8
_SMALLEST_SIGNED_BYTES: Final = 8_192
_SIGNATURE: Final = "x-amz-trailer-signature"


class ChunkSigner:
    """The chain of signatures: each is over the one before, beginning with the request's own."""

    def __init__(self, key: bytes, claim: Claim) -> None:
        self._key = key
        self._head = f"{claim.timestamp}\n{claim.scope}\n"
        self._previous = claim.signature

    def chunk(self, sha256: str) -> str:
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{self._head}{self._previous}\n{EMPTY_SHA256}\n{sha256}"
        self._previous = sign_text(self._key, text)
        return self._previous

    def trailer(self, sha256: str) -> str:
        return sign_text(self._key, f"AWS4-HMAC-SHA256-TRAILER\n{self._head}{self._previous}\n{sha256}")


class ChunkedDecoder:
    """Feed it what arrives; it gives the data out. `signer` is None for chunks without signatures."""

    def __init__(
        self, signer: ChunkSigner | None, trailing: bool, on_trailer: Callable[[str, str], None] | None = None
    ) -> None:
        """`trailing`: a trailer may come. `on_trailer` is told each of its fields, in lower case, but the signature."""
        self._signer = signer
        self._trailing = trailing
        self._on_trailer = on_trailer
        self._buffer = bytearray()
        self._state: Callable[[], bool] = self._read_head
        self._left = 0
        self._signature = ""
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._was_small = False
        self._trailers: list[tuple[str, str]] = []
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data in the next piece of the body. Raises `S3Error`."""
        if self._state == self._read_data and not self._buffer and len(received) <= self._left:
            self._take(received)  # the usual case: nothing to be put together, nothing to be copied
        else:
            self._buffer += received
            while self._state():
                pass
        data, self._data = self._data, []
        return iter(data)

    def finish(self) -> None:
        """The body has ended. Raises `S3Error` when it is not complete."""
        if self._state == self._read_trailer and not self._buffer:
            self._end_trailer()  # some clients leave the last empty line out
        if self._state != self._read_nothing:
            raise S3Error("IncompleteBody", "The body ended before its last chunk.")

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, _MAX_LINE_BYTES + 2)
        if end < 0:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise S3Error("InvalidRequest", "A line of the aws-chunked body is too long.")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    # the states: each is given what has arrived, and says whether to go on

    def _read_head(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _HEAD.fullmatch(line)
        if match is None or (match[2] is None) != (self._signer is None):
            raise S3Error("InvalidRequest", "A chunk of the aws-chunked body has no valid size and signature.")
        self._left = self._size = int(match[1], 16)
        if self._signer is not None:
            if self._size and self._was_small:
                raise S3Error("InvalidChunkSizeError")
            self._was_small = self._size < _SMALLEST_SIGNED_BYTES
            self._signature = match[2].decode()
            self._sha256 = hashlib.sha256()
        if self._size:
            self._state = self._read_data
        else:
            self._check_chunk()
            self._state = self._read_trailer
        return True

    def _read_data(self) -> bool:
        if self._left:
            if not self._buffer:
                return False
            taken = bytes(memoryview(self._buffer)[: self._left])
            del self._buffer[: len(taken)]
            self._take(taken)
        if self._left or len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise S3Error("InvalidRequest", "A chunk of the aws-chunked body is longer than it says.")
        del self._buffer[:2]
        self._check_chunk()
        self._state = self._read_head
        return True

    def _take(self, data: bytes) -> None:
        self._left -= len(data)
        if self._signer is not None:
            self._sha256.update(data)
        self._data.append(data)

    def _check_chunk(self) -> None:
        if self._signer is not None and not equal(self._signer.chunk(self._sha256.hexdigest()), self._signature):
            raise S3Error("SignatureDoesNotMatch", "The signature of a chunk does not match.")

    def _read_trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._end_trailer()
            return True
        match = _TRAILER.fullmatch(line)
        if match is None or not self._trailing or len(self._trailers) >= _MAX_TRAILERS:
            raise S3Error("MalformedTrailerError")
        self._trailers.append((match[1].decode().lower(), match[2].decode()))
        return True

    def _end_trailer(self) -> None:
        trailers = [(name, value) for name, value in self._trailers if name != _SIGNATURE]
        if self._signer is not None and self._trailing:
            given = [value for name, value in self._trailers if name == _SIGNATURE]
            text = "".join(f"{name}:{value}\n" for name, value in trailers)
            if len(given) != 1 or not equal(self._signer.trailer(hashlib.sha256(text.encode()).hexdigest()), given[0]):
                raise S3Error("SignatureDoesNotMatch", "The signature of the trailer does not match.")
        if self._on_trailer is not None:
            for name, value in trailers:
                self._on_trailer(name, value)
        self._state = self._read_nothing

    def _read_nothing(self) -> bool:
        if self._buffer:
            raise S3Error("InvalidRequest", "The aws-chunked body goes on after its end.")
        return False
