"""A project with a thousand workers: what is asked of the box, and what is drawn, stay small."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, Response, expect
from tests.browser.dashboard.conftest import PASSWORD, ROOT, Dash
from tests.e2e.box import RunningBox

COUNT = 1_000
TYPE = """(input, text) => {
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  for (let length = 1; length <= text.length; length++) {
    set.call(input, text.slice(0, length));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}"""
"""Letter by letter, faster than any machine is slow."""
SCROLL = """async (at, last) => {
  let most = 0;
  for (let step = 0; step < 2000 && !at.textContent.includes(last); step++) {
    at.scrollTop += 2000;
    await new Promise(done => setTimeout(done, 50));
    most = Math.max(most, at.querySelectorAll("tbody tr").length);
  }
  return most;
}"""
"""To the row that holds this; gives how many rows there were at most."""
LIST = re.compile(r"/api/v1/projects/default/workers(\?|$)")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """In the place of the others' box."""
    folder = tmp_path_factory.mktemp("many") / "box"
    subprocess.run([sys.executable, "-m", "benchmarks.many", str(folder), str(COUNT)], cwd=ROOT, check=True)
    running = RunningBox(folder, {"ADMIN_PASSWORD": PASSWORD})
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def admin(box: RunningBox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://localhost:{box.port}", timeout=60, trust_env=False) as client:
        client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        yield client


def listed(page: Page) -> list[str]:
    """The lists of workers that the page asks for from here on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if LIST.search(request.url) else None)
    return asked


def test_a_list_is_fetched_and_drawn_as_far_as_it_is_seen(dash: Dash) -> None:
    asked = listed(dash.page)
    page = dash.open("/projects/default/workers")
    expect(page.get_by_text("1000 workers")).to_be_visible()
    rows = page.get_by_role("table", name="Workers").locator("tbody tr")
    expect(rows.first).to_contain_text("cart-0002")
    assert len(set(asked)) == 1
    assert rows.count() < 60
    assert rows.first.locator("xpath=ancestor::table/..").evaluate(SCROLL, "shop-0990") < 60
    expect(page.get_by_role("row").filter(has_text="shop-0990")).to_be_visible()
    assert len({url for url in asked if "cursor=" in url}) == COUNT // 100 - 1

    asked.clear()
    page.get_by_label("Find a worker").evaluate(TYPE, "search-0103")
    expect(rows).to_have_count(1)
    assert len(set(asked)) <= 3  # not one for each letter
    page.get_by_label("Find a worker").fill("")
    expect(page.get_by_text("1000 workers")).to_be_visible()
    page.get_by_role("checkbox", name="cart-0002").check()
    page.get_by_role("button", name="Choose all 1000").click()
    expect(page.get_by_text("1000 workers chosen")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    dash.look("many-delete")
    assert page.get_by_role("dialog").get_by_role("listitem").count() <= 201


def test_the_overview_asks_for_what_it_shows(dash: Dash) -> None:
    answers: list[Response] = []
    dash.page.on("response", lambda answer: answers.append(answer) if LIST.search(answer.url) else None)
    page = dash.open("/projects/default")
    expect(page.get_by_role("table", name="Latest deployments")).to_be_visible()
    sizes = {answer.url: len(answer.body()) for answer in answers}  # it asks again from time to time
    assert 0 < sum(sizes.values()) < 10_000


def test_the_palette_finds_any_of_them(dash: Dash) -> None:
    asked = listed(dash.page)
    page = dash.open("/projects/default/variables")
    page.keyboard.press("ControlOrMeta+k")
    page.get_by_role("combobox").fill("shop-0990")
    found = page.get_by_role("option", name="shop-0990", exact=True)
    expect(found).to_be_visible()
    assert page.get_by_role("option").count() < 100
    assert len(set(asked)) <= 3
    found.click()
    expect(page.get_by_role("heading", name=re.compile("shop-0990"), level=1)).to_be_visible()
