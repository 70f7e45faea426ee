"""The `services` binding: other workers of the same project and environment, for `env.<NAME>.fetch()`.

Only workers that the manifest names. The call never leaves the box: there is no socket, no TLS, no public address.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from v8box.bindings.interface import Answer, BindingError, Call, StatelessBinding
from v8box.bindings.services.interface import CallService, ServiceRequest

MAX_URL: Final = 16_384
MAX_HEADER_BYTES: Final = 65_536
_METHOD: Final = re.compile(r"(?!(?i:CONNECT|TRACE|TRACK)$)[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FORBIDDEN: Final = re.compile("[\r\n\x00]|[^\x00-\xff]")


class _Fetch(msgspec.Struct):
    """One call, as the client sends it."""

    service: str
    url: str
    method: str = "GET"
    headers: list[tuple[str, str]] = []
    length: int | None = None


class ServicesBinding(StatelessBinding):
    """`fetch` asks the box for a run."""

    name: ClassVar[str] = "services"

    def __init__(self, call_service: CallService) -> None:
        self._call_service = call_service

    async def call(self, call: Call) -> Answer:
        if call.operation != "fetch":
            raise BindingError("unknown_operation", f"services has no operation {call.operation[:40]!r}")
        request = _read(call)
        if call.span is not None:
            call.span.what = request.service
        answer = await self._call_service(request)
        if call.span is not None:
            call.span.status = answer.status
        body = None if isinstance(answer.body, bytes) and not answer.body else answer.body
        return Answer({"status": answer.status, "headers": [list(pair) for pair in answer.headers]}, body)


def _read(call: Call) -> ServiceRequest:
    try:
        asked = msgspec.convert(call.args, _Fetch)
        parts = urlsplit(asked.url[: MAX_URL + 1])
        _ = parts.port  # raises when it is no number
    except (msgspec.ValidationError, ValueError) as error:
        raise BindingError("invalid_argument", f"fetch: {error}") from error
    if asked.service not in call.scope.grants.get("services", frozenset()):
        raise BindingError(
            "service_not_granted", f"the manifest does not have the worker {asked.service[:63]!r}: bind it"
        )
    if len(asked.url) > MAX_URL:
        raise BindingError("invalid_argument", f"a URL has up to {MAX_URL} characters")
    if parts.scheme not in ("http", "https") or not parts.hostname or not asked.url.isascii():
        raise BindingError("invalid_argument", "a URL begins with http:// or https:// and a host")
    if not asked.url.isprintable() or " " in asked.url:
        raise BindingError("invalid_argument", "a URL holds neither spaces nor control characters")
    if not _METHOD.fullmatch(asked.method):
        raise BindingError("invalid_argument", f"{asked.method[:32]!r} is no method that a worker answers")
    if sum(len(name) + len(value) for name, value in asked.headers) > MAX_HEADER_BYTES:
        raise BindingError("invalid_argument", f"the headers have up to {MAX_HEADER_BYTES} characters together")
    for name, value in asked.headers:
        if not _NAME.fullmatch(name) or _FORBIDDEN.search(value):
            raise BindingError("invalid_argument", f"{name[:64]!r} is no header that can be sent")
    return ServiceRequest(
        caller=call.scope,
        service=asked.service,
        method=asked.method,
        url=asked.url,
        headers=[(name.lower(), value) for name, value in asked.headers],
        body=call.body,
        origin=call.origin,
        span=call.span,
        length=asked.length if asked.length is not None and 0 <= asked.length < 1 << 53 else None,
    )
