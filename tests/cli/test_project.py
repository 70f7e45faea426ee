"""`v8box project` against a real box."""

from __future__ import annotations

import pytest
from tests.cli.real import Shell


def test_a_project_is_made_changed_used_and_deleted(shell: Shell) -> None:
    made = shell.data("project", "create", "shop", "--title", "The shop", "--quota", "workers=2")
    assert (made["name"], made["quotas"]["workers"]) == ("shop", 2)
    assert "The shop" in shell.call("project", "list").stdout
    assert shell.data("project", "change", "shop", "--quota", "workers=none")["quotas"]["workers"] is None
    assert shell.data("project", "show", "shop")["title"] == "The shop"
    shell.data("env", "set", "A=1", V8BOX_PROJECT="shop")
    assert "A" not in {each["name"] for each in shell.data("env", "list")}
    assert [each["name"] for each in shell.data("env", "list", "-p", "shop")] == ["A"]
    assert shell.data("project", "usage", "shop")["variables"]["used"] == 1
    assert "variables" in shell.call("project", "usage", "shop").stdout
    assert shell.data("project", "members", "shop") == []
    shell.data("db", "query", "create table only_here (x)", "--project", "shop")
    assert "only_here" in shell.call("db", "tables", "-p", "shop").stdout
    assert "only_here" not in shell.call("db", "tables").stdout
    assert "only_here" in shell.call("db", "export", V8BOX_PROJECT="shop").stdout
    assert "--yes" in shell.fails(1, "project", "delete", "shop")
    assert shell.data("project", "delete", "shop", "--yes")["state"] == "succeeded"
    assert "shop" not in {each["name"] for each in shell.data("project", "list")}


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (5, ("project", "create", "default"), ""),
        (1, ("project", "create", "No Such"), "name"),
        (1, ("project", "create", "x", "--quota", "nope=1"), "nope"),
        (2, ("project", "create", "x", "--quota", "workers"), "workers=10"),
        (2, ("project", "change", "default"), "--title"),
        (3, ("project", "show", "nope"), ""),
        (2, ("db", "list", "-p", "sh\u00f6p"), "project list"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, *words)
