"""A site's own functions in a real box: bundled with it, asked over HTTP, gone back with it."""

from __future__ import annotations

import io
import shutil
import threading
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.e2e.box import RunningBox

SITE = {
    "index.html": "<h1>shop</h1>",
    "about.html": "<h1>about</h1>",
    "404.html": "<h1>lost</h1>",
    "hello/file.txt": "a file",
    "functions/hello.ts": """
import { word } from "./_lib/words.ts";
export function onRequestGet({ request }: { request: Request }) {
  return new Response(`${word} 1 ${new URL(request.url).pathname}`);
}
""",
    "functions/_lib/words.ts": "export const word: string = 'hello';",
    "functions/api/notes/[id].ts": """
export default async function ({ cache, env }: any, params: any) {
  const seen = await cache.incr(`seen:${params.id}`);
  return { id: params.id, text: params.text, seen, where: env.V8BOX_ENV };
}
""",
    "functions/api/_middleware.ts": """
export const onRequest = async ({ request, next }: any) => {
  if (request.headers.get("x-key") !== "open") return new Response("no key", { status: 403 });
  const answer = await next();
  answer.headers.set("x-passed", "yes");
  return answer;
};
""",
    "functions/about-copy.ts": """
export const onRequest = ({ env }: any) => env.ASSETS.fetch("/about");
""",
}


