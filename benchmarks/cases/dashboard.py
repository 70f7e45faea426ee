"""The dashboard in Chromium, on loopback, with an empty cache: how long until something can be clicked, and how a list
of a thousand workers scrolls."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.cases.interface import Case, Scale, median
from benchmarks.many import fill
from benchmarks.report import Row, Target
from benchmarks.servers import box, box_folder

WORKERS = 1_000
PASSWORD = "correct-horse-battery"
LIST = "/api/v1/projects/default/workers"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
_FIRST = Target(bound=1_000)

# When something first is there that can be clicked, from the start of the navigation.
_WATCH = """wanted => {
  if (window.top !== window) return;
  const look = () => {
    const found = document.querySelector(wanted);
    if (found && found.getBoundingClientRect().width > 0 && !found.disabled) {
      window.__there = performance.now();
      watching.disconnect();
    }
  };
  const watching = new MutationObserver(look);
  watching.observe(document, { subtree: true, childList: true, attributes: true });
}"""
# The time of each frame while the list is scrolled from its beginning to its end.
_SCROLL = """async () => {
  const at = document.querySelector("table").parentElement;
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < 120; step++) {
    at.scrollTop += 300;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


def measure(scale: Scale) -> Iterator[Row]:
    with box_folder() as folder:
        names = fill(folder.path, WORKERS)
        with box(folder, ADMIN_PASSWORD=PASSWORD) as server, sync_playwright() as driver:
            url = server.url.replace("127.0.0.1", "localhost")
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD}).raise_for_status()
                yield from _routes(client, scale)
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
                visit = _Visit(browser, client, url, scale)
                pages = {
                    "the overview": ("/projects/default", "nav a[href]"),
                    "the overview, all of it": ("/projects/default", "table tbody tr"),
                    "the list of 1,000 workers": ("/projects/default/workers", "tbody a[href]"),
                    "a worker's page": (f"/projects/default/workers/{names[0]}", "main button"),
                    "a worker's page, with its editor": (
                        f"/projects/default/workers/{names[0]}",
                        ".monaco-editor .view-line",
                    ),
                }
                for what, (path, wanted) in pages.items():
                    yield visit.measure(what, path, wanted)
                yield from visit.scroll()
                browser.close()


def _routes(client: httpx.Client, scale: Scale) -> Iterator[Row]:
    for what, query in (
        ("first page of 100", {"limit": "100"}),
        ("search", {"limit": "100", "search": "cart"}),
        ("what was deployed last", {"limit": "10", "order": "-deployed_at"}),
    ):
        took = []
        for _ in range(scale.repeats * 3):
            start = time.perf_counter()
            client.get(LIST, params=query).raise_for_status()
            took.append((time.perf_counter() - start) * 1_000)
        yield Row(name=f"`GET …/workers`, {what}", value=median(took), unit="ms", note=f"of {WORKERS:,} workers")


class _Visit:
    """Goes to pages, each time as somebody who was never there."""

    def __init__(self, browser: Browser, client: httpx.Client, url: str, scale: Scale) -> None:
        self._browser = browser
        self._client = client
        self._url = url
        self._times = max(5, scale.repeats) if scale.repeats > 2 else 2

    def _context(self) -> BrowserContext:
        context = self._browser.new_context(viewport={"width": 1280, "height": 800}, service_workers="block")
        for each in self._client.cookies.jar:
            context.add_cookies([{"name": each.name, "value": each.value or "", "url": self._url}])
        return context

    def _open(self, page: Page, path: str, wanted: str) -> None:
        page.add_init_script(f"({_WATCH})({wanted!r})")
        page.goto(f"{self._url}/admin{path}", wait_until="commit")
        page.wait_for_function("() => window.__there !== undefined", polling=20)

    def measure(self, what: str, path: str, wanted: str) -> Row:
        took: list[float] = []
        asked: list[int] = []
        busy: list[float] = []
        for _ in range(self._times):
            context = self._context()
            page = context.new_page()
            meter = context.new_cdp_session(page)
            meter.send("Performance.enable", {"timeDomain": "threadTicks"})
            self._open(page, path, wanted)
            told = {each["name"]: each["value"] for each in meter.send("Performance.getMetrics")["metrics"]}
            busy.append(told["TaskDuration"] * 1_000)
            took.append(page.evaluate("() => window.__there"))
            asked.append(page.evaluate("() => performance.getEntriesByType('resource').length"))
            context.close()
        note = (
            f"empty cache; slowest {max(took):.0f} ms; {max(asked)} requests until then; "
            f"{median(busy):.0f} ms of them processor time of the page"
        )
        return Row(name=f"{what} can be used", value=median(took), unit="ms", target=_FIRST, note=note)

    def scroll(self) -> Iterator[Row]:
        context = self._context()
        page = context.new_page()
        self._open(page, "/projects/default/workers", "tbody a[href]")
        page.wait_for_load_state("networkidle")
        frames: list[float] = page.evaluate(_SCROLL)
        rows = page.locator("tbody tr").count()
        context.close()
        ordered = sorted(frames)
        yield Row(
            name="a frame while 1,000 workers are scrolled",
            value=median(ordered),
            unit="ms",
            note=f"95 of 100 under {ordered[int(len(ordered) * 0.95)]:.0f} ms; {rows} rows are drawn at the end",
        )


CASE = Case("dashboard", "The dashboard", measure)
