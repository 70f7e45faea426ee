"""`v8box env` and `v8box secret` against a real box: what is set is what a worker gets, and secrets do not come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.real import Shell

SECRET = "hunter2-and-more"


def gets(shell: Shell) -> Any:
    return shell.data("run", "shows")["body"]["data"]


@pytest.fixture(autouse=True)
def nothing_is_set(shell: Shell) -> None:
    for each in shell.data("env", "list"):
        level = [word for name in ("worker", "environment") if (word := each[name])]
        flags = [flag for flag, name in (("--worker", "worker"), ("--env", "environment")) if each[name]]
        shell.data("env", "unset", each["name"], *(word for pair in zip(flags, level, strict=True) for word in pair))


def test_the_narrowest_level_wins_and_a_rollback_brings_the_value_before_back(shell: Shell) -> None:
    assert gets(shell) == {"greeting": None, "token": None}
    assert shell.data("env", "set", "GREETING=hello", "OTHER=a=b")["set"] == ["GREETING", "OTHER"]
    assert gets(shell)["greeting"] == "hello"
    shell.data("env", "set", "GREETING=only here", "--worker", "shows", "--env", "production")
    assert gets(shell)["greeting"] == "only here"
    effective = {each["name"]: each for each in shell.data("env", "list", "--effective", "-w", "shows")}
    assert effective["GREETING"]["source"] == "worker/production"
    assert effective["GREETING"]["overrides"] == ["project"]
    assert effective["OTHER"]["value"] == "a=b"
    shell.data("env", "set", "GREETING=changed", "-w", "shows", "-e", "production")
    shell.data("env", "rollback", "GREETING", "--to", "v1", "-w", "shows", "-e", "production")
    assert gets(shell)["greeting"] == "only here"
    found = shell.data("env", "versions", "GREETING", "-w", "shows", "-e", "production")
    assert [(each["version"], each["value"], each["current"]) for each in found] == [
        (3, "only here", True),
        (2, "changed", False),
        (1, "only here", False),
    ]
    assert shell.data("env", "unset", "GREETING", "-w", "shows", "-e", "production")["deleted"] == ["GREETING"]
    assert gets(shell)["greeting"] == "hello"


def test_a_secret_goes_in_and_does_not_come_out(shell: Shell) -> None:
    done = shell.call("secret", "set", "TOKEN", given=f"{SECRET}\n")
    assert done.returncode == 0
    assert gets(shell)["token"] == SECRET
    told = done.stdout + done.stderr
    for words in (("secret", "list"), ("env", "list"), ("env", "versions", "TOKEN"), ("secret", "list", "--json")):
        told += "".join((shell.call(*words).stdout, shell.call(*words).stderr))
    assert "TOKEN" in told
    assert SECRET not in told
    assert shell.data("secret", "unset", "TOKEN")["deleted"] == ["TOKEN"]
    assert "TOKEN" not in {each["name"] for each in shell.data("secret", "list") if each["worker"] is None}


def test_a_secret_is_no_argument(shell: Shell) -> None:
    told = shell.fails(2, "secret", "set", f"TOKEN={SECRET}", given="x")
    assert "asked for" in told
    assert SECRET not in told


def test_a_value_cannot_steer_the_terminal(shell: Shell) -> None:
    shell.data("env", "set", "GREETING=a\x1b[2Jb\u202ec\nd")
    shown = shell.call("env", "list").stdout
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "a\ufffd[2Jb\ufffdc d" in shown


def test_an_env_file_is_set_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nGREETING='from a file'\nTOKEN=abc\n")
    assert sorted(shell.data("env", "import", str(file), "--plain")["set"]) == ["GREETING", "TOKEN"]
    assert gets(shell) == {"greeting": "from a file", "token": "abc"}
    shell.fails(1, "env", "import", "-", given="GOOD=1\n1BAD=2\n")
    assert "GOOD" not in {each["name"] for each in shell.data("env", "list")}
    assert "--yes" in shell.fails(1, "env", "import", str(file), "--replace")
    changed = shell.data("env", "import", "-", "--replace", "--yes", given="NEW=1\n")
    assert (changed["set"], sorted(changed["deleted"])) == (["NEW"], ["GREETING", "TOKEN"])
    [new] = shell.data("env", "list")
    assert (new["secret"], new["value"]) == (True, None)


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("env", "set", "GREETING"), "NAME=VALUE"),
        (1, ("env", "set", "1BAD=2"), "1BAD"),
        (1, ("env", "set", "DENO_X=2"), "DENO_"),
        (1, ("env", "set", "A=1", "-e", "No Such"), ""),
        (2, ("env", "list", "--effective"), "--worker"),
        (2, ("env", "rollback", "A", "--to", "x"), "v3"),
        (3, ("env", "rollback", "NOPE", "--to", "v1"), ""),
        (3, ("env", "versions", "NOPE"), ""),
        (1, ("env", "import", "nope.env"), "cannot be read"),
        (6, ("env", "list", "--url", "http://127.0.0.1:1"), "No box answers"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, *words)
