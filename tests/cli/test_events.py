"""Server-sent events as the HTML standard reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from v8box.cli.v1 import Event, event_data, read_events


def events(text: str) -> list[Event]:
    return list(read_events(iter(text.split("\n"))))


def test_events_have_a_kind_data_and_the_last_id() -> None:
    text = ': hello\nid: 7\nevent: line\ndata: {"a":\ndata:  1}\n\ndata\n\nretry: 5\nid: 8\n\ndata:x\n\ndata: cut off'
    assert events(text) == [
        Event("line", '{"a":\n 1}', "7"),
        Event("message", "", "7"),
        Event("message", "x", "8"),
    ]


def test_data_that_is_no_json_is_none() -> None:
    assert event_data(Event("line", "{", None)) is None
    assert event_data(Event("line", '{"a": 1}', None)) == {"a": 1}


@given(st.text())
def test_any_stream_can_be_read(text: str) -> None:
    assert all(isinstance(event, Event) for event in events(text))
