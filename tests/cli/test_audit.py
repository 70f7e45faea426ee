"""`v8box audit` against a real box: what the commands did is there, and secrets are not."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.real import Shell


def test_a_change_is_found_shown_and_exported(shell: Shell, tmp_path: Path) -> None:
    shell.call("secret", "set", "AUDITED", given="hunter2-and-more")
    shell.call("secret", "unset", "AUDITED")
    found = shell.data("audit", "list", "--action", "variable.", "--text", "AUDITED", "--since", "1h")
    assert len(found) >= 2
    assert {each["actor"]["kind"] for each in found} == {"local"}
    shown = shell.call("audit", "list", "--text", "AUDITED").stdout
    assert "variable." in shown
    assert shell.data("audit", "list", "--since", "2100-01-01") == []
    assert len(shell.data("audit", "list", "--limit", "1")) == 1
    lines = [json.loads(line) for line in shell.call("audit", "export").stdout.splitlines()]
    assert [each["number"] for each in lines] == sorted(each["number"] for each in lines)
    target = tmp_path / "audit.csv"
    assert shell.call("audit", "export", "--csv", "-o", str(target), "--only", "default").returncode == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert {row["project"] for row in rows} == {"default"}
    assert "already" in shell.fails(5, "audit", "export", "-o", str(target))
    assert "hunter2" not in shown + target.read_text() + json.dumps(lines)


def test_the_chain_is_whole(shell: Shell) -> None:
    assert shell.data("audit", "verify")["ok"] is True
    assert "whole" in shell.call("audit", "verify").stdout


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("audit", "list", "--since", "yesterday"), "2026-01-31"),
        (2, ("audit", "list", "--limit", "0"), ""),
        (4, ("audit", "list", "--token", "v8b_pat_nonsense"), ""),
        (6, ("audit", "verify", "--url", "http://127.0.0.1:1"), "No box"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, *words)
