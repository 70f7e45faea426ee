"""Debian's Chromium without a window, driven by Playwright, without what a test has no use for."""

from __future__ import annotations

from playwright.sync_api import Browser, Playwright
from tests.servers.installation import chromium

_OFF = ("gpu", "background-networking", "component-update", "sync", "dev-shm-usage")


def launch(driver: Playwright) -> Browser:
    return driver.chromium.launch(
        executable_path=chromium(),
        args=["--no-sandbox", *(f"--disable-{each}" for each in _OFF)],
        timeout=120_000,
    )
