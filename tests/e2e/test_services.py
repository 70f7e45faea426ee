"""Workers that call workers, in a real box: bodies, errors, circles, callers that leave, and one trace of it all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.box import RunningBox

FRONT = """
const failure = (error) => ({
  name: error.name, code: error.code, message: error.message, reason: error.reason ?? null,
});
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/forward") return await env.API.fetch(request);
    if (url.pathname === "/echo") {
      const answer = await env.API.fetch("/echo?x=1", { method: "POST", body: "short", headers: { "x-a": "b" } });
      return new Response(answer.body, answer);
    }
    if (url.pathname === "/ids") {
      const inner = await (await env.API.fetch("/ids")).json();
      return Response.json({ trace: ctx.traceId, parent: request.headers.get("traceparent"), inner });
    }
    if (url.pathname === "/twice") {
      const source = new ReadableStream({
        async start(controller) {
          for (let part = 0; part < 40; part++) controller.enqueue(new Uint8Array(65536).fill(part));
          controller.close();
        },
      });
      const answer = await env.API.fetch("/length", { method: "PUT", body: source });
      return Response.json(await answer.json());
    }
    if (url.pathname === "/give-up") {
      const controller = new AbortController();
      await ctx.cache.del("slow");
      const asked = env.API.fetch("/slow", { signal: controller.signal });
      while (await ctx.cache.get("slow") === null); // until it runs
      controller.abort(new Error("enough"));
      try { await asked; } catch (error) { return Response.json({ message: error.message }); }
    }
    if (url.pathname === "/leave") {
      await env.API.fetch("/slow");
      return new Response("never");
    }
    try {
      const target = url.searchParams.get("at") ?? "API";
      const answer = await env[target].fetch(url.pathname + url.search);
      return Response.json({ status: answer.status, text: await answer.text() });
    } catch (error) {
      return Response.json(failure(error));
    }
  },
};
"""
API = """
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new TypeError("broken inside");
    if (url.pathname === "/teapot") throw Object.assign(new Error("I am a teapot"), { status: 418 });
    if (url.pathname === "/slow") {
      request.signal.addEventListener("abort", () => console.log("slow was told"));
      await ctx.cache.set("slow", "began"); // whoever waits for that may give up at once
      console.log("slow began");
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    }
    if (url.pathname === "/length") {
      let length = 0;
      for await (const chunk of request.body) length += chunk.length;
      return Response.json({ length, chunked: request.headers.get("content-length") });
    }
    if (url.pathname === "/cut") {
      return new Response(new ReadableStream({
        pull(controller) { controller.enqueue(new Uint8Array(100_000)); this.count = (this.count ?? 0) + 1;
          if (this.count > 3) controller.error(new Error("cut")); },
      }));
    }
    if (url.pathname === "/ids") {
      const { rows } = await ctx.db.execute("SELECT 1 AS one");
      return Response.json({
        trace: ctx.traceId, parent: request.headers.get("traceparent"), id: request.headers.get("x-request-id"), rows,
      });
    }
    if (url.pathname === "/status") return new Response("no such thing", { status: 404, headers: { "x-mine": "1" } });
    return Response.json({
      method: request.method, url: request.url, body: await request.text(), a: request.headers.get("x-a"),
    }, { headers: { "x-mine": "1" } });
  },
};
"""
NARROW = """
export default {
  async fetch(request, env) {
    try {
      const answer = await env.SELF.fetch(request.url);
      return new Response(await answer.text());
    } catch (error) {
      return new Response(error.code + ": " + error.message);
    }
  },
};
"""
ROUND = """
export default {
  async fetch(request, env) {
    const depth = Number(new URL(request.url).searchParams.get("depth") ?? 1);
    try {
      return await env.SELF.fetch(`/?depth=${depth + 1}`);
    } catch (error) {
      return Response.json({ depth, code: error.code });
    }
  },
};
"""
SPIN = "export default { fetch: () => { while (true); } };"
LOCKED = "export default { fetch: () => new Response('inside') };"
MANIFEST = """
[workers.front.bindings]
API = { service = "api" }
NOBODY = { service = "nobody" }
LOCKED = { service = "locked" }
SPIN = { service = "spin" }

[workers.spin.limits]
cpu_ms = 200
wall_ms = 600_000

[workers.narrow]
limits = { concurrency = 1, max_instances = 1 }
bindings = { SELF = { service = "narrow" } }

