"""The OpenAPI document, and the reference that is made of it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.api.principals import nobody
from v8box.api.reference.markdown import markdown
from v8box.api.reference.outline import outline
from v8box.api.reference.page import page
from v8box.api.reference.typescript import typescript
from v8box.cli.api_reference import document

ROOT = Path(__file__).parents[2]
Operations = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The whole document: not made in the module, which every tester imports."""
    return document()


@pytest.fixture
def operations(described: dict[str, Any]) -> Operations:
    """Each with its path."""
    return [(path, each) for path, methods in described["paths"].items() for each in methods.values()]


async def get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=signed_in(build_api([]), nobody()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def test_the_reference_in_the_documents_is_up_to_date(described: dict[str, Any]) -> None:
    assert (ROOT / "docs" / "api-reference.md").read_text() == markdown(described), "run `make gen`"


def test_the_types_of_the_dashboards_client_are_up_to_date(described: dict[str, Any]) -> None:
    file = ROOT / "dashboard" / "src" / "api" / "generated" / "api.ts"
    assert file.read_text() == typescript(described), "run `make gen`"


def test_every_operation_is_in_it_once(described: dict[str, Any], operations: Operations) -> None:
    ids = [each.id for group in outline(described) for each in group.operations]
    assert sorted(ids) == sorted(each["operationId"] for _, each in operations)
    assert len(set(ids)) == len(ids)


def test_the_document_is_of_version_3_1_and_refers_to_nothing_that_is_not_in_it(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    names = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described))
    assert set(names) <= set(described["components"]["schemas"])
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_an_operation_says_what_it_does_who_may_call_and_how_it_fails(
    described: dict[str, Any], operations: Operations, subtests: pytest.Subtests
) -> None:
    assert operations
    for path, operation in operations:
        with subtests.test(operation["operationId"]):
            assert operation["tags"]
            assert operation["description"].strip()
            assert operation["x-v8box-access"]
            assert {"4XX", "5XX"} <= set(operation["responses"])
            kind = "application/problem+json" if path.startswith("/api") else "application/json"
            assert set(operation["responses"]["4XX"]["content"]) == {kind}
            names = {name for requirement in operation["security"] for name in requirement}
            assert names == ({"token", "session"} if operation["x-v8box-access"] != "anybody" else set())
            assert names <= set(described["components"]["securitySchemes"])


def test_creates_take_a_key(described: dict[str, Any]) -> None:
    parameters = described["paths"]["/api/v1/projects"]["post"]["parameters"]
    assert [each["name"] for each in parameters] == ["Idempotency-Key"]
    assert "parameters" not in described["paths"]["/api/v1/session"]["post"]


async def test_anybody_may_read_the_document_and_it_does_not_tell_the_boxs_version() -> None:
    new, old = await get("/api/v1/openapi.json"), await get("/admin/openapi.json")
    assert new.json() == old.json()
    assert new.json()["info"]["version"] == "1"


class Seen(HTMLParser):
    """What a browser would load, run and jump to."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.jumps: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.loads += [
            value for name, value in attrs if value and (name == "src" or (tag == "link" and name == "href"))
        ]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if known.get("id"):
            self.ids.append(str(known["id"]))
        if str(known.get("href", "")).startswith("#"):
            self.jumps.append(str(known["href"])[1:])


async def test_the_page_is_complete_without_a_script_and_loads_nothing_from_elsewhere(
    described: dict[str, Any], operations: Operations
) -> None:
    response = await get("/api/docs")
    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    seen = Seen()
    seen.feed(page(described))
    assert {each["operationId"] for _, each in operations} <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))
    assert set(seen.jumps) <= set(seen.ids)
    assert seen.inline == []
    for address in seen.loads:
        loaded = await get(address)
        assert loaded.status_code == 200
        assert loaded.headers["content-type"].startswith(("text/css", "text/javascript"))
    assert (await get("/api/docs/routes.py")).status_code == 404


def test_what_a_description_says_is_no_markup() -> None:
    hostile: dict[str, Any] = {
        "info": {"title": "<script>", "description": "<img src=x>"},
        "paths": {
            "/<em>": {
                "get": {
                    "operationId": 'x" onclick="y',
                    "tags": ["<i>"],
                    "description": "`<u>` | <s>",
                    "responses": {"200": {"description": "<p onload=x>"}},
                }
            }
        },
    }
    text = page(hostile)
    assert not re.search(r"<(img|em>|i>|s>|u>)", text)
    seen = Seen()
    seen.feed(text)
    assert seen.inline == []
