"""An error as a page, for people who look at a site: problem details are for programs."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import msgspec

from v8box.gateway.errors import ErrorAnswer

_HEADERS: Final = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Accept"),
]
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1.5rem}}
h1{{font-size:1.5rem}} small{{opacity:.65}}</style>
</head>
<body>
<h1>{title}</h1>
<p>{detail}</p>
<p><small>{status} &middot; {request_id}</small></p>
</body>
</html>
"""


def wants_page(accept: str | None) -> bool:
    """Whether a browser shows what it is answered: only then does it name HTML."""
    return accept is not None and "text/html" in accept.lower()


def as_page(answer: ErrorAnswer) -> None:
    """Turns the answer into a page that says the same."""
    fields: dict[str, Any] = msgspec.json.decode(answer.body)
    shown = {name: escape(str(fields.get(name, ""))) for name in ("title", "detail", "status", "request_id")}
    answer.body = _PAGE.format(**shown).encode()
    answer.headers = [pair for pair in answer.headers if pair[0] != b"content-type"] + _HEADERS
