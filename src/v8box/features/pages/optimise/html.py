"""HTML without indentation and remarks; scripts and styles in it minified. Every tag stays as it is, to the byte.

Line breaks stay line breaks, so text that a stylesheet shows with them keeps them. Comments that frameworks, servers or
old browsers read stay: only remarks in plain words go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from v8box.features.pages.optimise.css import NotCss, minify_css

_TOKEN: Final = re.compile(
    r"(?P<comment><!--(?:>|->|.*?--!?>))"
    r"|(?P<cdata><!\[CDATA\[.*?\]\]>)"
    r"|(?P<declaration><[!?](?!--|\[CDATA\[)[^>]*>)"
    r"|(?P<tag><(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*)(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>)"
    r"|(?P<text>[^<]+|<(?![a-zA-Z/!?]))",
    re.DOTALL,
)
_VALUE: Final = re.compile(r"=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"'][^\s>]*)")
_RAW: Final = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})
_FOREIGN: Final = frozenset({"svg", "math"})
_AS_IT_IS: Final = frozenset({"pre", "listing"})
_INDENTATION: Final = re.compile(r"[ \t\r\f]*\n\s*")
_REMARK: Final = re.compile(r"\s*[A-Za-z]{2,}[,.:;]?\s+[A-Za-z]{2,}")
_READ: Final = re.compile(r"\s*(?:ko|lit|esi|ng|react|vue|svelte|google\w*|end\s?cache)\b", re.IGNORECASE)
_SCRIPT: Final = frozenset({"", "module", "text/javascript", "application/javascript", "text/ecmascript"})
_TYPE: Final = re.compile(r"""\stype\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE)


class NotHtml(ValueError):
    """The markup has a fault that browsers mend in their own way: nothing of it is changed."""


Script = Callable[[str], str]
"""Makes a script smaller; gives it back as it is if that cannot be done."""


def minify_html(text: str, script: Script, style: Script) -> str:
    """Raises `NotHtml`."""
    out: list[str] = []
    position = untouched = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotHtml
        position, token = match.end(), match[0]
        match match.lastgroup:
            case "text":
                out.append(token if untouched else _INDENTATION.sub("\n", token))
            case "comment":
                if untouched or not _is_remark(token):
                    out.append(token)
            case "tag":
                _check_quotes(match["attributes"])
                name = match["name"].lower()
                out.append(token)
                if name == "plaintext":
                    raise NotHtml
                if match["end"]:
                    untouched = max(0, untouched - (name in _AS_IT_IS))
                elif name in _AS_IT_IS:
                    untouched += 1
                elif name in _FOREIGN and not token.endswith("/>"):
                    position = _after_foreign(text, name, position)
                    out.append(text[match.end() : position])
                elif name in _RAW:
                    position = _raw_end(text, name, position)
                    out.append(_raw(name, match["attributes"], text[match.end() : position], script, style))
            case _:
                out.append(token)
    return "".join(out)


def _is_remark(comment: str) -> bool:
    content = comment[4:-3]
    return _REMARK.match(content) is not None and _READ.match(content) is None


def _check_quotes(attributes: str) -> None:
    rest = _VALUE.sub("", attributes)
    if '"' in rest or "'" in rest or "<" in rest:
        raise NotHtml


def _raw_end(text: str, name: str, start: int) -> int:
    """Where the end tag of an element begins whose content is no markup."""
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, start)
    if end is None:
        raise NotHtml
    content = text[start : end.start()].lower()
    if name == "script" and "<!--" in content and "<script" in content:
        raise NotHtml  # it may end elsewhere
    return end.start()


def _after_foreign(text: str, name: str, start: int) -> int:
    """Where a drawing or a formula ends: other rules hold in there."""
    depth = 1
    for match in re.compile(rf"<!--.*?--!?>|<(/?){name}(?=[\s/>])[^>]*?(/?)>", re.IGNORECASE | re.DOTALL).finditer(
        text, start
    ):
        if match[1] is None or match[2]:
            continue
        depth += -1 if match[1] else 1
        if depth == 0:
            return match.end()
    raise NotHtml


def _raw(name: str, attributes: str, content: str, script: Script, style: Script) -> str:
    if name == "style":
        return _within(name, style(content), content)
    if name == "script" and content.strip() and not re.search(r"\ssrc\s*=", attributes, re.IGNORECASE):
        found = _TYPE.search(attributes)
        kind = (found[1] or found[2] or found[3] or "").strip().lower() if found else ""
        if kind in _SCRIPT:
            return _within(name, script(content), content)
    return content


def _within(name: str, smaller: str, content: str) -> str:
    """What was made smaller, unless it would end the element, or begin a comment in it."""
    lowered = smaller.lower()
    return content if "<!--" in lowered or f"</{name}" in lowered else smaller


def minify_style(content: str) -> str:
    """The content of a style element."""
    try:
        return minify_css(content)
    except NotCss:
        return content
