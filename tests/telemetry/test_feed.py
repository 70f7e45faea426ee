"""The feed tells each listener once, in order, also when listeners come and go meanwhile; runs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.fakes.records import a_run

from v8box.telemetry.feed import MOST_GATHERED, Feed
from v8box.telemetry.records import DeathRecord, Finding, LineRecord, RunError, RunRecord


def line(text: str) -> LineRecord:
    return LineRecord(0.0, None, "hello", "v", "info", text)


def test_listeners_hear_in_order_until_they_stop() -> None:
    feed, heard = Feed(), list[tuple[str, str]]()
    stop = feed.on_line(lambda record: heard.append(("first", record.text)))
    feed.on_line(lambda record: heard.append(("second", record.text)))
    feed.line(line("a"))
    stop()
    stop()
    feed.line(line("b"))
    assert heard == [("first", "a"), ("second", "a"), ("second", "b")]


def test_one_that_leaves_while_it_is_told_keeps_nobody_else_from_hearing() -> None:
    feed, heard = Feed(), list[str]()

    def once(record: LineRecord) -> None:
        heard.append("once")
        stop()

    stop = feed.on_line(once)
    feed.on_line(lambda record: heard.append("always"))
    feed.line(line("a"))
    feed.line(line("b"))
    assert heard == ["once", "always", "always"]


def test_runs_are_gathered_for_a_moment_and_told_in_order() -> None:
    calls: list[Callable[[], None]] = []
    feed, heard = Feed(calls.append), list[list[str]]()
    feed.on_runs(lambda records: heard.append([each.path for each in records]))
    for number in range(3):
        feed.run(a_run(path=f"/{number}"))
    assert (heard, len(calls)) == ([], 1)
    calls.pop()()
    assert heard == [["/0", "/1", "/2"]]
    for number in range(MOST_GATHERED):
        feed.run(a_run(path=f"/{number}"))
    assert [len(batch) for batch in heard] == [3, MOST_GATHERED], "so many do not wait"
    calls.pop()()
    assert len(heard) == 2, "there is nothing to tell twice"


def test_who_is_about_to_read_has_them_told_at_once() -> None:
    feed, heard = Feed(lambda deliver: None), list[str]()
    feed.on_runs(lambda records: heard.extend(each.path for each in records))
    feed.run(a_run(path="/a"))
    feed.deliver()
    assert heard == ["/a"]
    feed.run(a_run(path="/b"))
    feed.death(DeathRecord(0.0, "hello", "v1", "cpu", "too much"))
    assert heard == ["/a", "/b"], "an end comes after the runs before it"
    feed.run(a_run(path="/c"))
    feed.close()
    feed.run(a_run(path="/d"))
    assert heard == ["/a", "/b", "/c", "/d"], "nothing waits for a moment that does not come"


def test_only_notable_runs_are_told_to_those_who_ask_for_these() -> None:
    feed, heard = Feed(), list[str]()
    feed.on_notable_runs(lambda records: heard.extend(each.path for each in records))
    feed.run(a_run(path="/good"))
    feed.run(a_run(path="/refused", outcome="refused", status=429))
    feed.run(a_run(path="/threw", error=RunError("E", "m")))
    feed.run(a_run(path="/found", findings=(Finding("slow", "took long"),)))
    assert heard == ["/refused", "/threw", "/found"]


def test_a_listener_that_fails_keeps_nobody_else_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    feed, heard = Feed(), list[str]()

    def fail(records: Sequence[RunRecord]) -> None:
        raise ValueError("no")

    feed.on_runs(fail)
    feed.on_runs(lambda records: heard.extend(each.path for each in records))
    feed.run(a_run(path="/a"))
    assert heard == ["/a"]
    assert "did not take 1 runs" in caplog.text
