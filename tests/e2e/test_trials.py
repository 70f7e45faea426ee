"""Trying a worker through the API: the request arrives as it was written, and all that came of it is in the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.box import RunningBox

ECHO = """
export default {
  async fetch(request) {
    const url = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    if (url.pathname === "/bytes") return new Response(new Uint8Array([0, 255, 254]));
    if (url.pathname === "/long") return new Response("é".repeat(1_500_000));
    if (url.pathname === "/throws") throw new Error("as it was asked to");
    if (url.pathname === "/endless") {
      const more = (controller) => { controller.enqueue(new Uint8Array(65_536)); };
      return new Response(new ReadableStream({ pull: more }));
    }
    if (url.pathname === "/breaks") {
      let sent = 0;
      const pull = (controller) => {
        if (sent++) throw new Error("cut");
        controller.enqueue(new Uint8Array([104, 105]));
      };
      return new Response(new ReadableStream({ pull }));
    }
    return Response.json({
      method: request.method, path: url.pathname, query: url.search, header: request.headers.get("x-mine"),
      agent: request.headers.get("user-agent"), length: body.length, text: new TextDecoder().decode(body),
    });
  },
};
"""
MANIFEST = '[auth]\napi_key = "required"\n\n[cache]\nenabled = true\n'
PATH = "/api/v1/projects/default/workers/echo/test"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    folder: Path = tmp_path_factory.mktemp("box") / "functions" / "echo"
    folder.mkdir(parents=True)
    (folder / "main.js").write_text(ECHO)
    (folder / "v8box.toml").write_text(MANIFEST)
    running = RunningBox(folder.parent.parent)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def tried(box: RunningBox, **request: Any) -> dict[str, Any]:
    answer = box.admin.post(PATH, json=request, timeout=60)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_request_arrives_as_it_was_written_and_needs_no_key(box: RunningBox) -> None:
    assert box.run("echo").status_code == 401  # strangers need one
    told = tried(box, method="POST", path="/a%20b?x=1", headers=[["X-Mine", "yes"]], body="naïve")
    assert told["status"] == 200
    assert told["encoding"] == "text"
    seen = json.loads(told["body"])
    assert seen == {
        "method": "POST",
        "path": "/a%20b",
        "query": "?x=1",
        "header": "yes",
        "agent": "v8box-test",
        "length": 6,
        "text": "naïve",
    }
    assert ["content-type", "application/json"] in told["headers"]
    assert told["duration_ms"] > 0


def test_a_body_of_bytes_goes_and_comes_as_base64(box: RunningBox) -> None:
    body = base64.b64encode(b"\x00\xff").decode()
    assert '"length":2' in tried(box, method="PUT", body=body, encoding="base64")["body"]
    told = tried(box, path="/bytes")
    assert (told["encoding"], base64.b64decode(told["body"]), told["bytes"]) == ("base64", b"\x00\xff\xfe", 3)


def test_what_is_long_or_endless_is_cut_and_the_worker_goes_on(box: RunningBox) -> None:
    told = tried(box, path="/long")
    assert told["truncated"]
    assert told["encoding"] == "text"
    assert told["bytes"] == 2 * 1024 * 1024
    assert set(told["body"]) == {"é"}
    assert tried(box, path="/endless")["truncated"]
    assert tried(box)["status"] == 200


def test_failures_are_answers(box: RunningBox) -> None:
    thrown = tried(box, path="/throws")
    assert thrown["status"] == 500
    assert "as it was asked to" not in thrown["body"]
    broken = tried(box, path="/breaks")
    assert broken["broken"]
    assert broken["body"] in ("hi", "")  # what was in the stream as it broke may be lost with it
    assert not broken["truncated"]


def test_the_run_is_in_the_log_as_a_test(box: RunningBox) -> None:
    run = tried(box, path="/logged")["run_id"]
    box.until(lambda: bool(_runs(box, run)))
    (record,) = _runs(box, run)
    assert (record["trigger"], record["path"]) == ("test", "/logged")


def _runs(box: RunningBox, run: str) -> list[dict[str, Any]]:
    answer = box.admin.get(f"{PATH.removesuffix('/test')}/logs", params={"kind": "run", "run": run})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize(
    "request_body",
    [
        {"path": "no-slash"},
        {"path": "/a b"},
        {"path": "/a#b"},
        {"path": "/\u00e9"},
        {"method": "get it"},
        {"method": "CONNECT"},
        {"headers": [["a b", "c"]]},
        {"headers": [["a", "b\r\nc: d"]]},
        {"headers": [["a", "\u20ac"]]},
        {"body": "%", "encoding": "base64"},
        {"body": "\u00e9", "encoding": "base64"},
        {"paths": "/"},
    ],
)
def test_what_is_no_request_is_refused(box: RunningBox, request_body: dict[str, Any]) -> None:
    assert box.admin.post(PATH, json=request_body).status_code in (400, 422)


def test_what_is_not_live_cannot_be_tried(box: RunningBox) -> None:
    answer = box.admin.post(PATH, json={"environment": "staging"})
    assert answer.status_code == 404
    assert "not live in staging" in answer.json()["detail"]
    assert box.admin.post(PATH.replace("echo", "none"), json={}).status_code == 404


def test_what_the_project_may_run_in_a_day_holds_for_tries(box: RunningBox) -> None:
    project = "/api/v1/projects/default"
    tried(box, path="/")
    box.admin.patch(project, json={"quotas": {"requests_per_day": 1}}).raise_for_status()
    refused = box.admin.post(PATH, json={"path": "/"})
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded"), refused.text
    assert int(refused.headers["retry-after"]) > 0
    box.admin.patch(project, json={"quotas": {"requests_per_day": None}}).raise_for_status()
    assert tried(box, path="/")["status"] == 200
