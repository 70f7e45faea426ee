"""A smaller stylesheet is the same tokens in the same order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.pages.optimise.css import NotCss, minify_css

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRING_OR_URL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|url\([^"\')]*\)', re.DOTALL)


@pytest.mark.parametrize(
    ("text", "smaller"),
    [
        ("a { color : red ; }\n\n b > c { margin: 0 auto }\n", "a{color:red;}b > c{margin:0 auto}"),
        ("/* gone */a/**/b{}", "a/**/b{}"),
        ("a /* gone */ b{}", "a b{}"),
        ("/*! licence */\na{}", "/*! licence */ a{}"),
        (".a :hover , .b:not( .c ) { x : y }", ".a :hover,.b:not(.c){x:y}"),
        (".x { & a:hover { x : y } & .z { } }", ".x{& a:hover{x:y}& .z{}}"),
        ("a{width:calc( 1px + ( 2px - -1px ) )}", "a{width:calc(1px + (2px - -1px))}"),
        ('a { content : "a  b /* x */ ; }" }', 'a{content:"a  b /* x */ ; }"}'),
        ('a{b:url( "x  y.png" )}', 'a{b:url("x  y.png")}'),
        ("a{b:url(data:image/png;base64,//8/*=)}", "a{b:url(data:image/png;base64,//8/*=)}"),
        ("a{--x: ;--y:  1px   2px ;}", "a{--x: ;--y: 1px 2px ;}"),
        (
            "@media ( min-width : 1px )  and (width < 3px) { a { b : c } }",
            "@media (min-width : 1px) and (width < 3px){a{b:c}}",
        ),
        ('@charset "utf-8";\n@import url(x.css);', '@charset "utf-8";@import url(x.css);'),
        (".\\31  a , .b\\:c{}", ".\\31  a,.b\\:c{}"),
        ("", ""),
        ("   \n", ""),
    ],
)
def test_what_goes_and_what_stays(text: str, smaller: str) -> None:
    assert minify_css(text) == smaller


@pytest.mark.parametrize("text", ["a{content:'x", "/* no end", "a{b:url( x y )}", 'a{b:"x\n"}', "a\\\n{}", "url(a'b)"])
def test_what_browsers_mend_in_their_own_way_is_left(text: str) -> None:
    with pytest.raises(NotCss):
        minify_css(text)


def shown(text: str) -> list[str]:
    """The stylesheet without what means nothing, told in another way than the one that is tested."""
    parts: list[str] = []
    position = 0
    for match in _STRING_OR_URL.finditer(text):
        parts += [text[position : match.start()], match[0]]
        position = match.end()
    parts.append(text[position:])
    for place in range(0, len(parts), 2):
        plain = re.sub(r"\s+", " ", _COMMENT.sub(" ", parts[place]))
        parts[place] = re.sub(r" ?([{};,]) ?", r"\1", plain)
    # around a colon and within brackets a space is of no meaning in what is generated here
    return re.sub(r" ?([:)]) ?|([(:]) ?", r"\1\2", "".join(parts)).strip().split(" ")


_SPACE = st.sampled_from(["", " ", "\n  ", "\t", " /* a remark; */ ", "\r\n"])
_VALUE = st.sampled_from(
    ["red", "1px solid #fff", '"a  ; } b"', "url(x.png)", "calc(1px + 2px)", "a , b", "'it\\'s'", "var(--x, 1px)"]
)
_SELECTOR = st.sampled_from([".a .b", "#c > d", "a , b", "li:nth-child( 2n + 1 )", "[x='a  b'] e", "*", "a + b ~ c"])


@st.composite
def sheets(draw: st.DrawFn) -> str:
    def space() -> str:
        return draw(_SPACE)

    text = space()
    for _ in range(draw(st.integers(0, 4))):
        text += draw(_SELECTOR) + space() + "{" + space()
        for _ in range(draw(st.integers(0, 3))):
            text += draw(st.sampled_from(["color", "margin", "--x"])) + ":" + space() + draw(_VALUE) + space() + ";"
            text += space()
        text += "}" + space()
    return text


@given(sheets())
def test_the_meaning_stays(text: str) -> None:
    smaller = minify_css(text)
    assert shown(smaller) == shown(text)
    assert len(smaller) <= len(text)
    assert minify_css(smaller) == smaller


@given(st.text(alphabet="ab{}:;,()[]/*\"' \n\\-@#.%!&>é\0", max_size=60))
def test_whatever_comes(text: str) -> None:
    try:
        smaller = minify_css(text)
    except NotCss:
        return
    assert len(smaller) <= len(text)
    if "/*" not in text and '"' not in text and "'" not in text:
        assert "".join(smaller.split()) == "".join(text.split())
