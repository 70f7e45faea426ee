"""The reference as a page of the box: complete without a script, which only filters. Nothing comes from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from v8box.api.reference.outline import Field, Operation, outline

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page's Content-Security-Policy."""
ASSETS: Final = {"reference.css": "text/css; charset=utf-8", "reference.js": "text/javascript; charset=utf-8"}
_CODE: Final = re.compile(r"`([^`]+)`")


def asset(name: str) -> bytes:
    """One of the page's own files."""
    return (files("v8box.api.reference") / name).read_bytes()


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    groups = outline(document)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document['info']['title'])}</title>",
        '<link rel="stylesheet" href="/api/docs/reference.css">',
        '<script src="/api/docs/reference.js" defer></script></head><body>',
        '<a class="skip" href="#content">Skip to the operations</a>',
        f"<header><h1>{escape(document['info']['title'])}</h1>",
        *(f"<p>{_text(each)}</p>" for each in document["info"]["description"].split("\n\n")),
        '<p><a href="/api/v1/openapi.json">The OpenAPI document</a></p></header>',
        '<nav aria-label="Operations"><label for="filter" hidden>Filter</label>',
        '<input id="filter" type="search" placeholder="Filter" hidden>',
    ]
    for group in groups:
        links = "".join(
            f'<li><a href="#{escape(each.id)}"><b>{each.method}</b> {escape(each.path)}</a></li>'
            for each in group.operations
        )
        parts.append(f"<section><h2>{escape(group.name)}</h2><ul>{links}</ul></section>")
    parts.append('</nav><main id="content">')
    for group in groups:
        parts.append(f"<section><h2>{escape(group.name)}</h2>")
        for operation in group.operations:
            parts += _operation(operation)
        parts.append("</section>")
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _operation(operation: Operation) -> Iterator[str]:
    yield f'<article id="{escape(operation.id)}">'
    yield f'<h3><a href="#{escape(operation.id)}"><b class="{operation.method.lower()}">{operation.method}</b> '
    yield f"<code>{escape(operation.path)}</code></a></h3>"
    yield f"<p>{_text(operation.description or operation.summary)}</p>"
    if operation.access:
        yield f'<p class="access">May call: {_text(operation.access)}.</p>'
    yield from _table("Parameter", operation.parameters)
    if operation.body_type:
        yield f"<p>Body: <code>{escape(operation.body_type)}</code></p>"
    yield from _table("Body", operation.body)
    for status, told, fields in operation.answers:
        yield f"<h4>{escape(status)}</h4>" + (f"<p>{_text(told)}</p>" if told else "")
        yield from _table("Answer", fields)
    yield "</article>"


def _table(title: str, fields: Iterable[Field]) -> Iterator[str]:
    rows = list(fields)
    if not rows:
        return
    yield f"<table><thead><tr><th>{title}</th><th>Type</th><th>Meaning</th></tr></thead><tbody>"
    for field in rows:
        star = ' <span class="needed" title="required">*</span>' if field.required and title != "Answer" else ""
        kind, meaning = escape(field.kind), _text(field.description)
        yield f"<tr><td><code>{escape(field.name)}</code>{star}</td><td>{kind}</td><td>{meaning}</td></tr>"
    yield "</tbody></table>"


def _text(text: str) -> str:
    """Prose with `code` in it."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
