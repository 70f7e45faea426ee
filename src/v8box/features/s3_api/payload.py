"""A request's body: decoded, bounded, and checked against everything that the client said of it.

It is read as it comes. Whoever stores it must keep it only when it was read to its end without an error; what went
wrong is in `failure` too, in case the store has an error of its own for a body that breaks off.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

from v8box.features.s3_api import checksums
from v8box.features.s3_api.checksums import Expected
from v8box.features.s3_api.chunked import ChunkedDecoder, ChunkSigner
from v8box.features.s3_api.errors import ClientGone, S3Error
from v8box.features.s3_api.request import Receive, Request
from v8box.features.s3_api.sigv4 import UNSIGNED_PAYLOAD

WHOLE_BYTES: Final = 64 * 1024
"""A body that says to be no longer is read first and stored in one go."""
IDLE_SECONDS: Final = 60.0
"""How long a client may send nothing in the middle of a body."""

_SIGNED_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_NO_BODY_CRC: Final = {"crc32": "AAAAAA==", "crc32c": "AAAAAA==", "crc64nvme": "AAAAAAAAAAA="}


class Payload:
    """One request's body. Take it as a `stream`, or `whole`; then it was what the client said it would be."""

    def __init__(self, request: Request, receive: Receive, signer: ChunkSigner, max_bytes: int) -> None:
        """Raises `S3Error` for headers that contradict each other, before anything is read."""
        self._receive = receive
        self._max_bytes = max_bytes
        self._sent = _length(request, "content-length")
        self._expected = Expected()
        self._decoder: ChunkedDecoder | None = None
        self._announced: frozenset[str] = frozenset()
        self.failure: Exception | None = None
        mode = request.headers.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
        if mode.startswith("STREAMING-"):
            self._decode(mode, request, signer)
            self.length = _length(request, "x-amz-decoded-content-length")
            if self.length is None:
                raise S3Error("InvalidRequest", "A streaming body needs the header x-amz-decoded-content-length.")
        else:
            self.length = self._sent
            if _SHA256.fullmatch(mode):
                self._expected.payload(mode.lower())
            elif mode != UNSIGNED_PAYLOAD:
                raise S3Error(
                    "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-… or SHA-256."
                )
        self._expect(request)
        if self.length is not None and self.length > max_bytes:
            raise self._too_large()

    def _decode(self, mode: str, request: Request, signer: ChunkSigner) -> None:
        trailing = mode.endswith("-TRAILER")
        kind = mode.removesuffix("-TRAILER")
        if kind != _SIGNED_CHUNKS and mode != "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
            raise S3Error("NotImplemented", f"The payload mode {mode[:80]} is not supported.")
        if trailing:
            names = [name.strip().lower() for name in request.headers.get("x-amz-trailer", "").split(",")]
            self._announced = frozenset(filter(None, names))
            for name in self._announced:
                algorithm = checksums.algorithm_of(name)
                if algorithm is None:
                    raise S3Error("InvalidRequest", "x-amz-trailer may name checksums only.")
                self._expected.announce(algorithm)
        self._decoder = ChunkedDecoder(signer if kind == _SIGNED_CHUNKS else None, trailing, self._trailer)

    def _trailer(self, name: str, value: str) -> None:
        algorithm = checksums.algorithm_of(name)
        if algorithm is None or name not in self._announced or name in self._expected.values:
            raise S3Error("MalformedTrailerError")
        self._expected.checksum(algorithm, value)

    def _expect(self, request: Request) -> None:
        if (md5 := request.headers.get("content-md5")) is not None:
            self._expected.md5(md5)
        in_query = {name.lower() for name, _ in request.query}
        for name, value in request.headers.items():
            algorithm = checksums.algorithm_of(name)
            if algorithm is None:
                continue
            if name in in_query and value == _NO_BODY_CRC.get(algorithm) and self._sent != 0:
                continue  # some SDKs presign a put with the checksum of the body they do not have yet: none
            self._expected.checksum(algorithm, value)
        if len(self._expected.values) + len(self._announced) > 1:
            raise S3Error("InvalidRequest", "Give one checksum, in a header or in the trailer.")

    @property
    def checksum_headers(self) -> list[tuple[str, str]]:
        """The checksums that the body was checked for, once it was read."""
        return list(self._expected.values.items())

    def delegate(self) -> dict[str, str]:
        """Digests, by algorithm, that the store shall check: it hashes beside the loop. They are not checked here."""
        return self._expected.delegate()

    def digest_error(self) -> S3Error:
        """What it means that the store found another digest than those of `delegate`."""
        return self._expected.delegated_error()

    async def whole(self, most: int) -> bytes:
        """The body in one piece, if it is no longer than `most` bytes. Raises `S3Error`."""
        self._max_bytes = min(self._max_bytes, most)
        if self.length is not None and self.length > most:
            raise self._too_large()
        return b"".join([piece async for piece in self.stream()])

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it comes. Iterate over it once."""
        try:
            async for piece in self._pieces():
                yield piece
        except Exception as error:
            self.failure = error
            raise

    async def _pieces(self) -> AsyncIterator[bytes]:
        received = size = 0
        async for raw in self._received():
            received += len(raw)
            for piece in self._data(raw):
                size += len(piece)
                if size > self._max_bytes:
                    raise self._too_large()
                if self.length is not None and size > self.length:
                    raise S3Error("IncompleteBody", "The body is longer than it says.")
                self._expected.update(piece)
                yield piece
        if self._decoder is not None:
            self._decoder.finish()
        if (self._sent is not None and received != self._sent) or (self.length is not None and size != self.length):
            raise S3Error("IncompleteBody")
        self._expected.verify()

    def _data(self, raw: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            return iter((raw,))
        return self._decoder.feed(raw)

    async def _received(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await self._receive()
            except TimeoutError:
                raise S3Error("RequestTimeout") from None
            if message["type"] != "http.request":
                raise ClientGone
            body = message.get("body", b"")
            if body:
                yield body
            if not message.get("more_body", False):
                return

    def _too_large(self) -> S3Error:
        return S3Error("EntityTooLarge", f"The body may have {self._max_bytes} bytes here.")


def _length(request: Request, name: str) -> int | None:
    text = request.headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise S3Error("InvalidArgument", f"{name} is not one number.")
    return int(text)
