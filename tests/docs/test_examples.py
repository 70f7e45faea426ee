"""The examples in `docs/bindings` do what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.docs.conftest import Outcome, runnable
from tests.docs.examples import CHECKS, BadExample, Example, as_toml, blocks, manifest, worker_source

from v8box.sandbox.runtime import find_deno


@pytest.mark.parametrize("example", runnable(), ids=str)
def test_example(example: Example, outcomes: dict[Example, Outcome]) -> None:
    outcome = outcomes[example]
    if outcome.status >= 400:
        pytest.fail(f"{example}: {outcome.status} {outcome.text}\n{outcome.printed}\n\n{example.code}", pytrace=False)


def body(code: str) -> Example:
    return blocks("docs/p.md", f"\n```ts\n{code}\n```\n")[0]


def test_blocks_are_found_with_their_lines() -> None:
    text = "# A\n```ts\na;\nb;\n```\n```ts ignore\nc;\n```\n```toml\nd = 1\n```\n"
    found = blocks("p.md", text)
    assert [(example.line, example.language, example.code) for example in found] == [
        (3, "ts", "a;\nb;"),
        (7, "ts ignore", "c;"),
        (10, "toml", "d = 1"),
    ]
    assert found[0].worker == "p-3"


def test_a_block_stands_on_its_own_lines() -> None:
    lines = worker_source(body('import a from "npm:a";\n\nawait a();')).split("\n")
    assert lines[0] == lines[1] == ""
    assert lines[2].endswith('import a from "npm:a";')
    assert lines[4].startswith("export default async (")
    assert lines[4].endswith("=> { await a();")


def test_an_import_of_several_lines_stays_outside() -> None:
    source = worker_source(body('import {\n  a,\n  b,\n} from "npm:a";\nawait a();'))
    assert source.index('} from "npm:a";') < source.index("export default") < source.index("await a()")


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ('await f("(");  // → 1', '__check((await f("(")), "docs/p.md:3", () => (1));'),
        ("const x = f(); // → [1]", 'const x = f(); __check(x, "docs/p.md:3", () => ([1]));'),
        ("const { a } = f(); // → {}", 'const { a } = f(); __check({ a }, "docs/p.md:3", () => ({}));'),
        ("const x: T = f(); // → 1", 'const x: T = f(); __check(x, "docs/p.md:3", () => (1));'),
        ("return x; // → 1", 'return __check((x), "docs/p.md:3", () => (1));'),
        ("a = 1;\nf({\n  a,\n}); // → 1", '__check((f({\n  a,\n})), "docs/p.md:6", () => (1));'),
        ("f()\n  .g(); // → 1", '__check((f()\n  .g()), "docs/p.md:4", () => (1));'),
    ],
)
def test_a_statement_is_checked(code: str, made: str) -> None:
    assert made in worker_source(body(code))


@pytest.mark.parametrize("code", ["f() // → 1", "if (a) // → 1", ")); // → 1"])
def test_what_cannot_be_checked_is_told(code: str) -> None:
    with pytest.raises(BadExample, match=r"docs/p\.md:3"):
        worker_source(body(code))


def test_a_block_that_is_not_closed_is_told() -> None:
    with pytest.raises(BadExample, match=r"p\.md:2"):
        blocks("p.md", "```ts\na;\n")


def test_the_manifest_of_a_page_is_that_of_all_its_workers() -> None:
    page = blocks(
        "p.md",
        "```toml\n[workers.a]\nentry = 'x.ts'\npermissions.databases = ['crm']\n```\n"
        "```toml\n[workers.b.permissions]\ndatabases = ['crm', 'shop']\n[workers.b.env]\nA = 'b'\n```\n",
    )
    merged = manifest(page)
    assert merged == {"permissions": {"databases": ["crm", "shop"]}, "env": {"A": "b"}}
    assert as_toml(merged) == '{"permissions" = {"databases" = ["crm", "shop"]}, "env" = {"A" = "b"}}'


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 + 1; // → 3", "docs/p.md:3: expected 3, got 2"),
        ('const { a } = { a: "x", b: 1 }; // → { a: "y" }', """docs/p.md:3: expected { a: "y" }, got { a: "x" }"""),
        ("(class { a = 1 }).name; // → undefined", """docs/p.md:3: expected undefined, got \"\""""),
        ("Object.assign(Object.create({ z: 1 }), { a: [1, 2n] }); // → { a: [1, 2n] }", "fine"),
        ("new Uint8Array([1]).buffer; // → new Uint8Array([1])", "fine"),
        ("new Date(5); // → new Date(6)", "docs/p.md:3: expected 1970-01-01T00:00:00.006Z"),
    ],
)
def test_a_wrong_value_is_told(code: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    shutil.copy(CHECKS, tmp_path)
    (tmp_path / "functions" / "w.ts").write_text(worker_source(body(code)))
    run = "const { default: run } = await import('./functions/w.ts'); "
    (tmp_path / "run.ts").write_text(run + "console.log(await run({}).then(() => 'fine', (error) => error.message));")
    command = [find_deno(), "run", "--no-config", "--no-lock", "--allow-read", "run.ts"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert told in done.stdout
