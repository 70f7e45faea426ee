"""Answering from an entry: whole, by its head, a part of it, or that the client has it already."""

from __future__ import annotations

from typing import Final

from v8box.gateway.cache.call import CacheCall
from v8box.gateway.cache.entries import Entry, HeaderList, without_cache_headers
from v8box.gateway.headers import SERVER
from v8box.gateway.pages import multipart, negotiate

NAME: Final = b"v8box; "
_EMPTY: Final = (204, 304)


async def send_entry(call: CacheCall, entry: Entry, now: float, told: bytes) -> None:
    """Answers a GET or HEAD. `told` is what Cache-Status says."""
    call.told = told
    kept = entry.headers if call.finish is None else call.finish(entry.headers.copy())
    headers = [
        *kept,
        SERVER,
        (b"x-request-id", call.request_id),
        (b"age", b"%d" % entry.age(now)),
        (b"cache-status", NAME + told),
        *call.extra,
    ]
    status, body = entry.status, entry.body
    if status == 200 and call.found:
        status, body = _conditional(call, entry, headers)
    if status == 304:
        headers = [pair for pair in headers if not pair[0].startswith(b"content-") or pair[0] == b"content-location"]
    elif status not in _EMPTY:
        headers.append((b"content-length", b"%d" % len(body)))
    if call.method == "HEAD":
        body = b""
    call.status = status
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": body, "more_body": False})


def _conditional(call: CacheCall, entry: Entry, headers: HeaderList) -> tuple[int, bytes]:
    """The status and the body for a client that has the answer already, or wants a part of it."""
    found = call.found
    etag = entry.etag or ""
    changed = None if entry.last_modified is None else negotiate.read_date(entry.last_modified)
    if_none_match = found.get("if-none-match")
    since = None if changed is None else found.get("if-modified-since")
    if if_none_match is not None or since is not None:
        if negotiate.is_known(etag.removeprefix("W/"), changed or 0, if_none_match, since):
            return 304, b""
    if call.method != "GET" or "range" not in found:
        return 200, entry.body
    strong = "" if etag.startswith("W/") else etag
    size = len(entry.body)
    at = -1 if changed is None else changed
    parts = negotiate.ranges(found["range"], size, found.get("if-range"), strong, at)
    if parts is None:
        return 200, entry.body
    if not parts:
        headers.append((b"content-range", b"bytes */%d" % size))
        return 416, b""
    if len(parts) > 1:
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        headers[:] = [pair for pair in headers if pair[0] != b"content-type"]
        headers.append((b"content-type", multipart.CONTENT_TYPE))
        framed = multipart.frames(parts, kind, size)
        return 206, b"".join(before + entry.body[first:behind] for before, first, behind in framed) + multipart.END
    ((first, behind),) = parts
    headers.append((b"content-range", b"bytes %d-%d/%d" % (first, behind - 1, size)))
    return 206, entry.body[first:behind]


def pass_on(call: CacheCall, headers: HeaderList, told: bytes) -> HeaderList:
    """The headers of an answer that comes from elsewhere, as this client gets them."""
    call.told = told
    kept = without_cache_headers(headers)
    if call.finish is not None:
        kept = call.finish(kept)
    return [*kept, (b"cache-status", NAME + told), *call.extra]
