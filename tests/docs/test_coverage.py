"""Every method that a worker can call has its words in the page of its binding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BINDINGS = ROOT / "src" / "v8box" / "bindings"

# The interfaces that a worker holds objects of, by the file that declares them.
SURFACES = {
    "db": ["client.ts", "d1.ts"],
    "cache": ["client.ts", "kv.ts"],
    "s3": ["types.ts"],
}
_INTERFACE = re.compile(r"^export interface (?P<name>\w+)[^{]*\{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"^  (?:readonly )?(?P<name>[a-z]\w*)(?:<[^\n(]*>)?(?:\(|: \()", re.MULTILINE)


def methods(binding: str) -> list[tuple[str, str]]:
    """(interface, method) of every public interface of a binding's clients."""
    found = []
    for name in SURFACES[binding]:
        path = BINDINGS / binding / name
        if path.exists():
            for interface in _INTERFACE.finditer(path.read_text(encoding="utf-8")):
                found += [(interface["name"], method["name"]) for method in _METHOD.finditer(interface["body"])]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("binding", SURFACES)
def test_every_method_is_documented(binding: str) -> None:
    page = ROOT / "docs" / "bindings" / f"{binding}.md"
    if not page.exists():
        pytest.skip(f"no docs/bindings/{binding}.md yet")
    text = page.read_text(encoding="utf-8")
    code = " ".join(re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))
    # The twin of a command that answers bytes needs no words of its own.
    wanted = [(interface, name.removesuffix("Buffer")) for interface, name in methods(binding)]
    assert [f"{interface}.{name}" for interface, name in wanted if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize("binding", SURFACES)
def test_the_methods_are_found(binding: str) -> None:
    assert len(methods(binding)) >= 10
