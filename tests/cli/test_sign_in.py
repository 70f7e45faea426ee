"""Signing in from another place than the box's machine: a token of one's own, kept, used, ended; users and tokens."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pyotp
import pytest
from tests.cli.real import Shell

PASSWORD = "correct-horse-battery"


@pytest.fixture
def away(shell: Shell, tmp_path: Path) -> Shell:
    """Somebody who is not in the box's folder: only an address and what they know."""
    return Shell(shell.box, tmp_path / "home")


def at(shell: Shell) -> str:
    return f"http://127.0.0.1:{shell.box.port}"


def make_user(shell: Shell, name: str, role: str) -> None:
    words = ("user", "create", name, "--role", role, "--password")
    assert shell.data(*words, given=PASSWORD)["temporary_password"] is None


def test_login_keeps_a_token_and_logout_ends_it(shell: Shell, away: Shell, tmp_path: Path) -> None:
    make_user(shell, "ada", "developer")
    url, nowhere = at(shell), tmp_path
    assert "v8box login" in away.fails(4, "list", "--url", url, cwd=nowhere)
    done = away.call("login", url, "--user", "ada", "--label", "laptop", given=PASSWORD, cwd=nowhere)
    assert done.returncode == 0, done.stderr
    file = away.home / ".config" / "v8box" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())[url]["token"]
    assert token.startswith("v8b_pat_")
    assert token not in done.stdout + done.stderr
    assert PASSWORD not in file.read_text() + done.stdout + done.stderr
    me = away.data("whoami", "--url", url, cwd=nowhere)
    assert (me["kind"], me["user"]["name"], me["roles"]) == ("token", "ada", {"*": "developer"})
    assert isinstance(away.data("list", "--url", url, cwd=nowhere), list)
    [kept] = away.data("token", "list", "--url", url, cwd=nowhere)
    assert kept["label"] == "laptop"
    assert kept["expires_at"] is not None
    assert "role" in away.fails(4, "user", "list", "--url", url, cwd=nowhere)
    assert away.call("logout", url, cwd=nowhere).returncode == 0
    assert json.loads(file.read_text()) == {}
    assert "not valid" in away.fails(4, "whoami", "--url", url, "--token", token, cwd=nowhere)
    assert "Nothing is kept" in away.fails(3, "logout", url, cwd=nowhere)
    assert shell.call("user", "delete", "ada", "--yes").returncode == 0


def test_a_token_that_there_is_can_be_kept(shell: Shell, away: Shell, tmp_path: Path) -> None:
    make_user(shell, "ci", "developer")
    made = shell.data("token", "create", "pipeline", "--scope", "read", "--user", "ci", "--expires", "1h")
    url = at(shell)
    assert away.call("login", url, "--with-token", given=made["token"] + "\n", cwd=tmp_path).returncode == 0
    assert away.data("whoami", cwd=tmp_path, V8BOX_URL=url)["scopes"] == ["read"]
    assert "scope" in away.fails(4, "env", "set", "A=1", "--url", url, cwd=tmp_path)
    assert shell.call("token", "revoke", made["id"]).returncode == 0
    away.fails(4, "whoami", "--url", url, cwd=tmp_path)
    assert "not valid" in away.fails(4, "login", url, "--with-token", given="v8b_pat_nonsense", cwd=tmp_path)
    shell.call("user", "delete", "ci", "--yes")


def test_wrong_words_keep_nothing(shell: Shell, away: Shell, tmp_path: Path) -> None:
    make_user(shell, "eve", "viewer")
    url = at(shell)
    assert "not right" in away.fails(4, "login", url, "--user", "eve", given="wrong-wrong-wrong", cwd=tmp_path)
    assert "no address" in away.fails(2, "login", "admin.example.com", given=PASSWORD, cwd=tmp_path)
    assert "No box answers" in away.fails(6, "login", "http://127.0.0.1:1", given=PASSWORD, cwd=tmp_path)
    assert not (away.home / ".config").exists()
    shell.call("user", "delete", "eve", "--yes")


def test_a_second_factor_needs_somebody_at_a_terminal(shell: Shell, away: Shell, tmp_path: Path) -> None:
    make_user(shell, "two", "viewer")
    client = shell.box.client
    base = f"{at(shell)}/api/v1/session"
    assert client.post(base, json={"username": "two", "password": PASSWORD}).status_code == 201
    secret = client.post(f"{base}/totp", json={"password": PASSWORD}).json()["secret"]
    client.post(f"{base}/totp/confirm", json={"code": pyotp.TOTP(secret).now()}).raise_for_status()
    client.delete(base)
    assert "code" in away.fails(4, "login", at(shell), "--user", "two", given=PASSWORD, cwd=tmp_path)
    shell.call("user", "delete", "two", "--yes")


def test_users_roles_and_passwords(shell: Shell) -> None:
    made = shell.data("user", "create", "bob", "--email", "bob@example.com")
    assert len(made["temporary_password"]) > 10
    assert made["roles"] == {}
    assert shell.data("user", "role", "bob", "developer")["roles"] == {"default": "developer"}
    assert shell.data("user", "role", "bob", "viewer", "--everywhere")["roles"]["*"] == "viewer"
    assert "bob" in shell.call("user", "list").stdout
    assert [each["name"] for each in shell.data("project", "members", "default")] == ["bob"]
    assert shell.call("user", "role", "bob", "none").returncode == 0
    assert shell.data("user", "show", "bob")["roles"] == {"*": "viewer"}
    assert shell.data("user", "disable", "bob")["disabled"] is True
    assert shell.data("user", "disable", "bob", "--undo")["disabled"] is False
    assert shell.data("user", "reset-password", "bob", "--yes")["temporary_password"]
    assert "--yes" in shell.fails(1, "user", "delete", "bob")
    assert shell.call("user", "delete", "bob", "--yes").returncode == 0
    shell.fails(3, "user", "show", "bob")


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (5, ("user", "create", "admin"), "already"),
        (1, ("user", "create", "x", "--role", "king"), ""),
        (2, ("user", "create", "x", "--role", "=viewer"), "shop=developer"),
        (3, ("user", "create", "x", "--role", "nope=viewer"), "nope"),
        (1, ("user", "create", "x", "--password"), ""),
        (3, ("user", "role", "nope", "viewer"), ""),
        (1, ("user", "role", "admin", "king"), ""),
        (3, ("token", "revoke", "nope"), ""),
        (2, ("token", "create", "x", "--expires", "soon"), "30d"),
        (1, ("token", "create", "x", "--scope", "nope"), "scope"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, *words)
