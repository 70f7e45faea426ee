"""A smaller page is the same elements with the same attributes and the same text, but for indentation and remarks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.pages.optimise.html import NotHtml, minify_html


def same(text: str) -> str:
    return text


def minified(text: str) -> str:
    return minify_html(text, same, same)


class Outline(HTMLParser):
    """What a page consists of: tags, and texts without their indentation."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        if self.found and isinstance(self.found[-1], list):
            data = self.found.pop()[0] + data  # type: ignore[index] # a remark stood between
        self.found.append([re.sub(r"\s*\n\s*", "\n", data)])


@pytest.mark.parametrize(
    ("text", "smaller"),
    [
        ("<ul>\n    <li>a\n    <li>b\n</ul>\n", "<ul>\n<li>a\n<li>b\n</ul>\n"),
        ("<p>two  spaces <b> x </b>  stay</p>", "<p>two  spaces <b> x </b>  stay</p>"),
        ("<pre>\n   a\n     b\n</pre>\n   c", "<pre>\n   a\n     b\n</pre>\nc"),
        ("<pre>\n   <b>\n   x</b></pre>", "<pre>\n   <b>\n   x</b></pre>"),
        ("<textarea>\n   a <b>\n  </textarea>", "<textarea>\n   a <b>\n  </textarea>"),
        ("<script src=x>\n   </script>", "<script src=x>\n   </script>"),
        ("<svg>\n   <text>\n   a</text>\n</svg>\n  b", "<svg>\n   <text>\n   a</text>\n</svg>\nb"),
        ("<!-- the end of it -->a<!-- /wrapper -->", "a<!-- /wrapper -->"),
        ("<!--[if IE]>\n  x\n<![endif]-->", "<!--[if IE]>\n  x\n<![endif]-->"),
        ("<p>a<!-- -->b<!----><!--$--><!--]--><!--lit-part x=--><!-- ko if: a b -->", None),
        ('<!--#include virtual="x" --><!--esi a b --><!-- ngh a -->', None),
        ("<a title='a > b'\n   href=x\n>", "<a title='a > b'\n   href=x\n>"),
        ("a < b\n   c <3 &lt;", "a < b\nc <3 &lt;"),
        ("<![CDATA[ x\n   y ]]>", None),
    ],
)
def test_what_goes_and_what_stays(text: str, smaller: str | None) -> None:
    assert minified(text) == (text if smaller is None else smaller)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- no end",
        "<p title='no end>",
        '<a b"c>',
        "<script>no end",
        "<svg><g>",
        "<plaintext>x",
        "<div",
        "<script><!-- <script> </script>",
        "<a title=x\"y'z>",
        "<p <b>",
    ],
)
def test_what_browsers_mend_in_their_own_way_is_left(text: str) -> None:
    with pytest.raises(NotHtml):
        minified(text)


def test_scripts_and_styles_are_given_to_who_can() -> None:
    text = (
        "<script>a</script><SCRIPT type=module>b</SCRIPT><script type='application/ld+json'>c</script>"
        '<script type="text/template">d</script><script async src="x">e</script><style media=print>f</style>'
    )
    found = minify_html(text, lambda content: f"[{content}]", lambda content: f"({content})")
    assert re.findall(r">(\W?\w\W?)<", found) == ["[a]", "[b]", "c", "d", "e", "(f)"]


@pytest.mark.parametrize("hostile", ["x</script>y", "a<!--b", "</SCRIPT >"])
def test_nothing_that_would_end_a_script_gets_into_it(hostile: str) -> None:
    assert minify_html("<script>a  b</script>", lambda _: hostile, same) == "<script>a  b</script>"


_TEXT = st.sampled_from(["a", " b ", "\n    ", "x\n\n  y", "&amp;", "1 < 2 ", "é"])
_TAG = st.sampled_from(["div", "b", "p", "pre", "custom-element", "textarea", "title"])


@st.composite
def pages(draw: st.DrawFn, depth: int = 3) -> str:
    text = ""
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["text", "element", "remark", "void"]))
        if kind == "element" and depth:
            tag = draw(_TAG)
            inner = draw(_TEXT).replace("<", "") if tag in ("textarea", "title") else draw(pages(depth - 1))
            attributes = draw(st.sampled_from(["", " class='a  b'", ' title="x > y"', "\n  id=c", " hidden"]))
            text += f"<{tag}{attributes}>{inner}</{tag}>"
        elif kind == "remark":
            text += "<!-- words of no use -->"
        elif kind == "void":
            text += draw(st.sampled_from(["<br>", "<img src=a>", "<input disabled/>"]))
        else:
            text += draw(_TEXT)
    return text


@given(pages())
def test_the_page_stays(text: str) -> None:
    smaller = minified(text)
    assert Outline(smaller).found == Outline(text).found
    assert len(smaller) <= len(text)


@given(st.text(alphabet="<>/!-ab\"'= \n\t[]&é\0", max_size=80))
def test_whatever_comes(text: str) -> None:
    try:
        smaller = minified(text)
    except NotHtml:
        return
    assert len(smaller) <= len(text)
    assert "".join(smaller.split()) == "".join(text.split())
