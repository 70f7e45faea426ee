"""What `deno check` says, as faults with a place."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from v8box.cli.typecheck import TypeFault, read_faults

OUTPUT = """TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
export const n: number = "x";
             ^
    at file:///srv/box/functions/a%20b.ts:1:14

TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
let y: { a: { b: number } } = { a: { b: "s" } };
                                     ^
    at file:///srv/box/b.ts:3:38

    The expected type comes from property 'b' which is declared here on type '{ b: number; }'
        at file:///srv/box/b.ts:3:15

TS2307 [ERROR]: Cannot find module 'file:///elsewhere/c.ts'.
    at file:///elsewhere/d.ts:1:17

Found 3 errors.

error: Type checking failed.

Stack backtrace:
   0: <unknown>
"""


def test_each_fault_has_its_first_place() -> None:
    first, second, third = read_faults(OUTPUT, Path("/srv/box"))
    assert str(first) == "functions/a b.ts:1:14: Type 'string' is not assignable to type 'number'. (TS2322)"
    assert (second.file, second.line, second.column) == ("b.ts", 3, 38)
    assert third.file == "/elsewhere/d.ts"


def test_what_stops_the_check_is_a_fault_too() -> None:
    output = "error: SyntaxError: Expression expected\n  |\n1 | const a = ;\n    at file:///srv/box/b.ts:1:38\n"
    assert read_faults(output, Path("/srv/box")) == [TypeFault("b.ts", 1, 38, "SyntaxError: Expression expected")]
    [nowhere] = read_faults("error: Unable to load a config file\n", Path("/srv/box"))
    assert str(nowhere) == "Unable to load a config file"


@given(st.text())
def test_any_output_can_be_read(output: str) -> None:
    assert isinstance(read_faults(output, Path("/srv")), list)
