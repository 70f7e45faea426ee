"""`v8box pages` against a real box."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.real import Shell

from v8box.cli import site_files
from v8box.cli.exits import CommandFailed

PAGES = {
    "index.html": "<h1>one</h1>",
    "assets/app.js": "let one = 1;",
    "big.bin": "x" * 100_000,
    "_redirects": "/old /new 301\nnonsense\n",
    ".env": "SECRET=1",
    ".well-known/security.txt": "Contact: x",
    "node_modules/x/index.js": "x",
    "notes.txt": "left out",
    ".v8boxignore": "notes.txt\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def visit(shell: Shell, path: str = "/", label: str = "blog", **options: Any) -> httpx.Response:
    host = f"{label}.localhost:{shell.box.port}"
    return shell.box.client.get(path, headers={"host": host, **options})


def test_a_site_from_its_first_deploy_to_its_end(shell: Shell, tmp_path: Path) -> None:
    dist = write(tmp_path / "dist", PAGES)
    first = shell.call("pages", "deploy", str(dist), "--site", "blog", "-m", "first")
    assert first.returncode == 0, first.stderr
    assert f"http://blog.localhost:{shell.box.port}/" in first.stdout
    assert "_redirects:2: " in first.stderr
    assert "4 files" in first.stderr
    assert visit(shell).text == "<h1>one</h1>"
    assert visit(shell, "/assets/app.js").text == "let one = 1;"
    assert [visit(shell, path).status_code for path in ("/notes.txt", "/.env", "/node_modules/x/index.js")] == [404] * 3

    write(dist, {"index.html": "<h1>two</h1>"})
    second = shell.data("pages", "deploy", str(dist), V8BOX_SITE="blog")
    assert (second["number"], second["live"], second["files"]) == (2, True, 4)
    assert second["sent_bytes"] < 200  # the page and the rules, not the large file
    assert visit(shell).text == "<h1>two</h1>"

    write(dist, {"index.html": "<h1>three</h1>", "new.html": "new"})
    draft = shell.data("pages", "deploy", str(dist), "-s", "blog", "--draft")
    assert not draft["live"]
    assert visit(shell).text == "<h1>two</h1>"
    assert visit(shell, label=f"{draft['id']}--blog").text == "<h1>three</h1>"
    assert shell.data("pages", "diff", "blog", "2", "3") == {
        "added": ["/new.html"],
        "removed": [],
        "changed": ["/index.html"],
        "sizes": {"/index.html": {"before": 12, "after": 14}, "/new.html": {"before": None, "after": 3}},
        "bytes": 5,
        "rules": [],
    }
    lines = shell.call("pages", "diff", "blog", "2", "3", "index.html").stdout.splitlines()
    assert lines[-2:] == ["-<h1>two</h1>", "+<h1>three</h1>"]
    assert "/new.html" in shell.call("pages", "diff", "blog", "2", "3").stdout
    assert shell.data("pages", "promote", "blog", "3")["live_release"] == 3
    assert visit(shell).text == "<h1>three</h1>"
    assert shell.data("pages", "rollback", "blog")["live_release"] == 2
    assert shell.data("pages", "rollback", "blog", "--to", "1")["live_release"] == 1
    assert visit(shell).text == "<h1>one</h1>"

    assert [each["number"] for each in shell.data("pages", "releases", "blog")] == [3, 2, 1]
    assert "first" in shell.call("pages", "releases", "blog").stdout
    assert [each["name"] for each in shell.data("pages", "list")] == ["blog"]
    assert shell.data("pages", "show", "blog")["live_release"] == 1
    shown = shell.call("pages", "show", "blog", "1")
    assert "/assets/app.js" in shown.stdout
    assert "_redirects:2" in shown.stderr
    assert shell.data("pages", "open", "blog", "--release", "3")["url"] == draft["url"]

    set_up = shell.data(
        "pages", "preview", "set", "blog", "demo", "3", "--password", "--expires", "1d", given="open sesame\n"
    )
    assert (set_up["password"], set_up["release"]) == (True, 3)
    assert visit(shell, label="demo--blog").status_code == 401
    right = httpx.BasicAuth("anybody", "open sesame")._auth_header
    assert visit(shell, label="demo--blog", authorization=right).text == "<h1>three</h1>"
    assert [each["label"] for each in shell.data("pages", "preview", "list", "blog")] == ["demo"]
    assert shell.data("pages", "open", "blog", "--preview", "demo")["url"] == set_up["url"]
    assert shell.call("pages", "preview", "rm", "blog", "demo").returncode == 0
    assert visit(shell, label="demo--blog").status_code == 404

    added = shell.data("pages", "domain", "add", "blog", "www.example.invalid")
    assert added["token"] in added["dns_record"]
    assert "Nothing proves" in shell.fails(5, "pages", "domain", "verify", "blog", "www.example.invalid")
    assert [each["host"] for each in shell.data("pages", "domain", "list", "blog")] == ["www.example.invalid"]
    assert shell.call("pages", "domain", "rm", "blog", "www.example.invalid").returncode == 0

    assert shell.call("pages", "delete", "blog", "2", "--yes").returncode == 0
    assert "--yes" in shell.fails(1, "pages", "delete", "blog")
    assert shell.call("pages", "delete", "blog", "--yes").returncode == 0
    assert visit(shell).status_code == 404
    assert "blog" not in {each["name"] for each in shell.data("pages", "list")}


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (1, ("pages", "deploy", "nowhere", "-s", "blog"), "no folder"),
        (1, ("pages", "deploy", "empty", "-s", "blog"), "nothing to deploy"),
        (2, ("pages", "deploy", "empty"), "--site"),
        (3, ("pages", "show", "nope"), "no site"),
        (3, ("pages", "open", "nope"), "no site"),
        (3, ("pages", "rollback", "nope"), "no site"),
        (2, ("pages", "promote", "nope", "0"), ""),
        (3, ("pages", "preview", "set", "nope", "demo", "1"), "no site"),
        (3, ("pages", "domain", "list", "nope"), "no site"),
    ],
)
def test_mistakes_are_told(shell: Shell, tmp_path: Path, code: int, words: tuple[str, ...], told: str) -> None:
    (tmp_path / "empty").mkdir()
    assert told in shell.fails(
        code, *words, cwd=tmp_path, V8BOX_URL=f"http://localhost:{shell.box.port}", V8BOX_TOKEN=token(shell)
    )


def test_a_name_that_a_site_cannot_have_sends_nothing(shell: Shell, tmp_path: Path) -> None:
    dist = write(tmp_path / "dist", PAGES)
    assert "needs itself" in shell.fails(1, "pages", "deploy", str(dist), "-s", "admin")
    assert "admin" not in {each["name"] for each in shell.data("pages", "list")}


def token(shell: Shell) -> str:
    return (shell.box.directory / "data" / "keys" / "local.token").read_text().strip()


# ---- what is read of a folder


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"index.html": "x", "docs/a.html": "a"})
    (tmp_path / "secret.html").write_text("SECRET")
    (root / "out.html").symlink_to(tmp_path / "secret.html")
    (root / "etc").symlink_to("/etc")
    (root / "in.html").symlink_to(root / "index.html")
    assert [each.path for each in site_files.read_site(root)] == ["/in.html", "/index.html", "/docs/a.html"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no folder"):
        site_files.read_site(tmp_path / "nowhere")
    with pytest.raises(CommandFailed, match="nothing to deploy"):
        site_files.read_site(tmp_path)


class Box:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.archives: list[list[str]] = []
        self.stored: list[bool] = []
        self.alone: list[str] = []

    def upload(self, path: str, fields: Any, file: Any, name: str, on_bytes: Any) -> None:
        with zipfile.ZipFile(file) as archive:
            self.archives.append(archive.namelist())
            self.stored.append(any(each.compress_type == zipfile.ZIP_STORED for each in archive.infolist()))

    def put_file(self, path: str, file: Any, on_bytes: Any) -> None:
        self.alone.append(path)
        on_bytes(len(file.read()))


def test_small_files_go_together_and_large_ones_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_files, "LARGE_BYTES", 1_000_000)
    monkeypatch.setattr(site_files, "_BATCH_FILES", 2)
    write(tmp_path, {"a": "a", "b": "b", "c": "0" * 900_000, "d": "d" * 1_500_000})
    files = site_files.read_site(tmp_path)
    by_name = {each.path: each.sha256 for each in files}
    box: Any = Box()
    told: list[int] = []
    site_files.send(box, "projects/default/sites/x", files, told.append)
    assert box.archives == [[by_name["/a"], by_name["/b"]], [by_name["/c"]]]
    assert box.stored == [False, True]  # 900 kB of zeros in 1 kB would be a bomb
    assert box.alone == [f"projects/default/sites/x/files/{by_name['/d']}"]
    assert sum(told) == 2 + 900_000 + 1_500_000


def test_functions_that_lie_beside_the_build_go_with_it(shell: Shell, tmp_path: Path) -> None:
    dist = write(tmp_path / "dist", {"index.html": "<h1>one</h1>"})
    functions = write(tmp_path / "functions", {"hello.ts": "export default () => 'hello';", "_lib.ts": "export {};"})
    made = shell.call("pages", "deploy", str(dist), "--site", "fns", "--functions", str(functions))
    assert made.returncode == 0, made.stderr
    assert "/hello is answered by the worker fns--hello, functions/hello.ts" in made.stderr
    assert visit(shell, "/hello", label="fns").json()["data"] == "hello"
    assert visit(shell, "/functions/hello.ts", label="fns").status_code == 404
    assert "at the site fns" in shell.call("list").stdout
    assert "functions/ of the site fns" in shell.call("show", "fns--hello").stdout

    write(functions, {"hello.ts": "export default () =>\n  'hello' +;"})
    broken = shell.call("pages", "deploy", str(dist), "--site", "fns", "--functions", str(functions))
    assert broken.returncode != 0
    assert "functions/hello.ts:2:" in broken.stderr
    assert visit(shell, "/hello", label="fns").json()["data"] == "hello"
    write(dist, {"functions/other.ts": "export default () => 1;"})
    twice = shell.call("pages", "deploy", str(dist), "--site", "fns", "--functions", str(functions))
    assert "has functions/ of its own" in twice.stderr


def test_rules_are_listed_and_tried_and_settings_set(shell: Shell, tmp_path: Path) -> None:
    site = {"index.html": "<h1>one</h1>", "_redirects": "/old/* /new/:splat\n/de /willkommen 302 Language=de\n"}
    assert shell.call("pages", "deploy", str(write(tmp_path / "dist", site)), "-s", "ruled").returncode == 0
    assert visit(shell, "/old/x", label="ruled").status_code == 301
    listed = shell.data("pages", "redirects", "ruled")
    assert [(each["from"], each["hits"]) for each in listed] == [("/old/*", 1), ("/de", 0)]
    assert "language=de" in shell.call("pages", "redirects", "ruled", "--unused").stdout
    tried = shell.data("pages", "try", "ruled", "/de", "--language", "de-AT")
    assert (tried["outcome"], tried["place"], tried["rule"]["line"]) == ("redirect", "/willkommen", 2)
    assert "not found" in shell.call("pages", "try", "ruled", "/de").stdout

    shown = shell.call("pages", "settings", "ruled", "security_headers=true", "optimise=html,css")
    assert shown.returncode == 0, shown.stderr
    assert "x-frame-options" in visit(shell, label="ruled").headers
    assert shell.data("pages", "settings", "ruled")["set"] == {"security_headers": True, "optimise": ["html", "css"]}
    assert shell.data("pages", "settings", "ruled", "optimise=")["set"] == {"security_headers": True}
    for wrong in ("security_headers", "security_headers=2", "mounts=[", "nonsense=1"):
        assert shell.call("pages", "settings", "ruled", wrong).returncode != 0


def test_a_branch_is_shown_at_its_own_preview(shell: Shell, tmp_path: Path) -> None:
    dist = write(tmp_path / "dist", {"index.html": "one"})
    assert shell.call("pages", "deploy", str(dist), "-s", "branched").returncode == 0
    for text in ("two", "three"):
        write(dist, {"index.html": text})
        shown = shell.call("pages", "deploy", str(dist), "-s", "branched", "--preview", "pr-7")
        assert f"http://pr-7--branched.localhost:{shell.box.port}/" in shown.stdout
        assert visit(shell, label="pr-7--branched").text == text
        assert visit(shell, label="branched").text == "one"
    shell.call("pages", "preview", "set", "branched", "pr-8", "1", "--password", given="open sesame\n")
    assert shell.call("pages", "deploy", str(dist), "-s", "branched", "--preview", "pr-8").returncode == 0
    assert visit(shell, label="pr-8--branched").status_code == 401  # another release throws nothing open
    assert shell.call("pages", "preview", "set", "branched", "pr-8", "1", "--no-password").returncode == 0
    assert visit(shell, label="pr-8--branched").text == "one"


def test_an_archive_is_sent_as_it_is(shell: Shell, tmp_path: Path) -> None:
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("site/index.html", "zipped")
    first = shell.call("pages", "deploy", str(archive), "-s", "zipped", "-m", "why")
    assert first.returncode == 0, first.stderr
    assert visit(shell, label="zipped").text == "zipped"
    archive.write_bytes(b"no archive")
    assert shell.call("pages", "deploy", str(archive), "-s", "zipped").returncode != 0
    assert (
        "an archive holds its own"
        in shell.call("pages", "deploy", str(archive), "-s", "zipped", "--functions", str(tmp_path)).stderr
    )
    assert visit(shell, label="zipped").text == "zipped"
    (entry,) = shell.data("pages", "history", "zipped")
    assert (entry["release"], entry["change"], entry["message"]) == (1, "deployed", "why")


def test_a_site_is_made_before_its_first_release_and_a_release_pinned(shell: Shell, tmp_path: Path) -> None:
    assert "pages deploy dist --site early" in shell.call("pages", "create", "early").stderr
    assert shell.data("pages", "settings", "early", "security_headers=true")["release"] is None
    dist = write(tmp_path / "dist", {"index.html": "<h1>   one   </h1>" * 200})
    assert shell.data("pages", "deploy", str(dist), "-s", "early")["number"] == 1
    assert "x-frame-options" in visit(shell, label="early").headers
    assert shell.data("pages", "pin", "early", "1", "-m", "the first")["pinned"]
    assert "(pinned)" in shell.call("pages", "releases", "early").stdout
    assert not shell.data("pages", "pin", "early", "1", "--off")["pinned"]
    asked = shell.call("pages", "optimise", "early", "1")
    assert asked.returncode == 0
    assert "v8box pages show early 1" in asked.stderr
