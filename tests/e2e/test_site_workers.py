"""Workers mounted in a site, in a real box: what they are asked, what they may, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websockets
from tests.e2e.box import RunningBox

ORIGIN = "https://shop.example.com"
API = """
export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => { socket.send(url.pathname + " " + data); socket.close(); };
      return response;
    }
    if (url.pathname === "/api/stream") {
      let left = 3;
      const body = new ReadableStream({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode(`${left}\\n`));
          if (--left === 0) controller.close();
        },
      });
      return new Response(body, { headers: { "content-type": "text/plain" } });
    }
    return Response.json({
      method: request.method,
      url: request.url,
      prefix: request.headers.get("x-forwarded-prefix"),
      body: await request.text(),
    });
  },
};
"""
FALLBACK = "export default { fetch: (request) => new Response('worker ' + new URL(request.url).pathname) };"
FRONT = """
export default {
  async fetch(request, env) {
    const answer = await env.ASSETS.fetch(request);
    const headers = new Headers(answer.headers);
    headers.set("x-front", "yes");
    return new Response(answer.body, { status: answer.status, headers });
  },
};
"""
LARGE = 600_000
MANIFEST = f"""
[workers.front.bindings]
ASSETS = {{ site = "shop" }}

[workers.locked]
auth = {{ api_key = "required" }}

[workers.shared]
cors = {{ origins = ["{ORIGIN}"] }}
"""
SITE = """
[[site.mounts]]
path = "/api/*"
worker = "api"

[[site.mounts]]
path = "/locked/*"
worker = "locked"

[[site.mounts]]
path = "/shared/*"
worker = "shared"

[[site.mounts]]
path = "/nobody/*"
worker = "nobody"

[[site.mounts]]
path = "/*"
worker = "fallback"
first = false
"""


def write_site(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("site-workers")
    write_site(
        directory,
        {
            "functions/api.ts": API,
            "functions/locked.ts": FALLBACK,
            "functions/shared.ts": FALLBACK,
            "functions/fallback.ts": FALLBACK,
            "functions/front.ts": FRONT,
            "v8box.toml": MANIFEST,
            "pages/blog/index.html": "<h1>blog</h1>",
            "pages/blog/api/file.txt": "a file behind the worker",
            "pages/blog/v8box.toml": SITE,
            "pages/shop/index.html": "<h1>shop</h1>",
            "pages/shop/about.html": "<h1>about</h1>",
            "pages/shop/large.bin": "0123456789" * (LARGE // 10),
            "pages/shop/v8box.toml": '[[site.mounts]]\npath = "/*"\nworker = "front"\n',
        },
    )
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


@pytest.fixture
def site(box: RunningBox) -> Iterator[httpx.Client]:
    """A visitor of the site at its own host."""
    with httpx.Client(
        base_url=f"http://localhost:{box.port}",
        headers={"host": f"blog.localhost:{box.port}"},
        timeout=60,
        trust_env=False,
    ) as client:
        yield client


def test_the_worker_is_asked_at_the_address_of_the_site(box: RunningBox, site: httpx.Client) -> None:
    answer = site.post("/api/notes?x=1", content=b"hello")
    assert answer.json() == {
        "method": "POST",
        "url": f"http://blog.localhost:{box.port}/api/notes?x=1",
        "prefix": "",
        "body": "hello",
    }


def test_in_path_mode_the_worker_sees_the_path_of_the_site_and_what_stands_before_it(box: RunningBox) -> None:
    seen = box.client.get("/pages/blog/api/notes").json()
    assert seen["url"] == f"http://localhost:{box.port}/api/notes"
    assert seen["prefix"] == "/pages/blog"


def test_a_body_streams(site: httpx.Client) -> None:
    with site.stream("GET", "/api/stream") as answer:
        assert "content-length" not in answer.headers
        assert b"".join(answer.iter_raw()) == b"3\n2\n1\n"


def test_a_worker_before_the_files_hides_them(site: httpx.Client) -> None:
    assert site.get("/api/file.txt").json()["method"] == "GET"


def test_a_worker_behind_the_files_answers_where_there_is_none(site: httpx.Client) -> None:
    assert site.get("/").text == "<h1>blog</h1>"
    assert site.get("/nothing/here").text == "worker /nothing/here"
    assert site.post("/").status_code == 405
    assert site.post("/nothing").text == "worker /nothing"


def test_policies_hold_for_a_mounted_worker(site: httpx.Client) -> None:
    refused = site.get("/locked/x")
    assert refused.status_code == 401
    assert refused.json()["code"] == "api_key_missing"
    allowed = site.get("/shared/x", headers={"origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert (
        "access-control-allow-origin" not in site.get("/shared/x", headers={"origin": "https://else.example"}).headers
    )


def test_a_mounted_worker_that_is_not_there_is_named(site: httpx.Client) -> None:
    answer = site.get("/nobody/home")
    assert answer.status_code == 502
    assert answer.json()["code"] == "mounted_worker_missing"
    assert "nobody" in answer.json()["detail"]


async def test_a_websocket_reaches_the_mounted_worker(box: RunningBox) -> None:
    async with websockets.connect(f"ws://blog.localhost:{box.port}/api/chat", host="127.0.0.1") as socket:
        await socket.send("hello")
        assert await asyncio.wait_for(socket.recv(), 60) == "/api/chat hello"


async def test_a_websocket_to_a_file_is_refused(box: RunningBox) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://blog.localhost:{box.port}/", host="127.0.0.1")
    assert refused.value.response.status_code in (403, 404)


# ---- env.ASSETS


@pytest.fixture
def shop(box: RunningBox) -> Iterator[httpx.Client]:
    """A visitor of the site that is answered by a worker that asks for its files."""
    with httpx.Client(
        base_url=f"http://localhost:{box.port}",
        headers={"host": f"shop.localhost:{box.port}"},
        timeout=60,
        trust_env=False,
    ) as client:
        yield client


def test_a_worker_before_all_files_hands_them_out(shop: httpx.Client) -> None:
    page = shop.get("/")
    assert (page.status_code, page.text, page.headers["x-front"]) == (200, "<h1>shop</h1>", "yes")
    again = shop.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content, again.headers["x-front"]) == (304, b"", "yes")
    assert shop.get("/nothing").status_code == 404
    head = shop.head("/about")
    assert (head.status_code, head.content) == (200, b"")


def test_a_path_that_has_a_better_spelling_is_sent_there(box: RunningBox, shop: httpx.Client) -> None:
    moved = shop.get("/about.html")
    assert (moved.status_code, moved.headers["location"]) == (307, "/about")
    moved = box.client.get("/pages/shop/about.html")
    assert (moved.status_code, moved.headers["location"]) == (307, "/pages/shop/about")


def test_a_large_file_and_parts_of_it_pass_through_the_worker(shop: httpx.Client) -> None:
    plain = {"accept-encoding": "identity"}
    whole = shop.get("/large.bin", headers=plain)
    assert whole.content == b"0123456789" * (LARGE // 10)
    part = shop.get("/large.bin", headers={**plain, "range": f"bytes=10-{LARGE - 11}"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 10-{LARGE - 11}/{LARGE}"
    assert part.content == whole.content[10:-10]
    several = shop.get("/large.bin", headers={**plain, "range": "bytes=0-1,20-22"})
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert b"012" in several.content
