"""`_headers`: what a file says, and what a path gets of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.gateway.pages.headers import MAX_BLOCKS, Headers, TooManyBlocks, parse

TEXT = """
# all of it
/*
  X-Frame-Options: DENY
  Cache-Control: no-cache
/docs/*
  X-Robots-Tag: noindex
  Cache-Control: public
/docs/:page
  X-Page: :page
  ! X-Frame-Options
https://preview.example.com/*
  X-Preview: yes
/assets/*.js
  Cache-Control: max-age=31536000
"""


def of(path: str, host: str = "example.com", text: str = TEXT) -> dict[str, str | None]:
    blocks, ignored = parse(text)
    assert ignored == []
    return Headers(blocks).of(host, path)


def test_all_blocks_that_fit_are_merged() -> None:
    assert of("/") == {"x-frame-options": "DENY", "cache-control": "no-cache"}
    assert of("/docs/intro") == {
        "x-frame-options": None,
        "cache-control": "no-cache, public",
        "x-robots-tag": "noindex",
        "x-page": "intro",
    }
    assert of("/DOCS/a/b")["x-robots-tag"] == "noindex"
    assert of("/", "preview.example.com")["x-preview"] == "yes"
    assert of("/assets/a/app.js")["cache-control"] == "no-cache, max-age=31536000"


def test_a_host_with_a_placeholder_as_cloudflare_writes_it() -> None:
    text = "https://:project.pages.example/*\n  X-Robots-Tag: noindex\n  X-Of: :project\n"
    assert of("/a", "blog.pages.example", text) == {"x-robots-tag": "noindex", "x-of": "blog"}
    assert of("/a", "a.blog.pages.example", text) == {}


def test_letter_case_of_a_path_does_not_count_and_stays_in_a_value() -> None:
    text = "/Caf\u00c9/:Page/*\n  Link: </:Page/:splat>\n/\u00c9*\n  X-Start: :splat\n/a/*.PDF\n  X-Paper: yes\n"
    assert of("/caf%C3%A9/News/A/b", text=text) == {"link": "</News/A/b>"}
    assert of("/CAF%C3%89/News/", text=text) == {"link": "</News/>"}
    assert of("/%C3%89toile", text=text) == {"x-start": "toile"}
    assert of("/A/b/c.pdf", text=text) == {"x-paper": "yes"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("  X-A: b", "no path above"),
        ("/a\n  nonsense", "Name: value"),
        ("/a\n  Bad Name: b", "no name"),
        ("/a\n  Content-Length: 5", "box's own"),
        ("/a\n  Transfer-Encoding: chunked", "box's own"),
        ("/a\n  X-V8Box-Anything: 1", "box's own"),
        ("/a\n  Set-Cookie: a=b; Domain=example.com", "Domain"),
        ("/a\n  X-A: \x01", "cannot hold"),
        ("/a\n  X-A: \u4e2d", "cannot hold"),
        ("/a/*/b/*\n  X-A: b", "one *"),
        ("/a\n  !", "name of a header"),
    ],
)
def test_a_line_that_is_none_is_told_with_its_number(line: str, reason: str) -> None:
    blocks, ignored = parse(f"/ok\n  X-Ok: 1\n\n{line}" if line.startswith("/") else line)
    assert any(reason in told.reason for told in ignored)
    assert all(name == "x-ok" for block in blocks for name, _ in block.headers)


def test_a_bad_path_takes_its_lines_with_it() -> None:
    blocks, ignored = parse("/ok\n  A: 1\n/x/*/y/*\n  B: 2\n/fine\n  C: 3")
    assert [block.source for block in blocks] == ["/ok", "/fine"]
    assert [told.line for told in ignored] == [3, 4]


def test_blocks_have_a_bound() -> None:
    with pytest.raises(TooManyBlocks):
        parse("/a\n  A: 1\n" * (MAX_BLOCKS + 2))


@given(st.text(max_size=400), st.text(max_size=40))
def test_no_text_breaks_it_and_no_value_can_split_an_answer(text: str, path: str) -> None:
    blocks, _ = parse(text)
    for name, value in Headers(blocks).of("h", "/" + path).items():
        assert "\n" not in f"{name}{value}"
        assert "\r" not in f"{name}{value}"


@given(st.text(max_size=40))
def test_what_a_path_brings_into_a_value_is_encoded(path: str) -> None:
    blocks, _ = parse("/:a\n  X-A: :a\n/*\n  X-B: :splat")
    for value in Headers(blocks).of("h", "/" + path).values():
        assert value is not None
        assert value.isascii()
        assert value.isprintable()
