"""Films and pictures: what a player fetches of a long film, and which form of a picture a browser gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from tests.browser import media
from tests.browser.conftest import Visit

OPTIMISED_MS = 90_000
"""Its process gets only what nobody else wants of the processor."""


def test_a_player_jumps_to_the_end_of_a_film_without_what_lies_between(
    visit: Visit, picture: Callable[[str], Path]
) -> None:
    visit.open("media")
    film = visit.page.locator("#film")
    expect(film).to_have_js_property("error", None)
    visit.page.wait_for_function("document.querySelector('#film').readyState >= 1")
    assert abs(film.evaluate("film => film.duration") - media.SECONDS) < 0.5
    assert film.evaluate("film => film.seekable.length && film.seekable.end(0)") > media.SECONDS - 0.5
    film.evaluate(
        """film => new Promise((done, failed) => {
            film.onerror = () => failed(film.error);
            film.onseeked = done;
            film.currentTime = 11;
        })"""
    )
    visit.page.wait_for_function("document.querySelector('#film').readyState >= 2")
    picture("film")
    answers = [response for response in visit.responses if response.url.endswith("/clip.mp4")]
    assert {answer.status for answer in answers} == {206}
    begins = [int((answer.header_value("content-range") or "").split()[1].partition("-")[0]) for answer in answers]
    assert begins[0] == 0
    assert max(begins) >= media.HOLE_BYTES, "the end was not asked for by a range"
    assert visit.errors == []


def test_a_browser_gets_a_picture_in_a_newer_type_once_there_is_one(
    visit: Visit, picture: Callable[[str], Path]
) -> None:
    visit.open("media", "/a-page-without-the-picture")
    kind = visit.page.evaluate(
        """async (patience) => {
            const deadline = performance.now() + patience;
            for (;;) {
                const headers = {accept: "image/webp"};
                const signal = AbortSignal.timeout(patience);
                const answer = await fetch("/photo.png", {cache: "no-store", headers, signal});
                const kind = answer.headers.get("content-type");
                if (kind === "image/webp" || performance.now() > deadline) return kind;
                await new Promise((done) => setTimeout(done, 100));
            }
        }""",
        OPTIMISED_MS,
    )
    assert kind == "image/webp"
    visit.responses.clear()
    visit.errors.clear()
    visit.open("media")
    visit.page.wait_for_function("document.querySelector('#photo').complete")
    assert visit.page.evaluate("document.querySelector('#photo').naturalWidth") == 320
    picture("photo")
    (answer,) = [response for response in visit.responses if response.url.endswith("/photo.png")]
    assert (answer.status, answer.header_value("content-type")) == (200, "image/webp")
    assert answer.header_value("vary") == "Accept"
    assert visit.errors == []
