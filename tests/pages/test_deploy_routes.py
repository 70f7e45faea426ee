"""Releases over the API: good archives, strangers' archives, files sent ahead, who may, what is left of a failure."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.fakes.current import Current
from tests.fakes.principals import any_project
from tests.pages.archives import hostile, tarred, zipped
from tests.pages.conftest import ADA, MAX_BYTES, World
from tests.pages.web import Web, web_of

from v8box.api.access import EVERY_PROJECT, Role, Scope
from v8box.api.app import build_api
from v8box.api.auth.passwords import Passwords
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.features.operations.routes import build_router as operation_routes
from v8box.features.pages import Deploy, deploy_routes
from v8box.features.pages.routes import build_routers
from v8box.kit.archives import Bounds
from v8box.telemetry import audit

SITES = "http://localhost/api/v1/projects/default/sites"
BLOG = f"{SITES}/blog"
PAGES = {"index.html": "<h1>home</h1>", "app.js": "let a = 1", "docs/index.html": "docs", "_redirects": "/a /b\nwhat\n"}
FIRST = {"message": "first"}
CUT = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nPK'
HOSTILE = hostile()


def digest(data: str | bytes) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def address(label: str) -> str:
    return f"http://{label}.localhost:8000/"


@dataclass
class Served:
    """The application, and what it serves."""

    service: Any = field(default_factory=Current)
    hasher: Any = field(default_factory=Current)
    operations: Any = field(default_factory=Current)
    ledger: Any = field(default_factory=Current)

    def __post_init__(self) -> None:
        routers = [
            *build_routers(self.service, address, self.hasher),
            deploy_routes.build_router(self.service, address, self.operations),
            operation_routes(self.operations),
        ]
        self.app = build_api(routers, idempotency=self.ledger, project_exists=any_project)


@pytest.fixture(scope="module")
def served() -> Served:
    return Served()


@pytest.fixture
async def app(served: Served, world: World) -> AsyncIterator[As]:
    hasher = Passwords()
    operations = await Operations.open(world.database)
    ledger = await Idempotency.open(world.database)
    served.service.real, served.hasher.real = world.service, hasher
    served.operations.real, served.ledger.real = operations, ledger
    yield As(served.app)
    await operations.close()
    await ledger.close()
    hasher.stop()


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def web(world: World) -> AsyncIterator[Web]:
    async with web_of(world) as web:
        yield web


async def test_a_large_release_is_read_once_for_all_pages_of_its_files(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deploy({f"{number}/index.html": "x" for number in range(900)})
    read: list[str] = []
    get = world.blobs.get

    async def noted(key: str) -> bytes:
        read.append(key)
        return await get(key)

    monkeypatch.setattr(world.blobs, "get", noted)
    paths: list[str] = []
    cursor: str | None = None
    while True:
        asked = {"limit": "200"} if cursor is None else {"limit": "200", "cursor": cursor}
        page = (await client.get(f"{BLOG}/releases/1/files", params=asked)).json()
        paths += [each["path"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(set(paths)) == len(paths) == 900
    assert len(read) <= 1


async def test_a_file_is_compared_with_what_it_was(client: httpx.AsyncClient, world: World) -> None:
    long = "line\n" * 60_000
    await world.deploy({"index.html": "one\n", "a.png": b"\x89PNG\0", "gone.txt": "x", "long.txt": long})
    await world.deploy(
        {"index.html": "two\n", "a.png": b"\x89PNG\0\0", "caf\u00e9.txt": "\u00e9", "long.txt": long + "x"}
    )

    async def texts(path: str) -> tuple[Any, Any]:
        body = (await client.get(f"{BLOG}/releases/1/diff/2/file", params={"path": path})).json()
        assert body["path"] == path
        return tuple(body[side] and body[side]["text"] for side in ("before", "after"))

    assert await texts("/index.html") == ("one\n", "two\n")
    assert await texts("/caf\u00e9.txt") == (None, "\u00e9")
    assert await texts("/gone.txt") == ("x", None)
    assert await texts("/a.png") == await texts("/long.txt") == (None, None)
    body = (await client.get(f"{BLOG}/releases/1/diff/2/file", params={"path": "/a.png"})).json()
    assert (body["before"]["bytes"], body["after"]["bytes"], body["after"]["type"]) == (5, 6, "image/png")
    for path in ("/nothing", "", "/../index.html", "index.html", "/\0"):
        problem(await client.get(f"{BLOG}/releases/1/diff/2/file", params={"path": path}), 404, "not_found")
    problem(await client.get(f"{BLOG}/releases/1/diff/9/file", params={"path": "/index.html"}), 404, "not_found")
    for far in (0, 10**30):
        assert (await client.get(f"{BLOG}/releases/1/diff/{far}")).status_code == 400
        assert (await client.get(f"{BLOG}/releases/{far}/files")).status_code == 400
        assert (await client.put(f"{BLOG}/live", json={"release": far})).status_code == 400


async def events(world: World) -> list[audit.Event]:
    rows = await world.database.read(lambda sql: sql.rows("select * from audit order by number"))
    return [audit.read(row).event for row in rows]


async def live(client: httpx.AsyncClient) -> int | None:
    number: int | None = (await client.get(BLOG)).json()["live_release"]
    return number


# ---- the list


async def test_the_list_has_what_is_live_and_where(client: httpx.AsyncClient, world: World) -> None:
    await client.post(SITES, json={"name": "empty"})
    for message in ("first", "second"):
        params = {"message": message}
        head = {"content-type": "application/zip"}
        files = {**PAGES, "app.js": message}
        await client.post(f"{BLOG}/releases", content=zipped(files), headers=head, params=params)
    domain = await world.service.sites.add_domain("default", "blog", "www.example.com", ADA)
    items = (await client.get(SITES)).json()["items"]
    blog, empty = items
    assert (blog["name"], blog["live_release"], blog["files"], blog["message"]) == ("blog", 2, 3, "second")
    assert blog["bytes"] == sum(len(PAGES[name]) for name in ("index.html", "docs/index.html")) + len("second")
    assert (blog["deployed_by"], blog["domains"]) == ("ada", [{"host": domain.host, "verified": False}])
    assert (empty["live_release"], empty["files"], empty["bytes"], empty["domains"]) == (None, None, None, [])
    await client.post(f"{BLOG}/rollback", json={})
    assert [each["message"] for each in (await client.get(SITES)).json()["items"]] == ["first", None]


# ---- archives


@pytest.mark.parametrize("top", ["", "site-1a2b/"])
@pytest.mark.parametrize("how", ["form", "zip", "tar"])
async def test_an_archive_becomes_a_release_that_is_live(
    client: httpx.AsyncClient, web: Web, world: World, top: str, how: str
) -> None:
    files = {f"{top}{name}": text for name, text in PAGES.items()}
    sent: dict[str, dict[str, Any]] = {
        "form": {"files": {"file": ("site.zip", zipped(files))}, "data": FIRST},
        "zip": {"content": zipped(files), "headers": {"content-type": "application/zip"}, "params": FIRST},
        "tar": {"content": tarred(files), "headers": {"content-type": "application/gzip"}, "params": FIRST},
    }
    made = await client.post(f"{BLOG}/releases", **sent[how])
    assert made.status_code == 201, made.text
    release = made.json()
    assert made.headers["location"] == "/api/v1/projects/default/sites/blog/releases/1"
    assert (release["number"], release["live"], release["files"], release["message"]) == (1, True, 3, "first")
    assert [(each["line"], each["text"]) for each in release["report"]["ignored"]] == [(2, "what")]
    assert (await client.get(BLOG)).json()["url"] == "http://blog.localhost:8000/"
    assert (await web.get("/")).body == b"<h1>home</h1>"
    assert (await web.get("/docs/")).body == b"docs"
    assert (await web.get("/a")).headers["location"] == "/b"
    assert (await web.get("/", release["url"][7:-1])).headers["x-robots-tag"] == "noindex"
    assert world.staged() == []
    entries = await events(world)
    assert [(each.action, each.project, each.actor.name) for each in entries] == [
        ("site.create", "default", "ada"),
        ("site.deployed", "default", "ada"),
    ]


async def test_a_draft_answers_at_its_own_address_only(client: httpx.AsyncClient, web: Web) -> None:
    await client.post(f"{BLOG}/releases", files={"file": zipped({"index.html": "one"})})
    draft = await client.post(f"{BLOG}/releases?live=false", files={"file": zipped({"index.html": "two"})})
    other = await client.post(
        f"{BLOG}/releases", data={"live": "false"}, files={"file": zipped({"index.html": "three"})}
    )
    assert [each.json()["live"] for each in (draft, other)] == [False, False]
    assert (await web.get("/")).body == b"one"
    assert (await web.get("/", f"{draft.json()['id']}--blog.localhost")).body == b"two"
    changed = await client.put(f"{BLOG}/live", json={"release": other.json()["number"]})
    assert changed.json()["live_release"] == 3
    assert (await web.get("/")).body == b"three"


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_strangers_archive_is_refused_by_the_name_of_its_entry(
    client: httpx.AsyncClient, world: World, what: str
) -> None:
    await world.deploy({"index.html": "before"})
    stored, around = world.stored(), sorted(world.folder.iterdir())
    data, entry = HOSTILE[what]
    told = problem(await client.post(f"{BLOG}/releases", files={"file": data}), 400, "bad_archive")
    if entry:
        shown = "".join(each if each.isprintable() else "\ufffd" for each in entry[:200])
        assert (told["entry"], shown in told["detail"]) == (shown, True)
    assert world.staged() == []
    assert world.stored() == stored
    assert sorted(world.folder.iterdir()) == around
    assert await live(client) == 1


async def test_too_many_files_or_too_much_are_refused(client: httpx.AsyncClient, world: World) -> None:
    big = zipped({"index.html": "x", "big": bytes(range(256)) * (MAX_BYTES // 256 + 1)})
    told = problem(await client.post(f"{BLOG}/releases", files={"file": big}), 400, "bad_archive")
    assert told["entry"] == "big"
    world.service.bounds = Bounds(entries=3, total_bytes=MAX_BYTES, file_bytes=MAX_BYTES)
    many = zipped({f"{number}.html": "x" for number in range(4)})
    told = problem(await client.post(f"{BLOG}/releases", files={"file": many}), 400, "bad_archive")
    assert told["entry"] == "3.html"
    noise = hashlib.shake_256(b"x").digest(MAX_BYTES + 1_000)
    answer = await client.post(f"{BLOG}/releases", content=noise, headers={"content-type": "application/zip"})
    problem(answer, 413, "payload_too_large")
    assert (world.staged(), world.stored()) == ([], set())
    problem(await client.get(BLOG), 404, "not_found")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"nothing", "application/zip", 400),
        (b"", "application/zip", 400),
        (b"nothing", "text/plain", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nPK',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"", "multipart/form-data", 400),
        (b"{", "application/json", 400),
        (b'{"files": {}}', "application/json", 400),
        (b'{"files": {"/a": "x"}}', "application/json", 400),
        (b'{"files": {"/a": "' + b"0" * 64 + b'"}, "colour": 1}', "application/json", 400),
    ],
)
async def test_what_is_no_deploy_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, world: World, content: bytes, kind: str, status: int
) -> None:
    answer = await client.post(f"{BLOG}/releases", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert (world.staged(), world.stored(), await world.sites.list()) == ([], set(), [])


async def test_forms_say_nothing_else(client: httpx.AsyncClient, world: World) -> None:
    good = {"file": zipped({"index.html": "x"})}
    for data in ({"colour": "x"}, {"live": "perhaps"}, {"message": "x" * 501}):
        problem(await client.post(f"{BLOG}/releases", data=data, files=good), 400, "bad_request")
    problem(await client.post(f"{BLOG}/releases", files={"archive": b"x"}), 400, "bad_request")
    problem(await client.post(f"{BLOG}/releases?message={'x' * 501}", files=good), 400, "bad_request")
    assert await world.sites.list() == []


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "releases", "application/zip"),
        ("POST", "releases", "multipart/form-data; boundary=x"),
        ("PUT", f"files/{digest('x')}", "application/octet-stream"),
    ],
)
async def test_an_upload_that_is_cut_off_leaves_nothing(
    app: As, world: World, method: str, path: str, kind: str
) -> None:
    body = CUT if "form" in kind else zipped(PAGES)[:100]
    messages: list[Any] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(f"nobody is there to be told {message}")

    scope = {
        "type": "http",
        "method": method,
        "path": f"/api/v1/projects/default/sites/blog/{path}",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", kind.encode())],
    }
    await app(scope, receive, send)
    assert (world.staged(), world.stored(), await world.sites.list()) == ([], set(), [])
    assert list((world.folder / "sites").iterdir()) == []


# ---- files sent ahead


async def test_only_files_that_are_not_there_are_sent(client: httpx.AsyncClient, web: Web, world: World) -> None:
    await world.deploy({"index.html": "one", "same.css": "s"})
    wanted = {"/index.html": digest("two"), "/same.css": digest("s"), "/_redirects": digest("/a /b")}
    asked = await client.post(f"{BLOG}/missing", json={"files": wanted})
    assert asked.json() == {"missing": sorted([digest("two"), digest("/a /b")])}
    early = await client.post(f"{BLOG}/releases", json={"files": wanted})
    assert problem(early, 409, "files_missing")["missing"] == 2
    for text in ("two", "/a /b"):
        sent = await client.put(f"{BLOG}/files/{digest(text)}", content=text)
        assert sent.json() == {"bytes": len(text)}
    assert (await client.post(f"{BLOG}/missing", json={"files": wanted})).json() == {"missing": []}
    made = await client.post(f"{BLOG}/releases", json={"files": wanted, "message": "by hash"})
    assert (made.status_code, made.json()["files"], made.json()["message"]) == (201, 2, "by hash")
    assert (await web.get("/")).body == b"two"
    assert (await web.get("/same.css")).body == b"s"
    assert (await web.get("/a")).headers["location"] == "/b"


async def test_many_files_are_sent_at_once(client: httpx.AsyncClient, web: Web, world: World) -> None:
    wanted = {"files": {"/index.html": digest("one"), "/a/b.js": digest("two"), "/c.js": digest("two")}}
    sent = await client.post(f"{BLOG}/files", files={"file": zipped({"x": "one", "y": "two"})})
    assert sent.json() == {"bytes": 6}
    assert (await client.post(f"{BLOG}/missing", json=wanted)).json()["missing"] == []
    assert (await client.post(f"{BLOG}/releases", json=wanted)).json()["files"] == 3
    assert [(await web.get(path)).body for path in ("/", "/a/b.js", "/c.js")] == [b"one", b"two", b"two"]
    told = problem(await client.post(f"{BLOG}/files", files={"file": zipped({"../x": "one"})}), 400, "bad_archive")
    assert told["entry"] == "../x"
    problem(await client.post(f"{BLOG}/files", files={"archive": b"x"}), 400, "bad_request")
    world.room.bytes = 5
    problem(await client.post(f"{BLOG}/files", files={"file": zipped({"x": "123456"})}), 507, "quota_exceeded")
    assert world.staged() == []


async def test_bytes_of_another_hash_or_too_many_are_refused(client: httpx.AsyncClient, world: World) -> None:
    problem(await client.put(f"{BLOG}/files/{digest('a')}", content="b"), 400, "bad_request")
    problem(await client.put(f"{BLOG}/files/{digest('a')}", content=b"x" * (MAX_BYTES + 1)), 413, "payload_too_large")
    problem(await client.put(f"{BLOG}/files/nothing", content="b"), 400, "bad_request")
    problem(await client.post(f"{BLOG}/releases", json={"files": {"/index.html": digest("a")}}), 409, "files_missing")
    assert await world.sites.list() == []


@pytest.mark.parametrize("path", ["index.html", "/../x", "/a//b", "/a\\b", "/a/./b", "/\u0001", "/", "/" + "x" * 1_100])
async def test_a_listed_path_that_leaves_the_site_is_refused(
    client: httpx.AsyncClient, world: World, path: str
) -> None:
    wanted = {"files": {"/index.html": digest("x"), path: digest("x")}}
    await client.put(f"{BLOG}/files/{digest('x')}", content="x")
    problem(await client.post(f"{BLOG}/missing", json=wanted), 400, "bad_site")
    problem(await client.post(f"{BLOG}/releases", json=wanted), 400, "bad_site")
    assert await world.sites.list() == []


async def test_bytes_sent_for_one_site_are_not_another_ones(client: httpx.AsyncClient, world: World) -> None:
    await client.put(f"{BLOG}/files/{digest('secret')}", content="secret")
    wanted = {"files": {"/index.html": digest("secret")}}
    for url in (f"{SITES}/spy", "http://localhost/api/v1/projects/other/sites/spy"):
        assert (await client.post(f"{url}/missing", json=wanted)).json()["missing"] == [digest("secret")]
        problem(await client.post(f"{url}/releases", json=wanted), 409, "files_missing")
    world.service = world.restarted()


async def test_bytes_that_a_sweep_took_are_asked_for_again(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"files": {"/index.html": digest("x")}}
    await client.put(f"{BLOG}/files/{digest('x')}", content="x")
    assert (await client.post(f"{BLOG}/missing", json=wanted)).json()["missing"] == []
    monkeypatch.setattr("v8box.features.pages.service._GRACE_SECONDS", -1.0)
    assert await world.service.sweep() == 1
    assert (await client.post(f"{BLOG}/missing", json=wanted)).json()["missing"] == [digest("x")]
    problem(await client.post(f"{BLOG}/releases", json=wanted), 409, "files_missing")


# ---- as an operation


async def test_a_deploy_may_go_on_by_itself(client: httpx.AsyncClient, web: Web, world: World) -> None:
    headers = {"prefer": "respond-async"}
    accepted = await client.post(f"{BLOG}/releases", files={"file": zipped(PAGES)}, headers=headers)
    assert accepted.status_code == 202
    ended = (await client.get(f"http://localhost{accepted.headers['location']}?wait=30")).json()
    assert (ended["state"], ended["kind"], ended["result"]["number"]) == ("succeeded", "release.create", 1)
    assert (await web.get("/")).body == b"<h1>home</h1>"
    accepted = await client.post(f"{BLOG}/releases", files={"file": b"PK nothing"}, headers=headers)
    ended = (await client.get(f"http://localhost{accepted.headers['location']}?wait=30")).json()
    assert (ended["state"], ended["problem"]["code"]) == ("failed", "bad_archive")
    assert world.staged() == []


# ---- who, where, how much


async def test_who_may_not_deploy_is_refused_before_anything_is_read(app: As, world: World) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"content-type": "application/zip"}
    for who in (
        user("eve", {"default": Role.VIEWER}),
        user("eve", {"other": Role.OWNER}),
        user("eve", {EVERY_PROJECT: Role.OWNER}, scopes=[Scope.READ]),
        user("eve", {EVERY_PROJECT: Role.OWNER}, project="other"),
    ):
        app.principal = who
        async with client_of(app) as client:
            problem(await client.post(f"{BLOG}/releases", content=never(), headers=headers), 403, "forbidden")
            problem(await client.put(f"{BLOG}/files/{digest('x')}", content=never()), 403, "forbidden")
    assert world.staged() == []


@pytest.mark.parametrize(
    ("site", "status", "code"),
    [
        ("admin", 400, "bad_site_name"),
        ("Blog", 400, "bad_site_name"),
        ("a--b", 400, "bad_site_name"),
        ("x" * 41, 400, "bad_site_name"),
        ("taken", 409, "site_taken"),
        ("folder", 409, "comes_from_folder"),
    ],
)
async def test_a_name_that_cannot_be_had(
    client: httpx.AsyncClient, world: World, site: str, status: int, code: str
) -> None:
    await world.deploy({"index.html": "x"}, site="taken", project="other")
    async with world.service.staged() as place:
        (place.files / "index.html").write_text("x")
        wanted = Deploy(project="default", site="folder", actor=ADA, fingerprint="1")
        await world.service.deploy_folder(wanted, place)
    answer = await client.post(f"{SITES}/{site}/releases", files={"file": zipped(PAGES)})
    problem(answer, status, code)
    assert len(await world.sites.list()) == 2


async def test_a_draft_of_a_site_from_the_folder_is_welcome(client: httpx.AsyncClient, world: World) -> None:
    async with world.service.staged() as place:
        (place.files / "index.html").write_text("x")
        await world.service.deploy_folder(Deploy(project="default", site="blog", actor=ADA, fingerprint="1"), place)
    made = await client.post(f"{BLOG}/releases?live=false", files={"file": zipped(PAGES)})
    assert (made.status_code, made.json()["live"]) == (201, False)


async def test_a_project_that_is_full_or_not_there_gets_nothing(client: httpx.AsyncClient, world: World) -> None:
    nowhere = "http://localhost/api/v1/projects/nowhere/sites"
    good = {"file": zipped(PAGES)}
    problem(await client.post(f"{nowhere}/blog/releases", files=good), 404, "project_not_found")
    problem(await client.post(nowhere, json={"name": "blog"}), 404, "project_not_found")
    world.room.sites = 0
    problem(await client.post(f"{BLOG}/releases", files=good), 409, "quota_exceeded")
    problem(await client.post(SITES, json={"name": "blog"}), 409, "quota_exceeded")
    problem(await client.put(f"{BLOG}/files/{digest('x')}", content="x"), 409, "quota_exceeded")
    world.room.sites, world.room.bytes = None, 10
    problem(await client.post(f"{BLOG}/releases", files=good), 507, "quota_exceeded")
    assert (world.staged(), world.stored(), await world.sites.list()) == ([], set(), [])


async def test_only_new_bytes_count_against_the_quota(client: httpx.AsyncClient, world: World) -> None:
    await world.deploy({"index.html": "one", "big.bin": "x" * 1_000})
    assert await world.service.bytes.of("default") == 1_003
    world.room.asked.clear()
    await client.post(f"{BLOG}/releases", files={"file": zipped({"index.html": "two!", "big.bin": "x" * 1_000})})
    assert world.room.asked == [4]
    assert await world.service.bytes.of("default") == 1_007
    assert await world.service.bytes.of("other") == 0
    await world.sites.delete("default", "blog", ADA)
    assert await world.service.bytes.of("default") == 0


async def test_every_change_of_a_site_is_in_the_audit_log(client: httpx.AsyncClient, world: World) -> None:
    await client.post(f"{BLOG}/releases", files={"file": zipped(PAGES)})
    await client.post(f"{BLOG}/releases", files={"file": zipped({"index.html": "2"})})
    await client.post(f"{BLOG}/rollback", json={})
    await client.patch(f"{BLOG}/releases/2", json={"pinned": True})
    await client.put(f"{BLOG}/previews/demo", json={"release": 2, "password": "open sesame"})
    await client.delete(f"{BLOG}/previews/demo")
    await client.patch(f"{BLOG}/releases/2", json={"pinned": False})
    await client.delete(f"{BLOG}/releases/2")
    await client.delete(BLOG)
    entries = await events(world)
    assert "open sesame" not in repr(entries)
    assert "hash" not in repr(entries)
    assert [each.action for each in entries] == [
        "site.create",
        "site.deployed",
        "site.deployed",
        "site.rolled_back",
        "site.describe",
        "site.preview",
        "site.preview_delete",
        "site.describe",
        "site.release_delete",
        "site.delete",
    ]