def archive(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return held.getvalue()


class Shop:
    """The site, deployed over the API and asked at its host."""

    def __init__(self, box: RunningBox) -> None:
        self.box = box

    def deploy(self, files: Mapping[str, str], **query: str) -> httpx.Response:
        kind = {"content-type": "application/zip"}
        at = "/api/v1/projects/default/sites/shop/releases"
        return self.box.admin.post(at, params=query, content=archive(files), headers=kind)

    def ask(self, path: str, *, label: str = "", method: str = "GET", **more: object) -> httpx.Response:
        host = f"{label}--shop.localhost" if label else "shop.localhost"
        headers = {"host": f"{host}:{self.box.port}", **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
        return self.box.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("functions")
    (directory / "pages").mkdir()
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


@pytest.fixture
def shop(box: RunningBox) -> Iterator[Shop]:
    made = Shop(box)
    answer = made.deploy(SITE)
    assert answer.status_code == 201, answer.text
    yield made
    assert box.admin.delete("/api/v1/projects/default/sites/shop").status_code == 204


def test_functions_and_files_answer_side_by_side(shop: Shop) -> None:
    assert shop.ask("/").text == "<h1>shop</h1>"
    assert shop.ask("/hello").text == "hello 1 /hello"
    assert shop.ask("/hello/file.txt").text == "a file"
    assert shop.ask("/hello/other").text == "hello 1 /hello/other"
    assert shop.ask("/about-copy").text == "<h1>about</h1>"
    for hidden in ("/functions/hello.ts", "/functions/_lib/words.ts", "/functions/_v8box/hello.ts"):
        assert shop.ask(hidden).status_code == 404


def test_middleware_params_and_services(shop: Shop) -> None:
    assert shop.ask("/api/notes/7").status_code == 403
    key = {"x-key": "open"}
    answer = shop.ask("/api/notes/a%20b", method="POST", headers=key, json={"text": "x"})
    assert answer.headers["x-passed"] == "yes"
    assert answer.json()["data"] == {"id": "a b", "text": "x", "seen": 1, "where": "production"}
    missing = shop.ask("/api/nothing", headers=key)
    assert (missing.status_code, missing.text, missing.headers["x-passed"]) == (404, "<h1>lost</h1>", "yes")


def test_by_path_as_at_the_host(shop: Shop) -> None:
    answer = shop.box.client.get("/pages/shop/hello")
    assert answer.text == "hello 1 /hello"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_release_goes_live_and_back_with_its_functions(shop: Shop) -> None:
    newer = {**SITE, "functions/hello.ts": SITE["functions/hello.ts"].replace(" 1 ", " 2 "), "about.html": "about 2"}
    del newer["functions/about-copy.ts"]
    made = shop.deploy(newer).json()
    assert shop.ask("/hello").text == "hello 2 /hello"
    assert shop.ask("/about-copy").status_code == 404
    first = shop.box.admin.get("/api/v1/projects/default/sites/shop/releases").json()["items"][1]
    assert shop.ask("/hello", label=first["id"]).text == "hello 1 /hello"
    assert shop.ask("/about-copy", label=first["id"]).text == "<h1>about</h1>"  # its own file, not the live one
    shop.box.admin.post("/api/v1/projects/default/sites/shop/rollback", json={})
    assert shop.ask("/hello").text == "hello 1 /hello"
    assert shop.ask("/about-copy").text == "<h1>about</h1>"
    assert shop.ask("/hello", label=made["id"]).text == "hello 2 /hello"


def test_deploys_under_load_never_leave_a_function_out(shop: Shop) -> None:
    old, new = (SITE["functions/hello.ts"].replace(" 1 ", f" {number} ") for number in (1, 2))
    stop = threading.Event()

    def visit(_: int) -> set[tuple[int, str]]:
        seen = set()
        while not stop.is_set():
            answer = shop.ask("/hello")
            seen.add((answer.status_code, answer.text))
        return seen

    with ThreadPoolExecutor(2) as visitors:
        visits = [visitors.submit(visit, number) for number in range(2)]
        try:
            for text in (new, old) * 3:
                assert shop.deploy({**SITE, "functions/hello.ts": text}).status_code == 201
        finally:
            stop.set()
        seen = set().union(*(each.result() for each in visits))
    assert seen == {(200, "hello 1 /hello"), (200, "hello 2 /hello")}


def test_at_a_preview_functions_do_not_run_with_productions_variables(shop: Shop) -> None:
    files = {**SITE, "functions/where.ts": "export const onRequest = ({ env }: any) => new Response(env.V8BOX_ENV);"}
    draft = shop.deploy(files, live="false").json()
    assert shop.ask("/where").status_code == 404
    shown = shop.ask("/where", label=draft["id"])
    assert (shown.text, shown.headers["x-robots-tag"]) == ("preview", "noindex")
    assert "x-robots-tag" not in shop.ask("/hello").headers
    preview = {"release": draft["number"], "password": "open sesame"}
    shop.box.admin.put("/api/v1/projects/default/sites/shop/previews/demo", json=preview).raise_for_status()
    assert shop.ask("/where", label="demo").status_code == 401
    admitted = shop.ask("/where", label="demo", auth=("any", "open sesame"))
    assert (admitted.text, admitted.headers["cache-control"]) == ("preview", "private, no-cache")
    shop.box.admin.delete("/api/v1/projects/default/sites/shop/previews/demo").raise_for_status()


def test_a_broken_function_refuses_the_deploy_and_what_was_live_stays(shop: Shop) -> None:
    broken = {**SITE, "index.html": "new", "functions/bad.ts": "export const onRequest = 1;\nconst x = ;\n"}
    answer = shop.deploy(broken)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] == "functions_refused"
    assert (problem["diagnostics"][0]["file"], problem["diagnostics"][0]["line"]) == ("functions/bad.ts", 2)
    assert problem["detail"].startswith("functions/bad.ts:2:")
    outside = {**SITE, "functions/out.ts": "import x from '../../../../../etc/passwd';\nexport const onRequest = x;\n"}
    assert shop.deploy(outside).status_code == 400
    missing = {**SITE, "functions/gone.ts": "import { a } from './nowhere.ts';\nexport const onRequest = a;\n"}
    assert "functions/gone.ts" in shop.deploy(missing).json()["detail"]
    assert shop.ask("/").text == "<h1>shop</h1>"
    assert shop.ask("/hello").text == "hello 1 /hello"
    names = [each["name"] for each in shop.box.admin.get("/api/v1/projects/default/workers").json()["items"]]
    assert "shop--bad" not in names


def test_a_function_is_a_worker_of_its_site(shop: Shop) -> None:
    shown = shop.box.admin.get("/api/v1/projects/default/workers/shop--hello").json()
    assert (shown["source"], shown["sites"]) == ("site", ["shop"])
    assert shop.box.client.get("/run/shop--hello").status_code == 404
    refused = shop.box.admin.delete("/api/v1/projects/default/workers/shop--hello")
    assert (refused.status_code, refused.json()["code"]) == (409, "worker_in_use")
    (version,) = shop.box.admin.get("/api/v1/projects/default/workers/shop--hello/versions").json()["items"]
    assert version["live_in"] == [{"environment": "production", "weight": 100}]
    assert shown["url"] == f"http://shop.localhost:{shop.box.port}/"


def test_the_served_folders_site_has_functions_too(box: RunningBox) -> None:
    mark = box.mark()
    folder = box.directory / "pages" / "blog"
    for name, text in {"index.html": "blog", "functions/hi.ts": "export default () => 'hi 1';"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    box.wait_line("site blog is live", mark)
    assert _blog(box, "/hi").json()["data"] == "hi 1"
    mark = box.mark()
    (folder / "functions" / "hi.ts").write_text("export default () => 'hi 2' +;")
    assert "functions/hi.ts:1" in box.wait_line("functions/hi.ts", mark)
    assert _blog(box, "/hi").json()["data"] == "hi 1"
    mark = box.mark()
    (folder / "functions" / "hi.ts").write_text("export default () => 'hi 3';")
    box.wait_line("site blog is live", mark)
    assert _blog(box, "/hi").json()["data"] == "hi 3"
    mark = box.mark()
    shutil.rmtree(folder)
    box.wait_line("site blog was removed", mark)
    assert box.admin.get("/api/v1/projects/default/workers/blog--hi").status_code == 404


def _blog(box: RunningBox, path: str) -> httpx.Response:
    return box.client.get(path, headers={"host": f"blog.localhost:{box.port}"})
