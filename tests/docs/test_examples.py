"""The examples in `docs/bindings` do what they say."""

from __future__ import annotations

import pytest
from tests.docs.conftest import Outcome, runnable
from tests.docs.examples import BadExample, Example, as_toml, blocks, manifest, worker_source


@pytest.mark.parametrize("example", runnable(), ids=str)
def test_example(example: Example, outcomes: dict[Example, Outcome]) -> None:
    outcome = outcomes[example]
    printed = "\n".join(outcome.printed)
    assert outcome.status < 400, f"{example}: {outcome.status} {outcome.text}\n{printed}\n\n{example.code}"


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
