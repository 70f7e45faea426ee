"""The optimiser process: `python -m v8box.features.pages.optimise.worker <folder of the store>`.

It reads requests from the socket that is its standard input and ends when that closes. It only reads the store's files
and computes; whatever a file does to it, it is started again for the next one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from v8box.features.pages.optimise import images, script
from v8box.features.pages.optimise.compress import compress
from v8box.features.pages.optimise.css import NotCss, minify_css
from v8box.features.pages.optimise.html import NotHtml, minify_html, minify_style
from v8box.features.pages.optimise.images import NotPicture
from v8box.features.pages.optimise.recipes import MIN_BYTES
from v8box.features.pages.optimise.script import NotScript, minify_js
from v8box.features.pages.optimise.svg import NotSvg, minify_svg
from v8box.features.pages.optimise.wire import PREFIX, Reply, Request, Text, frame

_PIN: Final = re.compile(rb"sha(?:256|384|512)-[A-Za-z0-9+/_-]{43,88}={0,2}")
_MAX_PINS: Final = 10_000
_MAPPED: Final = re.compile(rb"[#@]\s*sourceMappingURL=")


def pins_of(data: bytes) -> set[str]:
    """The hashes of other bytes that a text names, as Subresource Integrity and Content-Security-Policy have them."""
    return {match[0].decode() for match in _PIN.finditer(data)}


def is_pinned(data: bytes, pins: Collection[str]) -> bool:
    """Whether somebody has noted the hash of these bytes, so that they must not change."""
    return bool(pins) and any(
        f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}" in pins
        for name in ("sha256", "sha384", "sha512")
    )


def work(data: bytes, request: Request) -> Reply:
    """What becomes of one file."""
    if request.scan:
        return Reply(pins=sorted(pins_of(data))[:_MAX_PINS])
    if request.picture:
        try:
            return Reply(variants=images.variants(data))
        except NotPicture as error:
            return Reply(left=str(error))
    content, left = None, ""
    if request.minify is not None and not is_pinned(data, request.pins):
        try:
            smaller = _minify(data, request.minify, frozenset(request.pins))
            content = smaller if len(smaller) < len(data) else None
        except (NotCss, NotHtml, NotSvg, NotScript, UnicodeDecodeError) as error:
            left = _reason(error)
    final = data if content is None else content
    return Reply(content, compress(final) if request.compress and len(final) >= MIN_BYTES else {}, {}, [], left)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return str(error) or " ".join((type(error).__doc__ or "").split())


def _minify(data: bytes, kind: Text, pins: frozenset[str]) -> bytes:
    if kind == "svg":
        return minify_svg(data)
    text = data.decode("utf-8")
    if kind == "css":
        return data if _MAPPED.search(data) else minify_css(text).encode()
    if kind == "js":
        return minify_js(text).encode()

    def within(smaller: script.Minify, content: str) -> str:
        return content if is_pinned(content.encode(), pins) else smaller(content)

    return minify_html(
        text, lambda content: within(_inline_script, content), lambda content: within(minify_style, content)
    ).encode()


def _inline_script(content: str) -> str:
    try:
        return minify_js(content)
    except NotScript:
        return content


def serve(connection: socket.socket, store: Path) -> None:
    """Answers one request after the other until the box closes the socket."""
    decoder = msgspec.msgpack.Decoder(Request)
    stream = connection.makefile("rb")
    while len(prefix := stream.read(PREFIX.size)) == PREFIX.size:
        request = decoder.decode(stream.read(PREFIX.unpack(prefix)[0]))
        try:
            data = (store / request.key[:2] / request.key[2:]).read_bytes()
            reply = work(data, request)
        except MemoryError:
            reply = Reply(left="it needs too much memory")
        except OSError as error:
            reply = Reply(left=f"it cannot be read: {error.strerror}")
        connection.sendall(frame(reply))


def main() -> None:
    images.configure()
    script.configure()
    serve(socket.socket(fileno=sys.stdin.fileno()), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
