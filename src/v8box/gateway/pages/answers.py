"""One file as an answer: head and body for what the client's headers ask, from memory or straight from the disk.

Small bodies are kept in memory within a bound. Large ones are sent by the server itself from their path, without
passing through Python; only their ranges are read here, in pieces.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from v8box.gateway.headers import SERVER
from v8box.gateway.invoke import Send
from v8box.gateway.pages import multipart, negotiate
from v8box.gateway.pages.release import Asset, Stored

SMALL_BYTES: Final = 256 * 1024
_CACHE_BYTES: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 256 * 1024

HeaderList = list[tuple[bytes, bytes]]


class Files(Protocol):
    """Where stored bytes lie."""

    def path(self, key: str) -> Path: ...


class Conditions(NamedTuple):
    """The headers that decide what of a file is sent."""

    method: str
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_match: str | None = None
    if_unmodified_since: str | None = None
    if_range: str | None = None
    range: str | None = None


class Body(NamedTuple):
    """The bytes that were chosen, and what names them."""

    stored: Stored
    type: str
    encoding: str
    etag: str
    varies: tuple[str, ...]


def choose(asset: Asset, accept: str | None, accept_encoding: str | None) -> Body:
    """Which of a file's forms this client gets."""
    varies: list[str] = []
    if asset.variants:
        varies.append("Accept")
        variant = negotiate.choose_variant(accept, asset.variants)
        if variant:
            stored = asset.variants[variant]
            return Body(stored, variant, "", f'"{stored.hash[:32]}"', tuple(varies))
    if asset.encodings:
        varies.append("Accept-Encoding")
        sizes = {str(name): stored.size for name, stored in asset.encodings.items()}
        encoding = negotiate.choose_encoding(accept_encoding, sizes, asset.content.size)
        for name, stored in asset.encodings.items():
            if name == encoding:
                return Body(stored, asset.type, encoding, f'"{asset.content.hash[:32]}-{encoding}"', tuple(varies))
    return Body(asset.content, asset.type, "", f'"{asset.content.hash[:32]}"', tuple(varies))


class HotFiles:
    """Bodies in memory, those used last; at most so many bytes together."""

    def __init__(self, files: Files, *, most_bytes: int = _CACHE_BYTES) -> None:
        self._files = files
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def ready(self, key: str) -> bytes | None:
        body = self._held.get(key)
        if body is not None:
            self._held.move_to_end(key)
        return body

    async def get(self, stored: Stored) -> bytes:
        """The bytes of a small file. Raises `FileNotFoundError` when the store lost it."""
        body = self.ready(stored.hash)
        if body is not None:
            return body
        body = await asyncio.to_thread(self._files.path(stored.hash).read_bytes)
        if stored.hash not in self._held:
            self._held[stored.hash] = body
            self._bytes += len(body)
            while self._bytes > self._most_bytes:
                _, gone = self._held.popitem(last=False)
                self._bytes -= len(gone)
        return body

    def path(self, stored: Stored) -> Path:
        return self._files.path(stored.hash)


class Prepared(NamedTuple):
    """The whole answer of a small file to who asks without conditions, but for the request's own headers."""

    status: int
    head: HeaderList
    stored: Stored


def prepare(body: Body, status: int, headers: HeaderList, at: int) -> Prepared | None:
    """None for a file that is not kept in memory."""
    if body.stored.size > SMALL_BYTES:
        return None
    head = _common(body, headers, at)
    _describe(head, body, status)
    head.append((b"content-length", b"%d" % body.stored.size))
    return Prepared(status, head, body.stored)


async def send_prepared(send: Send, hot: HotFiles, prepared: Prepared, own: HeaderList) -> int:
    """Answers as `send_file` would; gives the status. `own` are the request's own headers."""
    data = hot.ready(prepared.stored.hash)
    if data is None:
        data = await hot.get(prepared.stored)
    await send({"type": "http.response.start", "status": prepared.status, "headers": prepared.head + own})
    await send({"type": "http.response.body", "body": data, "more_body": False})
    return prepared.status


def _common(body: Body, headers: HeaderList, at: int) -> HeaderList:
    """What a file's answer says whether or not its bytes follow."""
    varies = [name.encode() for name in body.varies]
    if varies:
        varies += [value for name, value in headers if name == b"vary"]
        headers = [pair for pair in headers if pair[0] != b"vary"]
    head = [SERVER, *headers, (b"etag", body.etag.encode()), (b"last-modified", negotiate.http_date(at))]
    if varies:
        head.append((b"vary", b", ".join(varies)))
    return head


