"""Policies in a real box, asked for as anybody does: key, limit, CORS, a schema from Zod, an error page, WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from tests.e2e.box import RunningBox

PAGE = "https://shop.example.com"
SHOP = """
import { z } from "npm:zod@4";
export const schema = z.object({ n: z.int().max(9).optional() });
export default {
  fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => { socket.send(request.headers.get("x-v8box-key-id") ?? "nobody"); socket.close(); };
      return response;
    }
    return Response.json(
      { key: request.headers.get("x-v8box-key-id"), sent: request.headers.get("x-api-key") },
      { headers: { "access-control-allow-origin": "*" } },
    );
  },
};
"""
MANIFEST = f"""
[workers.shop]
auth = {{ api_key = "required" }}
cors = {{ origins = ["{PAGE}"] }}
schema = {{ export = "schema" }}
errors = {{ 4xx = "functions/page.html" }}

[workers.limited]
rate_limit = {{ limit = 3, window_seconds = 600 }}

[workers.needy]
env_required = ["TOKEN"]
schedules = [{{ cron = "@daily" }}]
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("policies")
    functions: Path = directory / "functions"
    functions.mkdir()
    (functions / "shop.ts").write_text(SHOP)
    (functions / "limited.ts").write_text("export default () => 1;")
    (functions / "needy.ts").write_text("export default ({ env }) => env.TOKEN;")
    (functions / "page.html").write_text("<h1>{{status}}</h1>")
    (directory / "v8box.toml").write_text(MANIFEST)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def api(box: RunningBox) -> Iterator[httpx.Client]:
    credential = (box.directory / "data" / "keys" / "local.token").read_text().strip()
    with httpx.Client(
        base_url=f"http://localhost:{box.port}/api/v1/projects/default",
        headers={"authorization": f"Bearer {credential}"},
        trust_env=False,
        timeout=60,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def key(api: httpx.Client) -> dict[str, Any]:
    made = api.post("/api-keys", json={"name": "shop", "workers": ["shop"]})
    assert made.status_code == 201, made.text
    body: dict[str, Any] = made.json()
    return body


def test_a_key_opens_the_worker_and_is_seen_by_nobody(box: RunningBox, key: dict[str, Any]) -> None:
    missing = box.run("shop")
    assert missing.status_code == 401
    assert missing.headers["www-authenticate"] == 'Bearer realm="shop"'
    for headers in ({"x-api-key": key["key"]}, {"authorization": f"Bearer {key['key']}"}):
        opened = box.run("shop", headers=headers)
        assert opened.status_code == 200, opened.text
        assert opened.json() == {"key": key["id"], "sent": None}
    assert box.run("limited", headers={"x-api-key": "x"}).status_code == 200  # it asks for none


def test_a_rotated_and_a_deleted_key(box: RunningBox, api: httpx.Client) -> None:
    made = api.post("/api-keys", json={"name": "short"}).json()
    rotated = api.post(f"/api-keys/{made['id']}/rotate", json={"overlap_seconds": 60}).json()
    for text in (made["key"], rotated["key"]):
        assert box.run("shop", headers={"x-api-key": text}).status_code == 200
    assert api.delete(f"/api-keys/{made['id']}").status_code == 204
    for text in (made["key"], rotated["key"]):
        refused = box.run("shop", headers={"x-api-key": text})
        assert (refused.status_code, refused.json()["code"]) == (401, "api_key_invalid")


def test_a_page_of_another_origin(box: RunningBox, key: dict[str, Any]) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    preflight = box.run("shop", "OPTIONS", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    answer = box.run("shop", headers={"origin": PAGE, "x-api-key": key["key"]})
    assert answer.headers.get_list("access-control-allow-origin") == [PAGE]
    assert box.run("shop", headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE  # of a refusal too
    foreign = box.run("shop", headers={"origin": "https://evil.com", "x-api-key": key["key"]})
    assert "access-control-allow-origin" not in foreign.headers


def test_params_against_the_workers_own_zod_schema(box: RunningBox, key: dict[str, Any]) -> None:
    headers = {"x-api-key": key["key"]}
    assert box.run("shop?n=9", headers=headers).status_code == 200
    for sent in (box.run("shop?n=10", headers=headers), box.run("shop", "POST", json={"n": "9"}, headers=headers)):
        assert sent.status_code == 422
        assert [each["pointer"] for each in sent.json()["errors"]] == ["#/n"]
    assert box.run("shop", "POST", json={"n": 9}, headers=headers).status_code == 200


def test_browsers_see_a_page(box: RunningBox) -> None:
    page = box.run("shop", headers={"accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.text) == (401, "<h1>401</h1>")
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert box.run("shop").headers["content-type"] == "application/problem+json"


def test_a_limit_holds_for_many_at_once(box: RunningBox, api: httpx.Client) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as client:
            return await asyncio.gather(*(client.get("/run/limited") for _ in range(40)))

    used = 3 - int(box.run("limited").headers["ratelimit"].split("r=")[1].split(";")[0])
    answers = asyncio.run(ask())
    assert sum(answer.status_code == 200 for answer in answers) == 3 - used
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["ratelimit-policy"] == '"ip";q=3;w=600'
    listed = api.get("/refusals").json()["items"]
    assert any(each["worker"] == "limited" and each["code"] == "rate_limited" for each in listed)


async def test_a_websocket_goes_the_same_way(box: RunningBox, key: dict[str, Any]) -> None:
    url = f"ws://localhost:{box.port}/run/shop"
    for headers in ({}, {"x-api-key": key["key"], "origin": "https://evil.com"}):
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(url, additional_headers=headers, proxy=None)
        assert caught.value.response.status_code == 403
    async with websockets.connect(url, additional_headers={"x-api-key": key["key"]}, proxy=None) as socket:
        assert await socket.recv() == key["id"]


def test_a_worker_whose_variables_are_not_set(box: RunningBox, api: httpx.Client) -> None:
    box.wait_line(r"TOKEN is not set in production")
    box.wait_line(r"schedules are kept with the version, but this box does not run them yet")
    shown = api.get("/workers/needy/versions/v1").json()
    assert shown["warnings"][0] == "TOKEN is not set in production: the worker does not start until it is"
    refused = box.run("needy")
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:v8box:error:missing_variables"
    assert "TOKEN" in refused.json()["detail"]
    assert api.put("/variables/TOKEN?worker=needy", json={"value": "abc"}).status_code in (200, 201)
    assert box.run("needy").json()["data"] == "abc"
    assert len(api.get("/workers/needy/versions/v1").json()["warnings"]) == 1


def test_editors_get_the_schema_without_signing_in(box: RunningBox) -> None:
    answer = box.client.get("/api/v1/manifest.schema.json")
    assert answer.headers["content-type"] == "application/schema+json"
    assert "rate_limit" in answer.json()["properties"]
