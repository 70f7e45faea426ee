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
    "cache": ["types.ts"],
    "s3": ["types.ts"],
    "assets": ["client.ts"],
    "services": ["client.ts"],
}
# What a worker hands over rather than calls.
_TAKEN = {"Command"}
_INTERFACE = re.compile(r"^export interface (?P<name>\w+)[^{]*\{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"^  (?:readonly )?(?P<name>[a-z]\w*)(?:<[^\n(]*>)?(?:\(|: \()", re.MULTILINE)


def methods(binding: str) -> list[tuple[str, str]]:
    """(interface, method) of every public interface of a binding's clients."""
    found = []
    for name in SURFACES[binding]:
        path = BINDINGS / binding / name
        if path.exists():
            for interface in _INTERFACE.finditer(path.read_text(encoding="utf-8")):
                if interface["name"] in _TAKEN:
                    continue
                found += [(interface["name"], method["name"]) for method in _METHOD.finditer(interface["body"])]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("binding", SURFACES)
def test_every_method_is_documented(binding: str) -> None:
    page = ROOT / "docs" / "bindings" / f"{binding}.md"
    text = page.read_text(encoding="utf-8")
    code = " ".join(re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))
    # The twin of a command that answers bytes needs no words of its own.
    words = {name: rf"\b(?:{name}|{name.removesuffix('Buffer')})\b" for _, name in methods(binding)}
    assert [f"{interface}.{name}" for interface, name in methods(binding) if not re.search(words[name], code)] == []


@pytest.mark.parametrize("binding", SURFACES)
def test_the_methods_are_found(binding: str) -> None:
    assert len(methods(binding)) >= (1 if binding in ("assets", "services") else 10)
