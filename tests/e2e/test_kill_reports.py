"""Each way of misbehaving is found and explained from the API alone, by the id of the request that hit it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.e2e.box import RunningBox


def report_of(box: RunningBox, worker: str, run: str | None = None) -> Any:
    """The newest report of the worker, or of what ended this run."""
    found: list[Any] = []

    def there() -> bool:
        wanted = {"worker": worker, **({} if run is None else {"run": run})}
        found[:] = box.admin.get("/api/v1/projects/default/kills", params=wanted).json()["items"]
        return bool(found)

    box.until(there)
    return box.admin.get(f"/api/v1/projects/default/kills/{found[0]['id']}").json()


@pytest.mark.parametrize(
    ("worker", "reason", "limit"),
    [("spin", "cpu", 300), ("heap", "memory", 64), ("printer", "log_bytes", 16), ("exit", "exit", None)],
)
def test_a_run_leads_to_the_report_of_what_ended_it(
    box: RunningBox, worker: str, reason: str, limit: int | None
) -> None:
    answer = box.run(worker)
    assert answer.headers["x-v8box-termination"] == reason
    report = report_of(box, worker, answer.json()["request_id"])
    assert (report["reason"], report["limit"], report["whole"]) == (reason, limit, True)
    assert report["runs"][0]["method"] == "GET"
    assert report["advice"]
    if limit is not None:
        assert report["used"] >= limit


def test_the_curve_shows_how_the_memory_grew(box: RunningBox) -> None:
    report = report_of(box, "heap", box.run("heap").json()["request_id"])
    memory = [point["memory_bytes"] for point in report["curve"]]
    assert memory[-1] > 40 * 1024 * 1024
    assert memory[-1] > 2 * memory[0]


def test_a_run_that_was_stopped_alone_is_reported_though_its_process_goes_on(box: RunningBox) -> None:
    answer = box.run("late")
    assert answer.headers["x-v8box-termination"] == "wall"
    report = report_of(box, "late", answer.json()["request_id"])
    assert (report["reason"], report["limit"], report["run_count"]) == ("wall", 300, 1)


def test_a_response_that_was_cut_is_reported(box: RunningBox) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        box.run("endless")
    report = report_of(box, "endless")
    assert (report["reason"], report["whole"], report["limit"]) == ("response_bytes", False, 1)
    assert report["suggestion"]["manifest"] == "[workers.endless.limits]\nresponse_mb = 2"


def test_the_last_lines_are_in_the_report(box: RunningBox) -> None:
    report = report_of(box, "printer", box.run("printer").json()["request_id"])
    assert any("a line of what nobody reads 0" in line["text"] for line in report["lines"])
    assert "a line of what nobody reads 9" in report["last_output"]
