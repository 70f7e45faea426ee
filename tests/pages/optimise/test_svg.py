"""A smaller drawing is the same elements, attributes and texts, but for comments, editors' notes and indentation."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.pages.optimise.svg import NotSvg, minify_svg

NS = 'xmlns="http://www.w3.org/2000/svg"'


def outline(element: ElementTree.Element) -> object:
    texts = element.tag.rpartition("}")[2] in ("text", "tspan", "title", "style")
    parts = [element.text or "", *(child.tail or "" for child in element)]
    shown = parts if texts else [part.strip() for part in parts]
    return element.tag, sorted(element.attrib.items()), shown, [outline(child) for child in element]


@pytest.mark.parametrize(
    ("text", "smaller"),
    [
        (f"<svg {NS}>\n  <g>\n    <path d='M 0 0'/>\n  </g>\n</svg>\n", f"<svg {NS}><g><path d='M 0 0'/></g></svg>"),
        (f"<svg {NS}><!-- x --><g/> <!-- y\r\nz --></svg>", f"<svg {NS}><g/></svg>"),
        (f"<svg {NS}><text> a <tspan> b</tspan> </text> </svg>", f"<svg {NS}><text> a <tspan> b</tspan> </text></svg>"),
        (f"<svg\n  {NS}\n  width = '1' >\n</svg>", f"<svg {NS} width='1'></svg>".replace("width='1'", "width='1'")),
        (f"<svg {NS}><metadata><a> x </a></metadata><g><metadata/></g><b/></svg>", f"<svg {NS}><g></g><b/></svg>"),
        (f"<svg {NS}><style>/* x */ a > b {{}}</style></svg>", f"<svg {NS}><style>/* x */ a > b {{}}</style></svg>"),
        (
            f"<svg {NS}><style><![CDATA[ a > b ]]> </style></svg>",
            f"<svg {NS}><style><![CDATA[ a > b ]]> </style></svg>",
        ),
        (f"<?xml version='1.0'?>\n<svg {NS}/>", f"<?xml version='1.0'?><svg {NS}/>"),
        (f"<svg {NS} xml:space='preserve'> <g/> </svg>", f"<svg {NS} xml:space='preserve'> <g/> </svg>"),
        (
            f'<svg {NS} xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" inkscape:version="1">'
            "<inkscape:grid><g/></inkscape:grid> <g inkscape:label='x' id='y'/></svg>",
            f"<svg {NS} xmlns:inkscape=\"http://www.inkscape.org/namespaces/inkscape\"><g id='y'/></svg>",
        ),
        (f"<svg {NS} title='a > b'/>", f"<svg {NS} title='a > b'/>"),
    ],
)
def test_what_goes_and_what_stays(text: str, smaller: str) -> None:
    assert minify_svg(text.encode()).decode() == smaller


BOMB = """<!DOCTYPE svg [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><svg>&b;</svg>"""


@pytest.mark.parametrize(
    "text", ["", "<svg>", "no", "<svg a=1/>", "<svg><g></svg>", BOMB, "<?xml version='1.0' encoding='latin-1'?><svg/>"]
)
def test_what_is_no_plain_drawing_is_left(text: str) -> None:
    with pytest.raises(NotSvg):
        minify_svg(text.encode())


_SPACE = st.sampled_from(["", " ", "\n    ", "<!-- a -->", "\n<!-- b -->\n"])


@st.composite
def drawings(draw: st.DrawFn, depth: int = 3) -> str:
    text = draw(_SPACE)
    for _ in range(draw(st.integers(0, 3))):
        tag = draw(st.sampled_from(["g", "path", "text", "a", "style"]))
        attributes = draw(st.sampled_from(["", ' d="M 0 0\n L 1 1"', "\n fill='red'\n", ' id="x"  class="a  b"']))
        if draw(st.booleans()) or depth == 0:
            text += f"<{tag}{attributes}/>"
        elif tag in ("text", "style"):
            text += f"<{tag}{attributes}>{draw(st.sampled_from([' a  b ', 'x', '&lt; é']))}</{tag}>"
        else:
            text += f"<{tag}{attributes}>{draw(drawings(depth - 1))}</{tag}>"
        text += draw(_SPACE)
    return text


@given(drawings())
def test_the_drawing_stays(inner: str) -> None:
    text = f"<svg {NS}>{inner}</svg>".encode()
    smaller = minify_svg(text)
    assert outline(ElementTree.fromstring(smaller)) == outline(ElementTree.fromstring(text))
    assert len(smaller) <= len(text)
    assert minify_svg(smaller) == smaller


@given(st.binary(max_size=60) | st.text(alphabet="<>/svg=\"' !-[]?", max_size=60).map(str.encode))
def test_whatever_comes(data: bytes) -> None:
    try:
        assert len(minify_svg(data)) <= len(data)
    except NotSvg:
        pass
