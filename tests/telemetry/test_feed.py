"""The feed tells each listener once, in order, also when listeners come and go meanwhile."""

from __future__ import annotations

from v8box.telemetry.feed import Feed
from v8box.telemetry.records import LineRecord


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
