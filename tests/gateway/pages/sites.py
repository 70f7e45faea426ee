"""A site in memory to test with: files by path, rules as text, and what a request for it gets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from v8box.catalog.sites import SiteRoute
from v8box.gateway.headers import Incoming
from v8box.gateway.pages import headers, redirects
from v8box.gateway.pages.answers import HotFiles
from v8box.gateway.pages.decide import SiteRequest, ToHost, ToWorker
from v8box.gateway.pages.release import Asset, Release, Releases, SiteSettings, Stored, encode
from v8box.gateway.pages.serve import Pages

AT = 1_767_225_600  # 2026-01-01


class Answer:
    """What was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.path: str | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = [name.decode() for name, _ in message["headers"]]
            assert len(set(names)) == len(names), f"twice: {names}"
            self.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.pathsend":
            self.path = message["path"]
        else:
            self.body += message["body"]


class FolderFiles:
    """Stored bytes in a folder, each by its hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> Stored:
        key = hashlib.sha256(data).hexdigest()
        (self.folder / key).write_bytes(data)
        return Stored(key, len(data))

    def path(self, key: str) -> Path:
        return self.folder / key


class TestSite:
    """One site with one release."""

    __test__ = False

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str | bytes | Asset],
        *,
        redirects_text: str = "",
        headers_text: str = "",
        settings: SiteSettings | None = None,
    ) -> None:
        self.files = FolderFiles(folder)
        assets = {
            path: data
            if isinstance(data, Asset)
            else self.asset(path, data if isinstance(data, bytes) else data.encode())
            for path, data in files.items()
        }
        rules, _ = redirects.parse(redirects_text)
        blocks, _ = headers.parse(headers_text)
        release = Release("blog", 1, AT, assets, tuple(rules), tuple(blocks), settings or SiteSettings())
        self.key = self.files.put(encode(release)).hash
        self.loads = 0
        self.route = SiteRoute(site="blog", project="default", key=self.key)
        self.pages = Pages(Releases(self._load), HotFiles(self.files), self._verify)

    def asset(self, path: str, data: bytes, **encodings: bytes) -> Asset:
        kind = "text/html; charset=utf-8" if path.endswith(".html") else "application/octet-stream"
        return Asset(self.files.put(data), kind, {name: self.files.put(each) for name, each in encodings.items()})  # type: ignore[misc]

    async def _load(self, key: str) -> bytes:
        self.loads += 1
        return await asyncio.to_thread(self.files.path(key).read_bytes)

    async def _verify(self, password: str, hashed: str, _: str | None) -> bool:
        return password == hashed

    async def ask(
        self, target: str, method: str = "GET", *, route: SiteRoute | None = None, prefix: str = "", **given: str
    ) -> Answer | ToWorker | ToHost:
        path, _, query = target.partition("?")
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
        incoming = Incoming([(b"host", b"blog.example.com"), *pairs])
        request = SiteRequest(route or self.route, incoming, method, "blog.example.com", path, query, prefix, "r1")
        answer = Answer()
        outcome = await self.pages.answer(request, answer.send)
        if isinstance(outcome, int):
            assert outcome == answer.status
            return answer
        return outcome

    async def get(self, target: str, method: str = "GET", **given: Any) -> Answer:
        answer = await self.ask(target, method, **given)
        assert isinstance(answer, Answer)
        return answer
