"""Whatever names, hosts and headers are sent: nothing outside the site is read, and nothing is written."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pages.conftest import World, open_catalog, write
from tests.pages.web import Answer, Web, web_of

from v8box.catalog.sites import Sites
from v8box.storage import Database, FolderBlobs

BLOG = {
    "index.html": "blog home " * 40,
    "docs/index.html": "blog docs",
    "a b/caf\u00e9.html": "blog cafe",
    "big.bin": "blog" * 200_000,
    ".well-known/security.txt": "blog contact",
    ".env": "SECRET-env",
    ".git/config": "SECRET-git",
    "functions/_shared.ts": "// SECRET-source\nexport const shared = 1;\n",
    "node_modules/x.js": "SECRET-module",
    "_headers": "/*\n  X-Rule: SECRET-rule-is-no-file\n",
    "_redirects": "/old/* /docs/:splat 200\n/gone /nothing 410\n",
    "v8box.toml": '[site]\nnot_found_handling = "404-page"\n# SECRET-toml\n',
    "404.html": "blog lost",
}
SEEN = [text for name, text in BLOG.items() if "SECRET" not in text and not name.startswith("_")]
OTHER = {"index.html": "SECRET-of-another-site", "private.html": "SECRET-of-another-site"}

PIECES = [
    *(
        "..",
        ".",
        "",
        "...",
        "index.html",
        "docs",
        "docs/",
        "big.bin",
        ".env",
        ".git",
        "config",
        "functions",
        "_headers",
    ),
    *(
        "_redirects",
        "v8box.toml",
        ".well-known",
        "security.txt",
        "old",
        "a b",
        "caf\u00e9.html",
        "node_modules",
        "x.js",
    ),
    *(
        "%2e%2e",
        "%2E.",
        "%2f",
        "%5c",
        "\\",
        "..\\..",
        "%252e%252e%252f",
        "%00",
        "%c0%ae%c0%ae",
        "%ff",
        "%u002e",
        "%",
        "%2",
    ),
    *(
        "etc",
        "passwd",
        "proc",
        "self",
        "environ",
        "keys",
        "local.token",
        "sites",
        "catalog.db",
        "C:",
        "~",
        ";",
        ":",
        "*",
    ),
    *(
        "private.html",
        "other",
        "blog",
        "pages",
        "admin",
        "\u202e",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ),
]
piece = st.one_of(st.sampled_from(PIECES), st.text(max_size=6).map(lambda text: quote(text, safe="")))
raw = st.binary(max_size=40).map(lambda data: data.replace(b" ", b"%20").replace(b"\n", b"%0a").replace(b"\r", b"%0d"))
paths = st.one_of(
    st.lists(piece, max_size=8)
    .map(lambda parts: "/" + "/".join(parts))
    .map(lambda text: text.encode("utf-8", "replace")),
    raw.map(lambda data: b"/" + data),
)
prefixes = st.sampled_from(
    [b"", b"/pages/blog", b"/pages/blog/..", b"/pages/%62log", b"/pages/blog/%2e%2e/other", b"/pages"]
)
hosts = st.one_of(
    st.sampled_from(
        [
            *(
                "blog.localhost:8000",
                "BLOG.localhost",
                "blog.localhost.",
                "localhost",
                "blog.example.com",
                "x.blog.localhost",
            ),
            *(
                "demo--blog.localhost",
                "..localhost",
                "blog..localhost",
                "../blog.localhost",
                "blog.localhost:99999",
                "",
            ),
            *("a/../blog.localhost", "blog%2elocalhost", "[::1]", "127.0.0.1", "admin.localhost", "blog\x00.localhost"),
        ]
    ),
    st.text(max_size=12).map(lambda text: f"{text}.localhost"),
).map(lambda text: text.encode("utf-8", "replace"))
headers = st.fixed_dictionaries(
    {},
    optional={
        "accept-encoding": st.sampled_from(
            ["br", "gzip, zstd;q=0.5", "*", "identity;q=0", "br;q=\u00e9", ",,;", "../br"]
        ),
        "range": st.sampled_from(
            ["bytes=0-3", "bytes=-1", "bytes=5-2", "bytes=0-1,4-5,9999999-", "lines=1-2", "bytes=-0"]
        ),
        "if-none-match": st.sampled_from(["*", '"x"', "W/", '"' * 20]),
        "accept": st.sampled_from(["*/*", "text/html", "image/avif"]),
        "if-modified-since": st.text(alphabet="MonTue 0123456789:GMT,", max_size=30),
        "x-forwarded-host": st.just("other.localhost"),
        "sec-fetch-mode": st.sampled_from(["navigate", "no-cors"]),
    },
)
methods = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE"])


class Watched(FolderBlobs):
    """Notes whose bytes were asked for."""

    asked: set[str]

    def path(self, key: str) -> Path:
        self.asked.add(key)
        return super().path(key)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[World, Web, Watched]]:
    database = await Database.open(folder / "catalog.db")
    blobs = Watched(folder / "sites")
    blobs.asked = set()
    await blobs.open()
    world = World(folder, database, await Sites.open(database), blobs, await open_catalog(folder, database))
    await world.staging.open()
    write(folder, {"keys/local.token": "SECRET-token", "secret.html": "SECRET-beside"})
    await world.deploy(BLOG)
    await world.deploy(OTHER, site="other", project="other")
    await world.deploy({"index.html": "SECRET-draft"}, live=False)
    async with web_of(world) as web:
        yield world, web, blobs
    await database.close()


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            status = os.lstat(os.path.join(parent, name))
            found[os.path.relpath(os.path.join(parent, name), folder)] = (status.st_size, status.st_mtime_ns)
    return {name: state for name, state in found.items() if not name.startswith("catalog.db")}


class Fuzzed:
    """One loop and one world for all examples: starting them anew takes longer than asking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = asyncio.Runner()
        self.serving = served(folder)
        self.world, self.web, self.blobs = self.runner.run(self.serving.__aenter__())
        blog = self.runner.run(self.world.live("blog"))
        self.allowed = {asset.content.hash for asset in blog.files.values()}
        self.before = everything(folder)

    def ask(self, *args: object, **options: object) -> Answer:
        return self.runner.run(self.web.get(*args, **options))  # type: ignore[arg-type]

    def close(self) -> None:
        self.runner.run(self.serving.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with tempfile.TemporaryDirectory() as folder:
        made = Fuzzed(Path(folder))
        yield made
        made.close()


def test_the_site_itself_answers(fuzzed: Fuzzed) -> None:
    """Else the others would prove nothing."""
    assert fuzzed.ask("/").body.decode() == BLOG["index.html"]
    assert fuzzed.ask("/big.bin").body.decode() == BLOG["big.bin"]
    assert fuzzed.ask("/old/x").status == 404
    assert fuzzed.ask("/pages/blog/docs/", "localhost:8000").body == b"blog docs"
    assert fuzzed.ask("/.env").body == b"blog lost"
    assert fuzzed.ask("/", "other.localhost").body == b"SECRET-of-another-site"


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths, prefix=prefixes, host=hosts, given_headers=headers, method=methods)
def test_nothing_outside_the_site_is_read_or_written(
    fuzzed: Fuzzed, path: bytes, prefix: bytes, host: bytes, given_headers: Mapping[str, str], method: str
) -> None:
    fuzzed.blobs.asked.clear()
    target = prefix + path
    answer = fuzzed.ask(target, host, method=method, headers={k: v for k, v in given_headers.items() if v.isascii()})
    names_other = b"other" in target.lower() or b"other" in host.lower()
    if not names_other:
        assert b"SECRET" not in answer.body
        assert fuzzed.blobs.asked <= fuzzed.allowed
    assert 200 <= answer.status < 500 or answer.status in (501, 505)
    if answer.status == 200 and method == "GET" and not names_other:
        assert answer.body.decode() in SEEN
        assert hashlib.sha256(answer.body).hexdigest() in fuzzed.allowed
    if answer.sent_path is not None:
        assert answer.sent_path.resolve().is_relative_to((fuzzed.folder / "sites").resolve())
    assert all("\n" not in value and "\r" not in value for value in answer.headers.values())
    place = answer.headers.get("location", "")
    assert not place.startswith("//"), place
    assert everything(fuzzed.folder) == fuzzed.before
