"""One box with sites, and one Chromium that looks at them. Every wait of the browser has a deadline."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Response, sync_playwright
from tests.browser import media
from tests.browser.chromium import launch
from tests.e2e.box import RunningBox
from tests.servers.installation import vite

HERE = Path(__file__).parent
WAIT_MS = 45_000


@dataclass
class Visit:
    """A page of the browser, and what happened in it."""

    page: Page
    port: int
    errors: list[str] = field(default_factory=list)
    """What the page wrote to its console as errors, or threw."""
    responses: list[Response] = field(default_factory=list)

    def url(self, site: str, path: str = "/") -> str:
        return f"http://{site}.localhost:{self.port}{path}"

    def open(self, site: str, path: str = "/") -> Response:
        response = self.page.goto(self.url(site, path))
        assert response is not None
        return response

    def statuses(self, url: str) -> list[int]:
        return [response.status for response in self.responses if response.url == url]


@pytest.fixture(scope="package")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """Serves `sites/`, the built app, and a film."""
    folder = tmp_path_factory.mktemp("browser") / "box"
    (folder / "functions").mkdir(parents=True)
    shutil.copytree(HERE / "sites", folder / "pages")
    shop = folder / "pages" / "shop"
    shutil.copytree(vite(HERE / "app"), shop)
    (shop / "v8box.toml").write_text('[site]\nnot_found_handling = "single-page-application"\n')
    media.write(folder / "pages" / "media")
    running = RunningBox(folder)
    try:
        running.wait_ready()
        for site in ("blog", "docs", "media", "shop"):
            running.wait_line(f"site {site} is live")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    driver: Playwright
    with sync_playwright() as driver:
        running = launch(driver)
        try:
            yield running
        finally:
            running.close()


@pytest.fixture
def visit(browser: Browser, box: RunningBox) -> Iterator[Visit]:
    """A page with an empty profile of its own."""
    with browser.new_context(viewport={"width": 800, "height": 500}) as context:
        context.set_default_timeout(WAIT_MS)
        visit = Visit(context.new_page(), box.port)
        visit.page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("response", lambda response: visit.responses.append(response))
        yield visit


@pytest.fixture
def picture(visit: Visit, tmp_path: Path) -> Callable[[str], Path]:
    """Writes what is on the screen to the test's folder."""

    def take(name: str) -> Path:
        path = tmp_path / f"{name}.png"
        visit.page.screenshot(path=path)
        assert path.stat().st_size > 1_000
        return path

    return take
