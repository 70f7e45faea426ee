"""What belongs together and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.errors.fingerprints import fingerprint, kill_fingerprint, normalise, overflow_fingerprint
from v8box.features.errors.stacks import Frame, read_frames, top_of


def of(stack: str = "", message: str = "no", name: str = "Error", worker: str = "shop", project: str = "p") -> str:
    return fingerprint(project, worker, name, message, read_frames(stack))


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ("    at find (functions/shop.ts:10:5)", Frame("find", "functions/shop.ts", 10, 5, True)),
        ("    at functions/shop.ts:10:5", Frame("", "functions/shop.ts", 10, 5, True)),
        ("    at async functions/shop.ts:10:5", Frame("", "functions/shop.ts", 10, 5, True)),
        ("    at async Object.fetch (functions/a b.ts:1:2)", Frame("Object.fetch", "functions/a b.ts", 1, 2, True)),
        ("    at new Shop (shop.ts:1:2)", Frame("new Shop", "shop.ts", 1, 2, True)),
        ("    at Array.map (<anonymous>)", Frame("Array.map", "<anonymous>")),
        ("    at parse (npm:zod@4.0.0/index.js:3:4)", Frame("parse", "npm:zod@4.0.0/index.js", 3, 4, False)),
        ("    at f (https://jsr.io/@std/x/1/mod.ts:3:4)", Frame("f", "https://jsr.io/@std/x/1/mod.ts", 3, 4, False)),
        ("    at f (node_modules/x/index.js:3:4)", Frame("f", "node_modules/x/index.js", 3, 4, False)),
        ("    at f (blob:null/8f-1:1:1)", Frame("f", "(bundle)", 1, 1, False)),
        ("    at Foo.bar [as baz] (shop.ts:1:2)", Frame("Foo.bar [as baz]", "shop.ts", 1, 2, True)),
    ],
)
def test_frames(line: str, frame: Frame) -> None:
    assert read_frames(line) == (frame,)


def test_lines_that_are_no_frames_are_left_out() -> None:
    assert read_frames("Error: at home\n  and away\n    at f (a.ts:1:1)\n") == (Frame("f", "a.ts", 1, 1, True),)


def test_the_top_is_the_innermost_of_ones_own() -> None:
    own, foreign, nowhere = "    at f (a.ts:1:1)", "    at g (npm:x/y.js:1:1)", "    at Array.map (<anonymous>)"
    assert top_of(read_frames(f"{nowhere}\n{foreign}\n{own}")) == Frame("f", "a.ts", 1, 1, True)
    assert top_of(read_frames(f"{nowhere}\n{foreign}")) == Frame("g", "npm:x/y.js", 1, 1, False)
    assert top_of(read_frames(nowhere)) is None
    assert top_of(()) is None


@given(st.text())
def test_any_text_is_read(stack: str) -> None:
    read_frames(stack)
    read_frames(f"    at {stack}")


def test_a_line_that_moves_is_the_same_error() -> None:
    assert of("    at f (a.ts:1:1)") == of("    at f (a.ts:99:7)")
    assert of("    at f (a.ts:1:1)", "one") == of("    at f (a.ts:1:1)", "two"), "the place says what it is"


def test_frames_of_packages_do_not_count_beside_ones_own() -> None:
    assert of("    at x (npm:zod@4.0.0/a.js:1:1)\n    at f (a.ts:1:1)") == of(
        "    at y (npm:zod@4.0.1/b.js:1:1)\n    at f (a.ts:1:1)"
    )
    assert of("    at x (npm:zod@4.0.0/a.js:1:1)") != of("    at y (npm:zod@4.0.0/a.js:1:1)")


def test_an_address_that_is_another_in_each_process_does_not_count() -> None:
    assert of("    at f (blob:null/8f-1:1:1)") == of("    at f (blob:null/9e-2:1:1)")


def test_what_makes_another_error() -> None:
    one = of("    at f (a.ts:1:1)")
    assert len(one) == 16
    others = {
        of("    at g (a.ts:1:1)"),
        of("    at f (b.ts:1:1)"),
        of("    at f (a.ts:1:1)", name="TypeError"),
        of("    at f (a.ts:1:1)", worker="other"),
        of("    at f (a.ts:1:1)", project="other"),
        of("    at f (a.ts:1:1)\n    at h (a.ts:9:1)"),
        of(),
        of(message="other"),
        kill_fingerprint("p", "shop", "memory"),
        kill_fingerprint("p", "shop", "cpu"),
        overflow_fingerprint("p", "shop"),
    }
    assert len(others) == 11
    assert one not in others


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no user 42", "no user <number>"),
        ("took 1.5 s, 1,000 rows", "took <number> s, <number> rows"),
        ("order 0b5b6c1e-6a4c-4f3e-9a53-5b1f0d6d0a4e is gone", "order <uuid> is gone"),
        ("bad token 9f86d081884c7d659a2feaa0c55ad015", "bad token <hex>"),
        ("at 0xDEADBEEF", "at <hex>"),
        ("no column 'name'", "no column <value>"),
        ("no \"a 'b' c\" here", "no <value> here"),
        ("can't do `x`", "can't do <value>"),
        ("key usr_000000000001 is unknown", "key <id> is unknown"),
        ("mail to ada@example.com failed", "mail to <email> failed"),
        ("GET https://example.com/a?b=1 failed", "GET <url> failed"),
        ("2026-01-31T12:00:00.000Z is over", "<number>-<number>-<number>T<number>:<number>.<number>Z is over"),
        ("  two\n lines ", "two lines"),
        ("feedback and facade", "feedback and facade"),
    ],
)
def test_what_changes_from_one_to_the_next(message: str, expected: str) -> None:
    assert normalise(message) == expected


@given(st.text(max_size=2000))
def test_any_message_is_normalised(message: str) -> None:
    assert len(normalise(message)) <= 4_000


@given(st.integers(min_value=0), st.uuids())
def test_without_a_stack_the_message_says_what_it_is(number: int, key: object) -> None:
    assert of(message=f"no {number} for {key}") == of(message="no 1 for 00000000-0000-4000-8000-000000000000")
