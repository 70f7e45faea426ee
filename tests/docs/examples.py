"""Turns the examples of a page into workers that check themselves.

A block fenced as `ts` is a whole worker when it has an `export default`, else the body of a handler. A statement that
ends with `// → value` is checked: the value of `await f();`, of `return f();`, or what `const x = …;` declares (a
pattern like `const { a, b } = …` is compared as the object `{ a, b }`). A block fenced as `ts ignore` is not run. What
the page's `toml` blocks say of a worker holds for every worker of the page.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).with_name("checks.ts")

_HANDLER = "export default async ({ db, cache, s3, env, log, request, waitUntil }: V8Box.Context) => {"
_FENCE = re.compile(r"^```(?P<info>[^`]*)$")
_WHOLE_WORKER = re.compile(r"^export default\b", re.MULTILINE)
_IMPORT = re.compile(r"^import\b(?!\s*\()")
_CHECKED = re.compile(r"^(?P<statement>.*;)\s*// → (?P<value>.+)$")
_DECLARED = re.compile(r"^(?P<head>\s*(?:const|let|var)\s+)(?P<target>\w+|\{[^=]*\}|\[[^=]*\])(?:\s*:[^=]*)?\s*=[^=>]")
_RETURNED = re.compile(r"^(?P<head>\s*return\s)(?P<value>.*);$", re.DOTALL)
_STATEMENT = re.compile(r"^(?P<indent>\s*)(?P<value>.*);$", re.DOTALL)
_TEXT = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One block: where it stands (the line of its first line of code, from 1), its code, and what its fence says."""

    page: str
    line: int
    code: str
    language: str

    @property
    def worker(self) -> str:
        return f"{Path(self.page).stem}-{self.line}"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class BadExample(Exception):
    """A block that cannot be made a worker; the message says where and why."""


def blocks(page: str, text: str) -> list[Example]:
    """Every fenced block of a page, in its order."""
    found = []
    fence, start, lines = "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if not fence and match:
            fence, start, lines = match["info"].strip() or "text", number + 1, []
        elif fence and line == "```":
            found.append(Example(page, start, "\n".join(lines), fence))
            fence = ""
        else:
            lines.append(line)
    if fence:
        raise BadExample(f"{page}:{start}: the block is not closed")
    return found


def worker_source(example: Example) -> str:
    """The worker, with every line on the line that it has in the page: an error's stack trace then names that."""
    lines = _with_checks(example)
    if not _WHOLE_WORKER.search(example.code):
        body = next((at for at, line in enumerate(lines) if line.strip() and not _is_import(lines, at)), 0)
        lines[body] = f"{_HANDLER} {lines[body]}"
        lines[-1] += "\nreturn null;\n};"
    lines[0] = f'import {{ check as __check }} from "../checks.ts"; {lines[0]}'
    return "\n" * (example.line - 1) + "\n".join(lines) + "\n"


def manifest(page: list[Example]) -> dict[str, Any]:
    """What the `toml` blocks of a page say of its workers, of all of them together."""
    merged: dict[str, Any] = {}
    for block in page:
        if block.language == "toml":
            for table in tomllib.loads(block.code).get("workers", {}).values():
                _merge(merged, table)
    merged.pop("entry", None)
    return merged


def as_toml(value: Any) -> str:
    """An inline value; strings and numbers are written as in JSON, which TOML reads alike."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value)


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        elif isinstance(value, list):
            into[key] = [*into.get(key, []), *(entry for entry in value if entry not in into.get(key, []))]
        else:
            into[key] = value


def _is_import(lines: list[str], at: int) -> bool:
    """Whether this line belongs to a static import, which may take several lines."""
    start = at
    while start > 0 and not _IMPORT.match(lines[start]) and ";" not in lines[start - 1]:
        start -= 1
    return bool(_IMPORT.match(lines[start]))


def _with_checks(example: Example) -> list[str]:
    lines = example.code.split("\n")
    for at, line in enumerate(lines):
        match = _CHECKED.match(line)
        place = f"{example.page}:{example.line + at}"
        if match is None:
            if "// →" in line:
                raise BadExample(f"{place}: what is checked must be a statement that ends with `;`")
            continue
        first = _statement_start(lines, at, match["statement"])
        if first is None:
            raise BadExample(f"{place}: cannot tell where this statement begins")
        statement = "\n".join([*lines[first:at], match["statement"]])
        checked = _checked(statement, f"{json.dumps(place)}, () => ({match['value']})").split("\n")
        lines[first : at + 1] = checked
    return lines


def _statement_start(lines: list[str], at: int, last: str) -> int | None:
    """The line where the statement begins that ends at line `at`: the nearest from where on all brackets are closed."""
    for first in range(at, -1, -1):
        text = _TEXT.sub("", "\n".join([*lines[first:at], last]))
        counts = [text.count(opening) - text.count(closing) for opening, closing in ("()", "[]", "{}")]
        begins = not lines[first].lstrip().startswith((".", "?", ":", "&&", "||", ")", "]", "}"))
        if begins and not any(counts):
            return first
    return None


def _checked(statement: str, arguments: str) -> str:
    if declared := _DECLARED.match(statement):
        return f"{statement} __check({declared['target']}, {arguments});"
    for pattern, group in ((_RETURNED, "head"), (_STATEMENT, "indent")):
        if match := pattern.match(statement):
            # A comma ends an argument, not an expression, so it stands in brackets of its own.
            return f"{match[group]}__check(({match['value']}), {arguments});"
    raise BadExample(f"not a statement: {statement}")
