"""A smaller script does the same, which Deno tells; what the parser does not know stays."""

from __future__ import annotations

import subprocess

import pytest

from v8box.features.pages.optimise import script
from v8box.features.pages.optimise.script import NotScript, minify_js
from v8box.sandbox.runtime import find_deno

SAMPLES = (
    """
    // Text in templates, nested in others, is nobody's comment or space.
    const list = (items) => `<ul>  ${items.map((item) => `<li>  // ${item}  </li>`).join("")}  </ul>`;
    console.log(list(["http://a", "b"]));
    """,
    r"""
    const text = "a  /* b */ // c", pattern = /[/]\/(?<x>\d+) {2}/gu; /* gone */
    let i = 1, j = 2
    i
    ++j
    console.log(text, pattern.source, i, j, i + +j, i - -j, 6 / 2 / 3)
    """,
    """
    class Counter { #count = 0; static { this.made = 1 } get count() { return this.#count }
      add() { this.#count++; return this } }
    const { count, ...rest } = new Counter().add(), empty = null ?? undefined;
    label: for (const x of [1, 2, 3]) { for (;;) { if (x == 2) continue label; console.log(x); break } }
    console.log(count, JSON.stringify(rest), empty, Counter.made, Counter.name)
    """,
    """
    function late() { return
        1 }
    var a = 1; if (a) { let b = 2; a += b } else { a = 0 }
    switch (a) { case 3: console.log("three"); default: console.log("more") }
    try { null.x } catch { console.log("caught", typeof late(), void 0 === undefined) }
    finally { console.log(1e3, 0x10, 1_000n) }
    (async () => { for await (const x of [Promise.resolve(1)]) console.log(x, await import.meta.main) })();
    """,
    r"""
    "use strict";
    const escaped = "\x3c!-- \u2028 </script> ";
    console.log(escaped, eval("var hidden = 1; hidden"), [,1].length, `${1}${`${2}`}`);
    console.log((() => { "use strict"; return this })() === undefined, new Function("return 1")())
    """,
)


@pytest.fixture(autouse=True, scope="module")
def _configured() -> None:
    script.configure()


def ran(text: str) -> str:
    done = subprocess.run(
        [find_deno(), "eval", "--ext=js", text], capture_output=True, text=True, check=True, env={"NO_COLOR": "1"}
    )
    return done.stdout


@pytest.mark.parametrize("text", SAMPLES)
def test_the_script_does_the_same(text: str) -> None:
    smaller = minify_js(text)
    assert len(smaller) < len(text)
    assert "gone" not in smaller
    assert ran(smaller) == ran(text) != ""


@pytest.mark.parametrize(
    "text",
    [
        "let = {",
        "a b",
        "#!/usr/bin/env node\nlet a",
        "let a = '\0'",
        "let a = 1\n//# sourceMappingURL=a.js.map",
        "const t = (function () {/*\n many\n lines */}).toString().split(/\\n/)",
        "<h1>no script</h1>",
    ],
)
def test_what_is_not_known_or_needed_as_it_is_is_left(text: str) -> None:
    with pytest.raises(NotScript):
        minify_js(text)


def test_licences_stay() -> None:
    assert "(c) Ada" in minify_js("/*! (c) Ada */ let a = 1; /* gone */")