def _describe(head: HeaderList, body: Body, status: int) -> None:
    """What it says of the bytes that follow."""
    if body.encoding:
        head.append((b"content-encoding", body.encoding.encode()))
    head.append((b"content-type", body.type.encode()))
    if status == 200 and not body.encoding:
        head.append((b"accept-ranges", b"bytes"))


async def send_file(
    send: Send, hot: HotFiles, body: Body, status: int, headers: HeaderList, at: int, asked: Conditions
) -> tuple[int, int]:
    """Answers with a file; gives the status and how many bytes of it were sent. `headers` are those of the site and
    the box; what belongs to the bytes is added here."""
    head = _common(body, headers, at)
    if status == 200:
        if negotiate.fails_precondition(body.etag, at, asked.if_match, asked.if_unmodified_since):
            return await _empty(send, 412, head)
        if _is_known(body, at, asked):
            return await _empty(send, 304, head)
    _describe(head, body, status)
    size = body.stored.size
    if status == 200 and not body.encoding and asked.method == "GET":
        parts = negotiate.ranges(asked.range, size, asked.if_range, body.etag, at)
        if parts is not None:
            return await _ranges(send, hot, body, head, parts)
    head.append((b"content-length", b"%d" % size))
    if asked.method == "HEAD":
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return status, 0
    if size <= SMALL_BYTES:
        data = await hot.get(body.stored)
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": data, "more_body": False})
    else:
        return await _send_path(send, hot.path(body.stored), status, head, size)
    return status, size


async def _send_path(send: Send, path: Path, status: int, head: HeaderList, size: int) -> tuple[int, int]:
    await asyncio.to_thread(path.stat)  # a lost one must be an error, not half an answer
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.pathsend", "path": str(path)})
    return status, size


def _is_known(body: Body, at: int, asked: Conditions) -> bool:
    """By its tag, or by the very date that the client was told: a release that was gone back to has an earlier one."""
    if asked.if_none_match is None and asked.if_modified_since is not None:
        return negotiate.read_date(asked.if_modified_since) == at
    return negotiate.is_known(body.etag, at, asked.if_none_match, None)


async def _empty(send: Send, status: int, head: HeaderList) -> tuple[int, int]:
    if status != 304:
        head.append((b"content-length", b"0"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return status, 0


async def _ranges(
    send: Send, hot: HotFiles, body: Body, head: HeaderList, parts: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    size = body.stored.size
    if not parts:
        head = [pair for pair in head if pair[0] != b"content-type"]
        return await _empty(send, 416, [*head, (b"content-range", b"bytes */%d" % size)])
    if len(parts) == 1:
        ((first, behind),) = parts
        head.append((b"content-range", b"bytes %d-%d/%d" % (first, behind - 1, size)))
        head.append((b"content-length", b"%d" % (behind - first)))
        if behind - first == size > SMALL_BYTES:  # `bytes=0-`, as a player begins: all of it
            return await _send_path(send, hot.path(body.stored), 206, head, size)
        pieces = _read(hot.path(body.stored), [(b"", first, behind)], b"")
        total = behind - first
    else:
        framed = multipart.frames(parts, body.type.encode(), size)
        total = sum(len(before) + behind - first for before, first, behind in framed) + len(multipart.END)
        head = [pair for pair in head if pair[0] != b"content-type"]
        head.append((b"content-type", multipart.CONTENT_TYPE))
        head.append((b"content-length", b"%d" % total))
        pieces = _read(hot.path(body.stored), framed, multipart.END)
    await send({"type": "http.response.start", "status": 206, "headers": head})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return 206, total


async def _read(path: Path, parts: Sequence[tuple[bytes, int, int]], end: bytes) -> AsyncIterator[bytes]:
    """Each part's frame and bytes, in pieces; the file is open only while it is read."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        for before, first, behind in parts:
            if before:
                yield before
            await asyncio.to_thread(file.seek, first)
            left = behind - first
            while left:
                piece = await asyncio.to_thread(file.read, min(left, _PIECE_BYTES))
                if not piece:
                    raise OSError("the file is shorter than it was")
                left -= len(piece)
                yield piece
        if end:
            yield end
    finally:
        file.close()
