"""What the box says in English, the dashboard says in Bahasa Indonesia too: no code, and no action, is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from v8box.catalog.model import Change
from v8box.telemetry.findings import N_PLUS_ONE, SLOW

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "v8box"
COMPONENTS = ROOT / "dashboard" / "src" / "components"
ACTION = re.compile(
    r"(alert|api_key|audit|cache|canary|capture|cdn|deployment|encryption|error|notification_channel|"
    r"notification_rule|project|role|saved_query|session|site|token|totp|user|variable|version|worker)\.[a-z_]+"
)
CHANGING = {"post", "put", "patch", "delete"}
NO_ACTIONS = {"audit.sql", "cache.count"}
"""A file, and work that changes nothing."""


def modules(having: str, *below: str) -> Iterator[ast.Module]:
    """Only those with such a text are parsed: to parse all takes seconds."""
    for folder in below or ("",):
        for path in sorted((SOURCE / folder).rglob("*.py")):
            text = path.read_text()
            if re.search(having, text):
                yield ast.parse(text)


def phrases(*below: str) -> dict[str, set[str]]:
    """The codes that are said, with the values that every place gives them."""
    said: dict[str, set[str]] = {}
    for module in modules(r"\bphrase\(", *below):
        for node in ast.walk(module):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "phrase"):
                continue
            code = node.args[0]
            assert isinstance(code, ast.Constant), f"line {node.lineno}: the code is a literal"
            assert isinstance(code.value, str)
            given = {each.arg for each in node.keywords if each.arg is not None}
            if any(each.arg is None for each in node.keywords):  # **took
                given |= {"cpu_ms", "elapsed_ms"}
            said[code.value] = said.get(code.value, given) & given
    return said


def translated(file: str) -> dict[str, set[str]]:
    """The codes of a catalogue, with the values that their texts use."""
    text = (COMPONENTS / file).read_text()
    table = text[text.index("const PHRASES: Phrases = {") :].partition("\n};")[0]
    entries = re.split(r"^  (\w+): ", table, flags=re.MULTILINE)[1:]
    return {code: set(re.findall(r"\bv\.(\w+)", body)) for code, body in zip(entries[::2], entries[1::2], strict=True)}


@pytest.mark.parametrize(
    ("file", "below"),
    [("check-phrases.ts", ("features/health", "app", "sandbox")), ("kill-phrases.ts", ("features/kills",))],
)
def test_each_code_has_a_text_that_uses_what_the_box_tells(file: str, below: tuple[str, ...]) -> None:
    said, known = phrases(*below), translated(file)
    assert len(said) > 20
    assert sorted(said) == sorted(known)
    assert {code: used - said[code] for code, used in known.items() if used - said[code]} == {}


def test_phrases_are_said_only_where_they_are_looked_for() -> None:
    everywhere = set(phrases())
    assert everywhere == set(phrases("features/health", "app", "sandbox", "features/kills"))


def test_each_kind_of_finding_has_a_text() -> None:
    text = (COMPONENTS / "finding-phrases.ts").read_text()
    assert [kind for kind in (SLOW, N_PLUS_ONE) if f'"{kind}"' not in text] == []


def actions() -> set[str]:
    """Of entries that are written by themselves, and of routes that write none: then the operation's id."""
    found = {f"deployment.{change.value}" for change in Change} | {f"error.{verb}" for verb in error_verbs()}
    for module in modules(r"\bEvent\(|_audited\(|\baction\b"):
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACTION.fullmatch(node.value):
                found.add(node.value)
    for module in modules(r"@routes\.(post|put|patch|delete)"):
        found |= {each.name for each in ast.walk(module) if isinstance(each, ast.AsyncFunctionDef) and changes(each)}
    for path in SOURCE.glob("features/*/routes.py"):
        found |= set(re.findall(r'\("(?:POST|PUT|PATCH|DELETE)", [^,]+, handlers\.(\w+), _WRITES', path.read_text()))
    return found - NO_ACTIONS


def changes(route: ast.AsyncFunctionDef) -> bool:
    called = [each.func for each in route.decorator_list if isinstance(each, ast.Call)]
    looks = any(isinstance(each, ast.Name) and each.id == "changes_nothing" for each in route.decorator_list)
    return not looks and any(isinstance(each, ast.Attribute) and each.attr in CHANGING for each in called)


def error_verbs() -> list[str]:
    from v8box.features.errors.service import _VERBS

    return sorted(_VERBS.values())


def test_each_action_of_the_audit_log_has_words_in_both_languages() -> None:
    text = (COMPONENTS / "action-messages.ts").read_text()
    english, _, indonesian = text.partition("\n  id: {")
    known = actions()
    assert {"worker.deploy", "user.password_reset", "create_link", "query_database"} <= known
    for words in (english, indonesian):
        verbs = set(re.findall(r"^\s+(\w+): \"", words, re.MULTILINE))
        whole = set(re.findall(r"^\s+\"([\w.]+)\": \"", words, re.MULTILINE))
        missing = {
            action
            for action in known
            if action not in whole
            and action.partition(".")[2].split("_")[0] not in verbs
            and ("." in action or action.split("_")[0] not in verbs)
        }
        assert sorted(missing) == []
