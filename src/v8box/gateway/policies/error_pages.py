"""What browsers are shown instead of the box's own errors. Status and headers stay; programs get their JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Final

from v8box.catalog.policies import ErrorPage
from v8box.gateway.errors import ErrorAnswer
from v8box.gateway.policies.refusals import HeaderList

_STATUS: Final = "{{status}}"
_REQUEST_ID: Final = "{{request_id}}"


class Pages:
    """By status; `4xx` and `5xx` for those that have none of their own."""

    __slots__ = ("_pages",)

    def __init__(self, pages: Mapping[str, ErrorPage]) -> None:
        self._pages = dict(pages)

    def put_on(self, answer: ErrorAnswer, request: Mapping[str, str], sandboxed: HeaderList) -> None:
        """Gives the answer the page of its status, if a browser asks and what it says is the box's own word."""
        if answer.workers_own or not _wants_html(request.get("accept", "")):
            return
        page = self._pages.get(str(answer.status)) or self._pages.get(f"{answer.status // 100}xx")
        if page is None:
            return
        is_html = page.file.endswith(".html")
        request_id = next((value.decode("latin-1") for name, value in answer.headers if name == b"x-request-id"), "")
        shown = html.escape(request_id) if is_html else json.dumps(request_id)[1:-1]
        answer.body = page.text.replace(_STATUS, str(answer.status)).replace(_REQUEST_ID, shown).encode()
        content_type = b"text/html; charset=utf-8" if is_html else b"application/json; charset=utf-8"
        answer.headers = [pair for pair in answer.headers if pair[0] != b"content-type"]
        answer.headers += [(b"content-type", content_type), (b"x-content-type-options", b"nosniff"), *sandboxed]


class NoPages:
    """The box's errors as they are."""

    __slots__ = ()

    def put_on(self, answer: ErrorAnswer, request: Mapping[str, str], sandboxed: HeaderList) -> None:
        """Nothing."""


def _wants_html(accept: str) -> bool:
    """Whether HTML is asked for before JSON, as browsers do; `*/*` alone is a program's."""
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/html" not in names:
        return False
    return not any("json" in name for name in names[: names.index("text/html")])


def compile_pages(pages: Mapping[str, ErrorPage]) -> Pages | NoPages:
    return Pages(pages) if pages else NoPages()
