"""A box that nobody has done anything with yet: the first password leads to a first worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect
from tests.browser.dashboard import shots
from tests.browser.dashboard.conftest import Dash
from tests.e2e.box import RunningBox


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[RunningBox]:
    """An empty folder, and no password set: as one has it a minute after the installation."""
    running = RunningBox(tmp_path / "empty", {})
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


def test_from_an_empty_box_to_a_worker_that_answers(
    empty: RunningBox, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    printed = re.search(r"user admin, password (\S+)", "\n".join(empty.lines))
    assert printed is not None
    page = new_context().new_page()
    page.goto(f"http://localhost:{empty.port}/")  # what the terminal prints, without knowing of /admin
    expect(page.get_by_text("First time here?")).to_be_visible()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(printed[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    shots.settled(page)
    shots.take(page, tmp_path / "pictures", "first-steps")
    page.get_by_role("link", name="Write a worker").click()
    expect(page.get_by_role("heading", name="New worker", level=1)).to_be_visible()
    page.get_by_label("Name").fill("first")
    page.get_by_role("button", name="Create and deploy").click()
    expect(page).to_have_url(re.compile(r"/workers/first"))
    assert httpx.get(f"http://localhost:{empty.port}/run/first", trust_env=False, timeout=60).status_code == 200
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)


def test_first_steps_go_with_the_first_thing_of_ones_own_or_when_told(dash: Dash, admin: httpx.Client) -> None:
    for name in ("fresh", "hidden"):
        admin.post("/api/v1/projects", json={"name": name}).raise_for_status()
    page = dash.open("/projects/fresh")
    steps = page.get_by_role("heading", name="First steps")
    expect(steps).to_be_visible()
    dash.look("first-steps")
    admin.post("/api/v1/projects/fresh/sites", json={"name": "fresh-site"}).raise_for_status()
    dash.open("/projects/fresh")
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()
    expect(steps).to_have_count(0)
    dash.open("/projects/hidden")
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(steps).to_have_count(0)
    dash.open("/projects/hidden")
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()
    expect(steps).to_have_count(0)


def test_a_viewer_is_told_of_no_steps(visitor: Callable[[str], Dash]) -> None:
    page = visitor("viewer").open("/projects/default")
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)
