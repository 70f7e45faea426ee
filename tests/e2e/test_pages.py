"""Sites in a real box: deploys while visitors read, previews, killed deploys, archives from CI, what Caddy asks."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import apsw
import httpx
import pytest
from tests.e2e.box import RunningBox

SITES = "/api/v1/projects/default/sites"
FILES = 190


@pytest.fixture(scope="module")
def pages_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    box = RunningBox(folder(tmp_path_factory.mktemp("pages")))
    try:
        yield box.wait_ready()
    finally:
        box.stop()


def folder(directory: Path) -> Path:
    """With something in it, so that no examples are put there."""
    (directory / "pages" / "docs").mkdir(parents=True)
    (directory / "pages" / "docs" / "index.html").write_text("from the folder")
    return directory


def release(number: int, files: int = 20) -> dict[str, str]:
    """Its number is in every file, and in a header."""
    text = f"release {number} " * 200
    made = {f"assets/{each}.js": f"// {each}\n{text}" for each in range(files)}
    return {"index.html": f"<p>{text}</p>", "_headers": f"/*\n  X-Release: {number}\n", **made}


def zipped(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def deploy(box: RunningBox, site: str, files: Mapping[str, str], **params: str) -> httpx.Response:
    return box.admin.post(f"{SITES}/{site}/releases", files={"file": zipped(files)}, params=params)


def visit(box: RunningBox, label: str, path: str = "/", **headers: str) -> httpx.Response:
    return box.client.get(path, headers={"host": f"{label}.localhost:{box.port}", **headers})


def test_the_folder_is_served_before_the_box_is_ready(pages_box: RunningBox) -> None:
    assert visit(pages_box, "docs").text == "from the folder"
    assert pages_box.client.get("/pages/docs/").text == "from the folder"
    refused = deploy(pages_box, "docs", {"index.html": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "comes_from_folder")


def test_deploying_during_load_serves_whole_releases_only(pages_box: RunningBox) -> None:
    assert deploy(pages_box, "load", release(0)).status_code == 201
    done = threading.Event()
    faults: list[str] = []
    seen: set[int] = set()

    def read(path: str) -> None:
        with httpx.Client(base_url=pages_box.client.base_url, timeout=60, trust_env=False) as client:
            while not done.is_set() and not faults:
                answer = client.get(path, headers={"host": f"load.localhost:{pages_box.port}"})
                numbers = {int(each) for each in re.findall(r"release (\d+)", answer.text)}
                told = answer.headers.get("x-release")
                if answer.status_code != 200 or numbers != {int(told or -1)} or answer.text.count("release") != 200:
                    faults.append(f"{path}: {answer.status_code} {told} {numbers} {answer.text[:80]}")
                seen.update(numbers)

    readers = [threading.Thread(target=read, args=(path,)) for path in ("/", "/assets/7.js", "/?q=1")]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, 8):
            assert deploy(pages_box, "load", release(number)).json()["live"]
            now = visit(pages_box, "load")  # whoever has the answer sees what it says
            assert now.headers["x-release"] == str(number)
    finally:
        done.set()
        for reader in readers:
            reader.join(60)
    assert faults == []
    assert len(seen) > 1


def test_ci_deploys_a_site_with_one_request(pages_box: RunningBox) -> None:
    archive = {"file": ("site.zip", zipped({"dist/index.html": "<h1>from CI</h1>"}))}
    made = pages_box.admin.post("/api/deploy", data={"project": "shop", "message": "abc"}, files=archive).json()
    assert (made["site"]["name"], made["site"]["release"], made["workers"]) == ("shop", 1, [])
    assert made["site"]["url"] == f"http://shop.localhost:{pages_box.port}/"
    assert visit(pages_box, "shop").text == "<h1>from CI</h1>"
    branch = pages_box.admin.post("/api/deploy", data={"site": "shop", "environment": "pr-7"}, files=archive).json()
    assert branch["site"]["url"] == f"http://pr-7--shop.localhost:{pages_box.port}/"
    assert visit(pages_box, "pr-7--shop").headers["x-robots-tag"] == "noindex"


def test_a_project_takes_its_sites_with_it(pages_box: RunningBox) -> None:
    admin = pages_box.admin
    admin.post("/api/v1/projects", json={"name": "acme", "quotas": {"sites": 1}})
    sites = "/api/v1/projects/acme/sites"
    archive = {"file": zipped({"index.html": "acme" * 25_000})}
    assert admin.post(f"{sites}/acme/releases", files=archive).status_code == 201
    assert admin.post(f"{sites}/more/releases", files=archive).json()["code"] == "quota_exceeded"
    used = admin.get("/api/v1/projects/acme/usage").json()
    assert (used["sites"]["used"], used["storage_mb"]["used"] > 0) == (1, True)
    refused = admin.delete("/api/v1/projects/acme")
    assert (refused.status_code, refused.json()["sites"]) == (409, 1)
    deleting = admin.delete("/api/v1/projects/acme", params={"confirm": "acme"})
    assert admin.get(f"{deleting.headers['location']}?wait=30").json()["state"] == "succeeded"
    assert visit(pages_box, "acme").status_code == 404
    assert deploy(pages_box, "acme", {"index.html": "mine now"}).status_code == 201  # the name is free


def test_a_stranger_gets_nothing_by_an_archive(pages_box: RunningBox) -> None:
    told = deploy(pages_box, "evil", {"index.html": "x", "../../../etc/evil": "x"})
    assert (told.status_code, told.json()["code"], told.json()["entry"]) == (400, "bad_archive", "../../../etc/evil")
    assert pages_box.admin.get(f"{SITES}/evil").status_code == 404
    nobody = pages_box.client.post(f"{SITES}/evil/releases", files={"file": zipped({"index.html": "x"})})
    assert nobody.status_code == 401


def test_caddy_gets_certificates_for_what_answers_here_only(pages_box: RunningBox) -> None:
    deploy(pages_box, "tls", {"index.html": "x"})
    ask = "/internal/tls/ask"
    for host, status in (
        ("tls.localhost", 200),
        ("admin.localhost", 200),
        ("nope.localhost", 404),
        ("evil.example.com", 404),
        ("", 404),
    ):
        assert pages_box.client.get(ask, params={"domain": host}).status_code == status, host
    proxied = pages_box.client.get(ask, params={"domain": "tls.localhost"}, headers={"x-forwarded-for": "192.0.2.1"})
    assert proxied.status_code == 404


def test_a_preview_asks_for_its_password_and_ends(tmp_path: Path) -> None:
    directory = folder(tmp_path / "box")
    box = RunningBox(directory)
    right = httpx.BasicAuth("anybody", "open sesame")._auth_header
    wrong = httpx.BasicAuth("anybody", "open barley")._auth_header
    try:
        box.wait_ready()
        deploy(box, "blog", {"index.html": "live"})
        number = deploy(box, "blog", {"index.html": "soon"}, live="false").json()["number"]
        wanted = {"release": number, "password": "open sesame", "expires_in_seconds": 3_600}
        made = box.admin.put(f"{SITES}/blog/previews/demo", json=wanted)
        assert (made.json()["password"], "open sesame" in made.text) == (True, False)
        asked = visit(box, "demo--blog")
        assert (asked.status_code, asked.headers["www-authenticate"][:24]) == (401, 'Basic realm="demo--blog"')
        assert asked.headers["cache-control"] == "no-store"
        assert "soon" not in asked.text
        assert visit(box, "demo--blog", authorization=wrong).status_code == 401
        shown = visit(box, "demo--blog", authorization=right)
        assert (shown.text, shown.headers["x-robots-tag"]) == ("soon", "noindex")
        assert shown.headers["cache-control"] == "private, no-cache"
        assert visit(box, "blog").text == "live"
    finally:
        box.stop()
    with apsw.Connection(str(directory / "data" / "catalog.db")) as database:
        database.execute("update previews set expires_at = '2026-01-01T00:00:00+00:00'")
    database.close()
    box = RunningBox(directory)
    try:
        box.wait_ready()
        assert visit(box, "demo--blog", authorization=right).status_code == 404
        assert visit(box, "blog").text == "live"
    finally:
        box.stop()


def test_a_killed_deploy_leaves_what_was_live(tmp_path: Path) -> None:
    """Killed while the archive comes, is unpacked, is stored, and around going live."""
    directory = folder(tmp_path / "box")
    data = directory / "data"
    live, tried = 0, 0
    moments: list[Callable[[int], bool]] = [
        lambda _: any(data.glob("staging-sites/*/upload")),
        lambda _: any(data.glob("staging-sites/*/files/assets/1*.js")),
        lambda before: _stored(data) > before + 3,
        lambda before: _stored(data) > before + FILES - 5,
        lambda before: _stored(data) > before + FILES + 1,
    ]
    for moment in (None, *moments):
        box = RunningBox(directory)
        try:
            box.wait_ready()
            assert not any((data / "staging-sites").iterdir())
            live = _check(box, live, tried)
            if moment is None:
                assert deploy(box, "blog", release(0, FILES)).status_code == 201
                continue
            tried += 1
            before = _stored(data)
            sending = threading.Thread(target=_try, args=(box, tried))
            sending.start()
            while not moment(before) and sending.is_alive():
                continue  # a moment is short
            box.process.kill()
            sending.join(60)
        finally:
            box.stop()
    box = RunningBox(directory)
    try:
        box.wait_ready()
        live = _check(box, live, tried)
        assert deploy(box, "blog", release(99, FILES)).status_code == 201
        assert visit(box, "blog").headers["x-release"] == "99"
    finally:
        box.stop()


def _try(box: RunningBox, number: int) -> None:
    try:
        deploy(box, "blog", release(number, FILES))
    except httpx.TransportError:
        pass  # it was killed


def _stored(data: Path) -> int:
    return sum(1 for _ in (data / "sites").glob("??/*"))


def _check(box: RunningBox, before: int, tried: int) -> int:
    """What is live is whole, and is what was live before or what was tried last. Gives which."""
    if box.admin.get(f"{SITES}/blog").status_code == 404:
        return 0
    now = int(visit(box, "blog").headers["x-release"])
    assert now in (before, tried)
    wanted = release(now, FILES)
    for info in box.admin.get(f"{SITES}/blog/releases").json()["items"]:
        files = box.admin.get(f"{SITES}/blog/releases/{info['number']}/files", params={"limit": 200}).json()["items"]
        assert len(files) == FILES + 1
        for each in files:
            stored = box.directory / "data" / "sites" / each["sha256"][:2] / each["sha256"][2:]
            assert hashlib.sha256(stored.read_bytes()).hexdigest() == each["sha256"]
    for path in ("index.html", "assets/0.js", f"assets/{FILES - 1}.js"):
        assert visit(box, "blog", "/" if path == "index.html" else f"/{path}").text == wanted[path]
    return now