[workers.round.bindings]
SELF = { service = "round" }

[workers.locked]
auth = { api_key = "required" }
"""
WORKERS = {"front": FRONT, "api": API, "narrow": NARROW, "round": ROUND, "locked": LOCKED, "spin": SPIN}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("services")
    (directory / "functions").mkdir()
    for name, source in WORKERS.items():
        (directory / "functions" / f"{name}.ts").write_text("// deno-lint-ignore-file\n// @ts-nocheck\n" + source)
    (directory / "v8box.toml").write_text(MANIFEST)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def front(box: RunningBox, path: str, **headers: str) -> Any:
    answer = box.run(f"front{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_request_goes_to_the_other_worker_and_its_answer_back(box: RunningBox) -> None:
    answer = box.run("front/echo")
    assert answer.json() == {"method": "POST", "url": "http://api/echo?x=1", "body": "short", "a": "b"}
    assert answer.headers["x-mine"] == "1"


def test_a_request_that_is_handed_on_streams_through(box: RunningBox) -> None:
    body = bytes(range(256)) * 4096
    answer = box.run("front/forward", "POST", content=body, headers={"x-a": "c"})
    seen = answer.json()
    assert (seen["method"], seen["a"], len(seen["body"])) == ("POST", "c", len(body.decode("utf-8", "replace")))
    assert seen["url"].endswith("/forward")


def test_a_stream_of_unknown_length_arrives_whole(box: RunningBox) -> None:
    assert front(box, "/twice") == {"length": 40 * 65536, "chunked": None}


def test_an_error_status_is_an_answer(box: RunningBox) -> None:
    assert front(box, "/status") == {"status": 404, "text": "no such thing"}
    teapot = front(box, "/teapot")
    assert teapot["status"] == 418
    assert "I am a teapot" in teapot["text"]


def test_what_the_other_worker_throws_is_thrown_here(box: RunningBox) -> None:
    error = front(box, "/throw")
    assert error == {
        "name": "ServiceError",
        "code": "service_threw",
        "message": "api threw TypeError: broken inside",
        "reason": None,
    }


def test_a_worker_that_is_killed_is_told_with_its_reason(box: RunningBox) -> None:
    error = front(box, "/x?at=SPIN")
    assert (error["code"], error["reason"]) == ("service_killed", "cpu")


def test_a_worker_that_is_not_deployed(box: RunningBox) -> None:
    error = front(box, "/x?at=NOBODY")
    assert error["code"] == "service_not_found"
    assert "deploy it" in error["message"]


def test_a_body_that_breaks_off_is_broken_here_too(box: RunningBox) -> None:
    error = front(box, "/cut")
    assert "api did not send its body to the end" in error["message"]


def test_what_keeps_strangers_out_does_not_keep_out_a_worker_of_the_project(box: RunningBox) -> None:
    assert box.run("locked").status_code == 401
    assert front(box, "/x?at=LOCKED") == {"status": 200, "text": "inside"}


def test_a_worker_that_waits_for_itself_is_told_so_at_once(box: RunningBox) -> None:
    answer = box.run("narrow")
    assert answer.text.startswith("service_loop: ")
    assert "limits.concurrency" in answer.text


def test_a_circle_ends(box: RunningBox) -> None:
    assert box.run("round").json() == {"depth": 16, "code": "service_loop"}


def test_a_call_that_is_given_up_ends_the_other_run(box: RunningBox) -> None:
    since = box.mark()
    assert front(box, "/give-up") == {"message": "enough"}
    box.wait_line("slow was told", since)


def test_a_client_that_leaves_ends_both_runs(box: RunningBox) -> None:
    since = box.mark()
    with socket.create_connection(("127.0.0.1", box.port)) as leaving:
        leaving.sendall(b"GET /run/front/leave HTTP/1.1\r\nhost: localhost\r\n\r\n")
        box.wait_line("slow began", since)
    box.wait_line("slow was told", since)


def test_all_of_it_is_one_trace(box: RunningBox) -> None:
    trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    seen = front(box, "/ids", **{"traceparent": f"00-{trace}-{caller}-01", "x-request-id": "traced-1"})
    assert seen["trace"] == seen["inner"]["trace"] == trace
    assert seen["inner"]["id"] == "traced-1"
    outer, inner = seen["parent"].split("-")[2], seen["inner"]["parent"].split("-")[2]
    assert len({caller, outer, inner}) == 3
