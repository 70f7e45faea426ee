"""Answers: what an operation gives back, S3's errors as XML, and sending either so that a gone client ends the work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Final

from v8box.features.s3_api import xml
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.request import Receive, Request, Send

Headers = list[tuple[str, str]]

_FORBIDDEN: Final = re.compile("[\r\n\x00]")
_COMMON: Final = (
    (b"server", b"v8box"),
    # What is stored is anybody's: it must not become a page with rights on this origin or a neighbour of it.
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
    # The signature is in the URL or a header, never in a cookie, so every origin may ask.
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"ETag, Content-Length, Content-Range, Content-Type, Content-Disposition, Content-Encoding, Accept-Ranges, "
        b"Last-Modified, x-amz-request-id, x-amz-version-id, x-amz-checksum-crc32, x-amz-checksum-crc32c, "
        b"x-amz-checksum-crc64nvme, x-amz-checksum-sha1, x-amz-checksum-sha256",
    ),
)


@dataclass(slots=True)
class Response:
    """`length` is that of a streamed body, or of the body that a HEAD request does not get."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None


def xml_response(name: str, *children: str) -> Response:
    return Response(200, [("content-type", "application/xml")], xml.document(name, *children))


def error_response(error: S3Error, request_id: str, resource: str) -> Response:
    """S3's error document."""
    fields = [("Code", error.code), ("Message", error.message), ("Resource", resource), ("RequestId", request_id)]
    headers = [("content-type", "application/xml"), *error.headers]
    if error.status == 503:
        headers.append(("retry-after", "1"))
    return Response(error.status, headers, xml.error_document(fields))


def preflight(request: Request) -> Response:
    """The answer to a browser's question whether a page of another origin may send a request."""
    asked = request.headers.get("access-control-request-headers", "")
    allowed = asked if re.fullmatch(r"[A-Za-z0-9_,\s-]{1,4096}", asked, re.ASCII) else "*"
    return Response(
        204,
        [
            ("access-control-allow-methods", "GET, HEAD, PUT, POST, DELETE"),
            ("access-control-allow-headers", " ".join(allowed.split())),
            ("access-control-max-age", "3600"),
            ("vary", "Access-Control-Request-Headers"),
        ],
    )


async def send_response(response: Response, request_id: str, method: str, send: Send, receive: Receive) -> None:
    """Sends all of it, or stops when the client has left."""
    headers = [*_COMMON, (b"x-amz-request-id", request_id.encode("latin-1", "replace"))]
    for name, value in response.headers:
        if not _FORBIDDEN.search(value):
            headers.append((name.encode("latin-1"), value.encode("utf-8", "surrogateescape")))
    body = response.body
    length = response.length
    if length is None and isinstance(body, bytes):
        length = len(body)
    if length is not None and response.status not in (204, 304):
        headers.append((b"content-length", b"%d" % length))
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    if isinstance(body, bytes):
        await send(start)
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body, "more_body": False})
        return
    try:
        await send(start)
        await _stream(body, send, receive)
    finally:
        await close(body)


async def _stream(body: AsyncIterator[bytes], send: Send, receive: Receive) -> None:
    """The server takes what is sent to a client that has left, so somebody must look whether it has."""
    leaving = asyncio.ensure_future(_left(receive))
    try:
        async for chunk in body:
            if leaving.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        leaving.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def close(body: Any) -> None:
    """Lets go of a body that is not read to its end: it may hold a file open."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()


def iso_time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_time(milliseconds: int) -> str:
    return formatdate(milliseconds // 1000, usegmt=True)
