"""What the `services` binding lets through to the box, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from v8box.bindings.interface import Answer, BindingError, Call, Scope
from v8box.bindings.services.binding import MAX_HEADER_BYTES, MAX_URL, ServicesBinding
from v8box.bindings.services.interface import ServiceAnswer, ServiceRequest
from v8box.telemetry.meter import Span
from v8box.telemetry.origin import Origin

SCOPE = Scope("acme", "shop", "v", "staging", "r1", {"services": frozenset({"api"})})
ORIGIN = Origin("q1", "1.2.3.4", f"00-{'a' * 32}-{'b' * 16}-01")


class Box:
    def __init__(self) -> None:
        self.asked: list[ServiceRequest] = []

    async def call(self, request: ServiceRequest) -> ServiceAnswer:
        self.asked.append(request)
        return ServiceAnswer(status=201, headers=[("x-a", "1")], body=b"bytes")


async def fetch(box: Box, **args: Any) -> Answer:
    asked = {"service": "api", "url": "http://api/", **args}
    span = Span("services", "fetch", 0.0)
    answer = await ServicesBinding(box.call).call(Call(SCOPE, "fetch", asked, b"body", span, ORIGIN))
    assert (span.what, span.status) == ("api", 201)
    return answer


async def test_what_is_asked_reaches_the_box_on_the_callers_behalf() -> None:
    box = Box()
    answer = await fetch(box, url="http://h:8/a%20b?x=1", method="PATCH", headers=[["X-A", "b"]], length=7)
    assert answer.result == {"status": 201, "headers": [["x-a", "1"]]}
    assert answer.body == b"bytes"
    (asked,) = box.asked
    assert (asked.caller, asked.service, asked.method, asked.url) == (SCOPE, "api", "PATCH", "http://h:8/a%20b?x=1")
    assert (asked.headers, asked.body, asked.length, asked.origin) == ([("x-a", "b")], b"body", 7, ORIGIN)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"service": "other"}, "service_not_granted"),
        ({"service": 1}, "invalid_argument"),
        ({"url": "ftp://api/"}, "invalid_argument"),
        ({"url": "/path"}, "invalid_argument"),
        ({"url": "http:///path"}, "invalid_argument"),
        ({"url": "http://[/"}, "invalid_argument"),
        ({"url": "http://a:b/"}, "invalid_argument"),
        ({"url": "http://a/ b"}, "invalid_argument"),
        ({"url": "http://a/\r\nx: y"}, "invalid_argument"),
        ({"url": "http://ä/"}, "invalid_argument"),
        ({"url": "http://a/" + "x" * MAX_URL}, "invalid_argument"),
        ({"method": "CONNECT"}, "invalid_argument"),
        ({"method": "trace"}, "invalid_argument"),
        ({"method": "GET /"}, "invalid_argument"),
        ({"method": ""}, "invalid_argument"),
        ({"headers": [["one"]]}, "invalid_argument"),
        ({"headers": [["a b", "c"]]}, "invalid_argument"),
        ({"headers": [["a", "b\r\nc: d"]]}, "invalid_argument"),
        ({"headers": [["a", "→"]]}, "invalid_argument"),
        ({"headers": [["a", "x" * MAX_HEADER_BYTES]]}, "invalid_argument"),
    ],
)
async def test_what_is_no_request_or_not_granted_is_refused(args: dict[str, Any], code: str) -> None:
    box = Box()
    with pytest.raises(BindingError) as refused:
        await fetch(box, **args)
    assert refused.value.code == code
    assert box.asked == []


async def test_a_length_that_is_none_is_not_believed() -> None:
    box = Box()
    await fetch(box, length=-1)
    assert box.asked[0].length is None


async def test_there_is_one_operation() -> None:
    with pytest.raises(BindingError, match="no operation"):
        await ServicesBinding(Box().call).call(Call(SCOPE, "connect", {}))
