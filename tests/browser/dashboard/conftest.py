"""One box with the examples in it, and Chromium in its dashboard: signed in, listened to, looked at.

`dash` is the owner's browser; `visitor(role)` somebody else's. Every page that a test lists goes through `dash.look`:
axe, and pictures in both themes and on a phone where tests run one by one (`-n0`).
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.dashboard import shots
from tests.e2e.box import RunningBox

ROOT = Path(__file__).parents[3]
AXE = ROOT / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct-horse-battery"
WAIT_MS = 45_000
expect.set_options(timeout=WAIT_MS)  # several browsers, boxes and compilers share the machine
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""What another theme may break: the elements and their names are the same."""
LOOK = """rules => {
  const shown = [...document.body.children].filter(each => each.ariaHidden !== "true");
  const include = shown.some(each => each.matches("[role=dialog]")) ? shown : document;
  const only = rules && { runOnly: { type: "rule", values: rules } };
  return axe.run({ include, exclude: [".monaco-editor"] }, { preload: false, resultTypes: ["violations"], ...only });
}"""
"""What a dialog is in front of was looked at before, and is hidden while it is open."""
PICTURES = "PYTEST_XDIST_WORKER" not in os.environ
"""For people, who run these tests one by one: among thousands of tests nobody looks at them."""
_numbers = itertools.count(1)
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")
"""What Chromium says of every refusal, whether the page handles it or not."""


@dataclass
class Dash:
    """A browser in the dashboard."""

    page: Page
    box: RunningBox
    folder: Path
    errors: list[str] = field(default_factory=list)
    """What the pages wrote to the console as errors, or threw: none, at the end of a test."""
    theme: shots.Theme = "light"

    def url(self, path: str) -> str:
        return f"http://localhost:{self.box.port}/admin{path}"

    def open(self, path: str) -> Page:
        """Goes to a page by its address, and waits until it is all there."""
        self.page.goto(self.url(path))
        shots.settled(self.page)
        return self.page

    def slow_down(self, times: int) -> None:
        """The page has a processor so many times slower."""
        devtools = self.page.context.new_cdp_session(self.page)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def look(self, name: str) -> None:
        """Has axe look at what is shown, in both themes, and takes the pictures. Fails on serious findings."""
        rules: dict[shots.Theme, Sequence[str] | None] = {"light": None, "dark": OF_COLOURS}
        themes = sorted(rules, key=lambda theme: theme != self.theme)  # what is shown needs not be drawn anew
        found = [each for theme in themes for each in self._axe(theme, rules[theme])]
        self.theme = themes[-1]
        if PICTURES:
            shots.take(self.page, self.folder, name)
            self.theme = "light"
        assert found == [], "\n".join(found)

    def _axe(self, theme: shots.Theme, rules: Sequence[str] | None = None) -> list[str]:
        assert AXE.exists(), "run `make dashboard` first: axe comes with what it installs"
        shots.in_theme(self.page, theme)
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text())
        # Whatever fades in is looked at when it is there.
        self.page.evaluate(
            "() => document.getAnimations().forEach(each => each.effect?.getComputedTiming().iterations"
            " === Infinity ? each.cancel() : each.finish())"
        )
        result = self.page.evaluate(LOOK, rules)
        return [
            f"{theme}: {each['id']} ({each['impact']}): {each['help']}: {node['target']} {node['html'][:200]}"
            for each in result["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]


@pytest.fixture(scope="package")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """Serves the examples. The owner is `admin`."""
    running = RunningBox(tmp_path_factory.mktemp("dashboard") / "box", {"ADMIN_PASSWORD": PASSWORD})
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="package")
def admin(box: RunningBox) -> Iterator[httpx.Client]:
    """The API, as the owner with a session: what a test needs to be there, and what the pages should have done."""
    with httpx.Client(base_url=f"http://localhost:{box.port}", timeout=60, trust_env=False) as client:
        client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        yield client


@pytest.fixture
def project(admin: httpx.Client) -> Iterator[str]:
    """With nothing in it, for who looks at all that there is."""
    name = f"own-{next(_numbers)}"
    admin.post("/api/v1/projects", json={"name": name}).raise_for_status()
    yield name
    admin.delete(f"/api/v1/projects/{name}", params={"confirm": name}).raise_for_status()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes empty profiles."""
    made: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        chosen = {"viewport": shots.WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options}
        context = browser.new_context(**chosen)  # type: ignore[arg-type]
        context.set_default_timeout(WAIT_MS)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def arrive(
    new_context: Callable[..., BrowserContext], box: RunningBox, tmp_path: Path
) -> Iterator[Callable[..., Dash]]:
    """Makes browsers in the dashboard; with the cookies of a client, signed in as it is."""
    arrived: list[Dash] = []

    def make(client: httpx.Client | None = None, **options: object) -> Dash:
        context = new_context(**options)
        if client is not None:
            url = f"http://localhost:{box.port}"
            for each in client.cookies.jar:
                context.add_cookies([{"name": each.name, "value": each.value or "", "url": url}])
        dash = Dash(context.new_page(), box, tmp_path / "pictures")
        dash.page.on("console", lambda message: dash.errors.append(message.text) if message.type == "error" else None)
        dash.page.on("pageerror", lambda error: dash.errors.append(str(error)))
        arrived.append(dash)
        return dash

    yield make
    for dash in arrived:
        assert [error for error in dash.errors if not EXPECTED.search(error)] == []


@pytest.fixture
def dash(arrive: Callable[..., Dash], admin: httpx.Client) -> Dash:
    """The owner's browser."""
    return arrive(admin)


@pytest.fixture
def visitor(arrive: Callable[..., Dash], admin: httpx.Client, box: RunningBox) -> Iterator[Callable[[str], Dash]]:
    """Makes browsers of others, each with a role in the project `default`."""
    clients: list[httpx.Client] = []

    def make(role: str) -> Dash:
        name, password = f"{role}-{len(clients)}@example.com", "a sentence is good"
        admin.delete(f"/api/v1/users/{name}")
        admin.post(
            "/api/v1/users", json={"name": name, "password": password, "roles": {"default": role}}
        ).raise_for_status()
        client = httpx.Client(base_url=f"http://localhost:{box.port}", timeout=60, trust_env=False)
        clients.append(client)
        client.post("/api/v1/session", json={"username": name, "password": password}).raise_for_status()
        client.put(
            "/api/v1/session/password", json={"present": password, "password": f"{password}!"}
        ).raise_for_status()
        return arrive(client)

    yield make
    for client in clients:
        client.close()
