"""What becomes of one file: smaller, or left with a reason; never touched when somebody has noted its hash."""

from __future__ import annotations

import base64
import hashlib

import brotli
import pytest

from v8box.features.pages.optimise import images, script
from v8box.features.pages.optimise.wire import Reply, Request, Text
from v8box.features.pages.optimise.worker import work

CSS = b"a { color : red }\n" * 40
JS = b"// a remark\nlet a = 1\n"
PAGE = b"<html>\n    <body>\n" + b"        <p>hello</p>\n" * 40 + b"<script>\n  let a  =  1\n</script></body></html>"


@pytest.fixture(autouse=True, scope="module")
def _configured() -> None:
    script.configure()


def pin(data: bytes, name: str = "sha384") -> str:
    return f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"


def minified(kind: Text, data: bytes, *pins: str) -> Reply:
    return work(data, Request("", minify=kind, compress=True, pins=list(pins)))


def test_what_is_compressed_is_what_was_made_smaller() -> None:
    reply = minified("css", CSS)
    assert reply.content == b"a{color:red}" * 40
    assert brotli.decompress(reply.encodings["br"]) == reply.content


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_a_file_whose_hash_a_page_names_stays(name: str) -> None:
    page = f'<link rel=stylesheet href=a.css integrity="{pin(CSS, name)} {pin(JS)}">'.encode()
    pins = work(page, Request("", scan=True)).pins
    assert pins == sorted([pin(CSS, name), pin(JS)])
    reply = minified("css", CSS, *pins)
    assert (reply.content, reply.left) == (None, "")
    assert brotli.decompress(reply.encodings["br"]) == CSS


def test_a_script_in_a_page_whose_hash_a_policy_names_stays() -> None:
    assert b"<script>let a=1</script>" in (minified("html", PAGE).content or b"")
    reply = minified("html", PAGE, pin(b"\n  let a  =  1\n", "sha256"))
    assert b"<script>\n  let a  =  1\n</script>" in (reply.content or b"")
    assert b"\n<p>" in (reply.content or b"")


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("css", b"a{b:'x", "has no end"),
        ("html", b"<p title='x>", "fault"),
        ("js", b"let = {", "parser"),
        ("svg", b"<svg>", "well-formed"),
        ("html", b"\xff\xfe<\0p\0", "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_left_with_a_reason(kind: Text, data: bytes, reason: str) -> None:
    reply = minified(kind, data)
    assert reply.content is None
    assert reason in reply.left


@pytest.mark.parametrize("kind", ["html", "css", "js", "svg"])
def test_what_is_small_already_stays(kind: Text) -> None:
    data = {"html": b"<p>a</p>", "css": b"a{b:c}", "js": b"let a=1", "svg": b"<svg/>"}[kind]
    assert minified(kind, data) == Reply()


def test_a_stylesheet_with_a_source_map_stays() -> None:
    data = CSS + b"/*# sourceMappingURL=a.css.map */"
    assert minified("css", data).content is None


def test_a_broken_picture_is_left_with_a_reason() -> None:
    images.configure()
    assert "broken" in work(b"\xff\xd8\xff", Request("", picture=True)).left
