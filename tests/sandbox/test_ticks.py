"""V8's tick log: from addresses to functions and lines, whatever else a hostile process prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.sandbox import ticks as module
from v8box.sandbox.ticks import Frame, Function, TickLog

SOURCE = r"script-source,7,blob:null/1,function a() {\n  b();\n}\nfunction b() {\n  for (;;) \"\x2C\u00e4\";\n}\n"
CODE = [
    SOURCE,
    "code-creation,JS,10,100,0x1000,100,a blob:null/1:1:11,0xa1,~",
    "code-source-info,0x1000,7,10,24,C0O15C40O17,,",
    "code-creation,JS,12,110,0x2000,200,b blob:null/1:4:11,0xb1,*",
    "code-source-info,0x2000,7,36,60,C0O39C50O41,,",
]
A, B = Function("a", "blob:null/1", 0, 10), Function("b", "blob:null/1", 3, 10)


def log_of(*lines: str) -> TickLog:
    log = TickLog()
    log.record()
    assert log.feed("".join(f"{line}\n" for line in [*lines, "shared-library-end"]).encode()) == b""
    return log


def samples(log: TickLog) -> list[tuple[Frame, ...]]:
    return [frames for _, _, frames in log.recording().samples()]


def test_a_tick_is_told_by_function_and_line() -> None:
    log = log_of(*CODE, "tick,0x2040,2000,0,0x0,0,0x1028")
    assert list(log.recording().samples()) == [(2000, 0, (Frame(B, 4, 2), Frame(A, 1, 0)))]
    assert samples(log_of(*CODE, "tick,0x2040,2000,0,0x0,0,0x1029")) == [(Frame(B, 4, 2), Frame(A, 1, 2))]


def test_the_stack_at_last_is_written_as_v8_writes_it() -> None:
    log = log_of(*CODE, "tick,0x2040,2000,0,0x0,0,0x1029", "tick,0x9999,3000,0,0x0,0")
    assert log.last_stack() == "    at b (blob:null/1:5:3)\n    at a (blob:null/1:2:3)"
    assert TickLog().last_stack() == ""


def test_what_was_inlined_is_unfolded() -> None:
    log = log_of(
        *CODE,
        "code-creation,JS,13,120,0x3000,100,a blob:null/1:1:11,0xa1,*",
        "code-source-info,0x3000,7,10,24,C0O15C20O41I0C60O20,F0O17,S0xb1",
        "tick,0x3020,2000,0,0x0,0",
        "tick,0x3044,3000,0,0x0,0",
    )
    assert samples(log) == [(Frame(B, 4, 2), Frame(A, 1, 2)), (Frame(A, 1, 5),)]


def test_code_that_moves_or_is_overwritten_is_followed() -> None:
    log = log_of(*CODE, "code-move,0x2000,0x5000", "tick,0x5040,1,0,0x0,0", "tick,0x2040,2,0,0x0,0")
    assert samples(log) == [(Frame(B, 4, 2),), ()]
    log = log_of(*CODE, "code-creation,JS,12,110,0x2010,8,c ext:x.js:9:9,0xc1,*", "tick,0x2040,1,0,0x0,0")
    assert samples(log) == [()]


def test_relative_addresses_and_an_overflow_are_understood() -> None:
    log = log_of(*CODE, "tick,0x2040,1,0,0x0,0,-0x1017,overflow")
    assert samples(log) == [(Frame(B, 4, 2), Frame(A, 1, 2))]


def test_only_what_comes_after_record_is_kept() -> None:
    log = TickLog()
    log.feed("".join(f"{line}\n" for line in [*CODE, "tick,0x2040,1,0,0x0,0"]).encode())
    assert len(log.recording()) == 0
    log.record()
    log.feed(b"tick,0x2040,2,0,0x0,0\n")
    assert [at for at, _, _ in log.recording().samples()] == [2]


def test_lines_come_in_pieces_and_others_are_given_back() -> None:
    log = TickLog()
    log.record()
    text = "\n".join([*CODE, "Fatal: no, really", "tick,0x2040,1,0,0x0,0", "at the end", ""]).encode()
    other = b"".join(log.feed(text[at : at + 7]) for at in range(0, len(text), 7))
    assert other == b"Fatal: no, reallyat the end"
    assert len(samples(log)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "tick,", "tick,x,y,z", "tick,0x1,1,0,0x0,abc", "code-creation,JS,1", "code-creation,JS,1,2,zz,3,f x:1:1,0x1,~",
        "code-source-info,1,2", "code-move,1", "script-source,x,blob:,", "code-creation,JS,10,1,0x1,-5,f a:1:1,0x1,~",
        "code-source-info,0x2000,7,1,2,C9999999999O1,F99O1I5,S0xzz",
    ],
)  # fmt: skip
def test_lines_that_make_no_sense_are_left_out(line: str) -> None:
    log = log_of(*CODE, line, "tick,0x2040,1,0,0x0,0")
    assert samples(log)[-1][:1] == (Frame(B, 4, 2),) or samples(log)[-1][0].function == B
    log.last_stack()


@given(st.lists(st.text('tickcode-raonsum,0x19abfIFOCS:/\\"\n ', max_size=60), max_size=20))
def test_nothing_that_is_printed_breaks_it(lines: list[str]) -> None:
    log = log_of(*CODE)
    for line in lines:
        log.feed(line.encode())
    samples(log)
    log.last_stack()


def test_it_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_CODES", 10)
    monkeypatch.setattr(module, "_MAX_TICKS", 10)
    monkeypatch.setattr(module, "_MAX_LINE", 1_000)
    log = TickLog()
    log.record()
    for number in range(100):
        log.feed(f"code-creation,JS,1,2,{hex(0x1000 * (number + 1))},8,f{number} x.js:1:1,{hex(number)},~\n".encode())
        log.feed(b"tick,0x1001,1,0,0x0,0\n")
    log.feed(b"script-source," + b"x" * 5_000)
    assert log.feed(b"y" * 5_000 + b"\nafter\n") == b"after"
    assert len(log.recording()) == 10
    assert (len(log._codes), len(log._functions), len(log._rest)) == (10, 10, 0)
