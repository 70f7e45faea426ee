"""What is said keeps its code and values where it is put together, and is a text for all who want no more."""

from __future__ import annotations

from v8box.kit.phrases import joined, parts_of, phrase, plain

FREE = phrase("disk_free", "3 GB free", free_bytes=3)
BUSY = phrase("processors", "2 processors", count=2)


def test_a_phrase_is_a_text() -> None:
    assert FREE == "3 GB free"
    assert plain(FREE) == [{"code": "disk_free", "values": {"free_bytes": 3}}]


def test_what_is_joined_says_each_thing_once_in_its_order() -> None:
    told = joined([BUSY, FREE, "", BUSY])
    assert told == "2 processors; 3 GB free"
    assert [each.code for each in parts_of(told)] == ["processors", "disk_free"]
    assert joined([]) == ""


def test_beside_what_is_no_phrase_only_the_text_is_known() -> None:
    told = joined([FREE, "look into the log"])
    assert told == "3 GB free; look into the log"
    assert parts_of(told) == ()
