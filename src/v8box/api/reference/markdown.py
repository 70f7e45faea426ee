"""The reference as docs/api-reference.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from v8box.api.reference.outline import Field, Operation, outline

_HEAD: Final = """\
# API reference

Every address of the admin API, made from its OpenAPI document by `make gen`. The document itself is at
`/api/v1/openapi.json`, and this reference as a page of the box at `/api/docs`. [REST API](rest-api.md) has what all
addresses have in common.
"""


def markdown(document: Mapping[str, Any]) -> str:
    """The whole page. The same document gives the same text."""
    lines = [_HEAD]
    for group in outline(document):
        lines += [f"## {group.name[:1].upper()}{group.name[1:]}", ""]
        for operation in group.operations:
            lines += [*_operation(operation), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _operation(operation: Operation) -> Iterator[str]:
    yield f"### `{operation.method} {operation.path}`"
    yield ""
    yield _text(operation.description or operation.summary)
    if operation.access:
        yield ""
        yield f"*May call:* {operation.access}."
    yield from _table("Parameter", operation.parameters)
    if operation.body or operation.body_type:
        yield from _table("Body", operation.body, operation.body_type)
    for status, told, fields in operation.answers:
        yield ""
        yield f"**{status}**{f' {_text(told)}' if told else ''}"
        yield from _table("Answer", fields)


def _table(title: str, fields: Iterable[Field], note: str = "") -> Iterator[str]:
    rows = list(fields)
    if note:
        yield ""
        yield f"Body: `{note}`."
    if rows:
        yield ""
        yield f"| {title} | Type | Meaning |"
        yield "|---|---|---|"
        for field in rows:
            star = " *" if field.required and title != "Answer" else ""
            yield f"| `{field.name}`{star} | {_cell(field.kind)} | {_cell(field.description)} |"


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|").replace("\n", " ")


def _text(text: str) -> str:
    return text.replace("<", "&lt;").replace("&lt;", "`<`") if "<" in text and "`" not in text else text
