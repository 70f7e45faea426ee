"""JavaScript without comments and needless spaces, by a parser; names stay. Only in the optimiser process."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import minify

Minify = Callable[[str], str]

_MAPPED: Final = re.compile(r"[#@]\s*sourceMappingURL=")
_QUOTING: Final = re.compile(r"/\*(?:[^*]|\*(?!/))*\*/\s*\}\s*\)?\s*\.toString\(")
"""The old way to write a text of many lines: as the comment of a function that is asked for its source."""


class NotScript(ValueError):
    """It is no script that the parser knows, or one that has to stay as it is."""


def configure() -> None:
    minify.config({"js-keep-var-names": True})


def minify_js(text: str) -> str:
    """Raises `NotScript`. A script that has a source map, or whose comments are texts, is not touched."""
    if "\0" in text or text.startswith("#!") or _MAPPED.search(text) or _QUOTING.search(text):
        raise NotScript
    try:
        smaller: str = minify.string("text/javascript", text)
        if text.strip() and smaller.strip():
            minify.string("text/javascript", smaller)  # what comes out is a script again
    except minify.MinifyError as error:
        raise NotScript from error
    return smaller
