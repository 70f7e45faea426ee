"""Every address of a real box is asked what nobody thought of: it fails by no bug, and answers as its document says.

The box is whole: gateway, guard, stores, bundler. The caller is the local operator, who may do everything. Examples are
bounded, and the same at each run.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.e2e.box import RunningBox

from v8box.cli.api_reference import document

EXAMPLES = 3
EACH_FAULT = 2
PATIENCE_SECONDS = 60.0
OF_A_FIELD = re.compile(r"'|: ")
"""In schemathesis' words for a body: `name: Incorrect type`, `Object with valid 'name' value: …`."""
KNOWN = {
    "project": "default",
    "worker": "hello",
    "environment": "production",
    "database": "default",
    "table": "fuzzed",
    "bucket": "v8box",
}
"""What there is."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/zip", "application/gzip")
def archive(_: Any, value: Any) -> bytes:
    """Bytes as they are: hardly ever an archive."""
    return value if isinstance(value, bytes) else str(value).encode()


def ask_for_what_is_there(case: Any) -> None:
    """In three of four requests; otherwise hardly any would get further than to the first name that is made up."""
    for place in (case.path_parameters, case.query, case.headers):
        for name, made_up in list((place or {}).items()):
            if zlib.crc32(str(made_up).encode("utf-8", "replace")) % 4:
                known = name.lower().removeprefix("v8box-")
                if known in KNOWN:
                    place[name] = KNOWN[known]
                elif known in ("cursor", "idempotency-key"):
                    del place[name]
    (case.query or {}).pop("follow", None)  # it has no end either


class Tried:
    """What was asked already. Of the 12,000 requests that go through each parameter's bounds and wrong types most are
    the same fault of the same parameter (`limit`, `cursor`, `project`) at another address: a few stand for all. The
    same holds for the fields of bodies, of which one stands for all that have its name. But each address is asked with
    each kind of a body as a whole: none, of another type, with the least of fields, with one that it does not know."""

    def __init__(self) -> None:
        self._times: Counter[tuple[str | None, ...]] = Counter()

    def enough(self, case: Any) -> bool:
        meta = case.meta  # looked at once: it is checked against the whole case each time
        if meta is None or meta.phase.name != TestPhase.COVERAGE:
            return False
        told = meta.phase.data
        in_body = told.parameter_location == ParameterLocation.BODY
        whole = in_body and not OF_A_FIELD.search(told.description)
        label = case.operation.label if whole else None
        fault = (label, told.parameter_location, told.parameter, told.description)
        self._times[fault] += 1
        return self._times[fault] > (1 if in_body else EACH_FAULT)


@pytest.fixture(scope="module")
def tried() -> Tried:
    return Tried()


@pytest.fixture(scope="module")
def whole() -> Any:
    """Here, and not in the module: every tester imports that, and one of them runs this."""
    return schemathesis.openapi.from_dict(_without_tuples(document()))


def _without_tuples(part: Any) -> Any:
    """As lists of so many of any of them: what schemathesis makes of `prefixItems` deep in an answer is no schema."""
    if isinstance(part, list):
        return [_without_tuples(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _without_tuples(value) for key, value in part.items() if key != "prefixItems"}
    return {**kept, "items": {"anyOf": _without_tuples(part["prefixItems"])}} if "prefixItems" in part else kept


@pytest.fixture
def described(request: pytest.FixtureRequest, whole: Any) -> Any:
    request.node._nodeid = request.node.nodeid  # schemathesis 4.32 keeps the name there, where pytest 9.2 has none
    return whole


# What has no end is followed where it is tested: here each example would wait until the client has had enough.
api = schemathesis.pytest.from_fixture("described").exclude(path_regex="/(metrics/live|tail)$")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("fuzzed") / "box"
    (directory / "functions").mkdir(parents=True)
    (directory / "functions" / "hello.ts").write_text("export default () => 'hello';\n")
    running = RunningBox(directory)
    try:
        running.wait_ready()
        table = {"tableName": "fuzzed", "columns": [{"name": "a", "type": "text"}]}
        made = running.admin.post("/admin/database/databases/default/tables", json=table)
        assert made.status_code == 201, made.text
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def connections() -> Iterator[requests.Session]:
    """They are kept; what a box sets is not."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_address_answers_as_its_document_says(
    case: Any, box: RunningBox, connections: requests.Session, tried: Tried
) -> None:
    if tried.enough(case):
        return
    ask_for_what_is_there(case)
    token = box.admin.headers["authorization"]
    url = f"http://localhost:{box.port}"
    response = case.call(base_url=url, session=connections, headers={"authorization": token}, timeout=PATIENCE_SECONDS)
    if response.status_code != HTTPStatus.REQUEST_URI_TOO_LONG:  # beyond 64 KiB the HTTP server says so, in no words
        full = response.status_code == HTTPStatus.INSUFFICIENT_STORAGE  # a quota of nothing may have been set before
        case.validate_response(response, checks=CHECKS[1:] if full else CHECKS)
