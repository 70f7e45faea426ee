"""CSS without comments and needless spaces: its tokens (CSS Syntax Level 3) stay what they are, in their order.

Nothing is rewritten, shortened or merged, so a stylesheet means the same in every browser, however odd it is.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_SPACE: Final = r"[ \t\n\r\f]"
_ESCAPE: Final = rf"\\(?:[0-9a-fA-F]{{1,6}}(?:\r\n|{_SPACE})?|[^\n\r\f0-9a-fA-F])"
_NAME: Final = rf"(?:[\w\u0080-\U0010ffff-]|{_ESCAPE})+"
_TOKEN: Final = re.compile(
    r"(?P<comment>/\*(?:[^*]|\*(?!/))*\*/)"
    rf"|(?P<space>{_SPACE}+)"
    r'|(?P<string>"(?:[^"\\\n\r\f]|\\.|\\\r\n)*"' + r"|'(?:[^'\\\n\r\f]|\\.|\\\r\n)*')"
    rf"|(?P<url>url\({_SPACE}*(?![\"' \t\n\r\f])(?:[^\"'()\\ \t\n\r\f]|{_ESCAPE})*{_SPACE}*\))"
    rf"|(?P<broken>url\({_SPACE}*(?![\"' \t\n\r\f])|/\*)"
    rf"|(?P<word>[@#]?{_NAME})"
    r"|(?P<mark>[{}();:,\[\]])"
    r"|(?P<other>[^\"'\\])",
    re.DOTALL | re.IGNORECASE,
)


class NotCss(ValueError):
    """A string, an address, a comment or an escape has no end: what a browser makes of that is not guessed."""


class _Token(NamedTuple):
    kind: str
    text: str


_COLON: Final = _Token("colon", ":")
_GAP: Final = _Token("gap", "/**/")


def minify_css(text: str) -> str:
    """Raises `NotCss`."""
    tokens = _tokens(text)
    start = 0
    for place, token in enumerate(tokens):
        if token.kind == "mark" and token.text in "{};":
            if token.text != "{":
                _declaration(tokens, start, place)
            start = place + 1
    _declaration(tokens, start, len(tokens))
    return "".join(
        " " if token.kind == "space" else token.text
        for place, token in enumerate(tokens)
        if token.kind != "space" or not _needless(tokens, place)
    )


def _tokens(text: str) -> list[_Token]:
    """The tokens without comments: between two that would become one, an empty comment stays."""
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup in (None, "broken"):
            raise NotCss
        position, kind = match.end(), str(match.lastgroup)
        token = _Token(kind, match[0])
        last = found[-1].kind if found else "space"
        if kind == "comment" and not token.text.startswith("/*!"):
            if last not in ("space", "gap", "mark", "comment"):
                found.append(_GAP)
            continue
        if last == "gap" and kind in ("space", "mark", "comment"):
            found.pop()
            last = found[-1].kind
        if kind != "space" or last != "space":
            found.append(token)
    return found


def _declaration(tokens: list[_Token], start: int, end: int) -> None:
    """Marks the colon of a declaration, which needs no space around it, other than a selector's. The value of a custom
    property is for scripts to read, too: the spaces in it stay."""
    shown = [place for place in range(start, end) if tokens[place].kind not in ("space", "gap", "comment")]
    if len(shown) < 2 or tokens[shown[0]].kind != "word" or tokens[shown[1]].text != ":":
        return
    name, colon = tokens[shown[0]].text, shown[1]
    if not name.startswith("--"):
        tokens[colon] = _COLON
        return
    for place in range(colon + 1, end):
        if tokens[place].kind == "space":
            tokens[place] = _Token("kept", " ")


def _needless(tokens: list[_Token], place: int) -> bool:
    """Whether a space may go: at the ends, at a brace, semicolon, comma or declaration's colon, inside brackets."""
    if place in (0, len(tokens) - 1):
        return True
    before, after = tokens[place - 1], tokens[place + 1]
    if before.kind == "colon" or after.kind == "colon":
        return True
    if before.kind == "mark" and before.text in "{};,([":
        return True
    return after.kind == "mark" and after.text in "{};,)]"
