"""Pictures of pages of the dashboard: light, dark, and on a phone. Tests take them; so can you, of a box that runs:

`python -m tests.browser.dashboard.shots http://localhost:8000 PASSWORD FOLDER /projects/default /account`
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright
from tests.browser.chromium import launch

Theme = Literal["light", "dark"]
POLL_MS: Final = 50
"""Else Playwright looks at each frame, and has them drawn for it."""
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
KINDS: Final[tuple[tuple[str, ViewportSize, Theme], ...]] = (
    ("light", WIDE, "light"),
    ("dark", WIDE, "dark"),
    ("phone", PHONE, "light"),
)


def settled(page: Page) -> None:
    """Waits until nothing is on its way any more: there is a heading, and nothing stands in for what will be there."""
    page.wait_for_load_state()
    page.wait_for_function(
        "() => document.querySelector('h1') && !document.querySelector('[data-loading]')", polling=POLL_MS
    )
    page.evaluate("() => document.fonts.ready")


def take(page: Page, folder: Path, name: str) -> list[Path]:
    """Three pictures of what the page shows: its theme and size are put back."""
    folder.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size or WIDE
    pictures: list[Path] = []
    for kind, size, theme in KINDS:
        page.set_viewport_size(size)
        in_theme(page, theme)
        picture = folder / f"{name}-{kind}.png"
        page.screenshot(path=picture, animations="disabled")
        pictures.append(picture)
    page.set_viewport_size(before)
    in_theme(page, "light")
    return pictures


def in_theme(page: Page, theme: Theme) -> None:
    """As if the system had it; charts and editors are drawn anew."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme, polling=POLL_MS)
    settled(page)


def sign_in(page: Page, box: str, password: str, user: str = "admin") -> None:
    page.goto(f"{box}/admin/sign-in")
    page.locator("input[autocomplete=username]").fill(user)
    page.locator("input[autocomplete=current-password]").fill(password)
    page.locator("button[type=submit]").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def name_of(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"


def main(arguments: list[str]) -> None:
    box, password, folder, *paths = arguments
    with sync_playwright() as driver:
        browser = launch(driver)
        page = browser.new_page(viewport=WIDE)
        page.on("console", lambda message: print(message.type, message.text, file=sys.stderr))  # noqa: T201
        page.on("pageerror", lambda error: print("thrown", error, file=sys.stderr))  # noqa: T201
        page.goto(f"{box}/admin/sign-in")
        settled(page)
        take(page, Path(folder), "sign-in")
        sign_in(page, box, password)
        for path in paths:
            page.goto(f"{box}/admin{path}")
            settled(page)
            take(page, Path(folder), name_of(path))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
