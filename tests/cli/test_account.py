"""`v8box account` against a real box: one's own password, second factor and sessions, without a browser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from tests.cli.real import COMMAND, Shell

FIRST, SECOND = "correct-horse-battery", "another-sentence-here"


@pytest.fixture
def ada(shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    """Somebody with an address and a password, and nothing else."""
    assert shell.call("user", "create", "ada", "--role", "developer", "--password", given=FIRST).returncode == 0
    yield Shell(shell.box, tmp_path / "home")
    assert shell.call("user", "delete", "ada", "--yes").returncode == 0


def url(shell: Shell) -> str:
    return f"http://127.0.0.1:{shell.box.port}"


def sign_in(shell: Shell, password: str, code: str | None = None) -> httpx.Response:
    body = {"username": "ada", "password": password, **({} if code is None else {"code": code})}
    return httpx.post(f"{url(shell)}/api/v1/session", json=body, trust_env=False, timeout=60)


def test_a_password_is_changed_by_whoever_knows_it(ada: Shell, tmp_path: Path) -> None:
    words = ("account", "password", "--user", "ada", "--url", url(ada))
    assert "password" in ada.fails(4, *words, given="wrong-horse-battery\nx\n", cwd=tmp_path)
    assert "no line for it" in ada.fails(2, *words, given=f"{FIRST}\n", cwd=tmp_path)
    assert sign_in(ada, FIRST).status_code == 201
    done = ada.call(*words, given=f"{FIRST}\n{SECOND}\n", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert SECOND not in done.stdout + done.stderr
    assert sign_in(ada, FIRST).status_code == 401
    assert sign_in(ada, SECOND).status_code == 201


def test_a_second_factor_is_turned_on_and_off(ada: Shell, tmp_path: Path) -> None:
    own = ("--user", "ada", "--url", url(ada))
    # A new user's password is temporary: first one of their own.
    assert ada.call("account", "password", *own, given=f"{FIRST}\n{SECOND}\n", cwd=tmp_path).returncode == 0
    assert ada.data("account", "totp", "status", *own, given=SECOND, cwd=tmp_path)["active"] is False
    environ = {**os.environ, "HOME": str(ada.home), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [COMMAND, "account", "totp", "enable", *own],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as enabling:
        assert enabling.stdin is not None
        assert enabling.stdout is not None
        assert enabling.stderr is not None
        enabling.stdin.write(f"{SECOND}\n")
        enabling.stdin.flush()
        totp = pyotp.TOTP(enabling.stderr.readline().split()[-1])
        enabling.stdin.write(f"{totp.now()}\n")
        enabling.stdin.flush()
        codes = enabling.stdout.read().split()
        assert enabling.wait(60) == 0
    assert len(codes) >= 5
    refused = sign_in(ada, SECOND)
    assert (refused.status_code, refused.json()["code"]) == (401, "code_needed")
    fresh = ada.call("account", "totp", "recovery-codes", *own, given=f"{SECOND}\n{codes[0]}\n", cwd=tmp_path)
    assert fresh.returncode == 0, fresh.stderr
    assert set(fresh.stdout.split()).isdisjoint(codes)
    assert sign_in(ada, SECOND, codes[1]).status_code == 401  # those of before have ended
    code = fresh.stdout.split()[0]
    assert ada.call("account", "totp", "disable", *own, given=f"{SECOND}\n{code}\n", cwd=tmp_path).returncode == 0
    assert sign_in(ada, SECOND).status_code == 201


def test_sessions_are_listed_and_ended(ada: Shell, tmp_path: Path) -> None:
    ada.call("account", "password", "--user", "ada", "--url", url(ada), given=f"{FIRST}\n{SECOND}\n", cwd=tmp_path)
    assert ada.call("login", url(ada), "--user", "ada", given=SECOND, cwd=tmp_path).returncode == 0
    elsewhere = sign_in(ada, SECOND)
    assert elsewhere.status_code == 201
    [session] = ada.data("account", "sessions", "--url", url(ada), cwd=tmp_path)
    assert session["user_agent"].startswith("python-httpx")
    assert "Say which" in ada.fails(2, "account", "end", "--url", url(ada), cwd=tmp_path)
    assert ada.call("account", "end", session["id"], "--url", url(ada), cwd=tmp_path).returncode == 0
    assert ada.data("account", "sessions", "--url", url(ada), cwd=tmp_path) == []
    sign_in(ada, SECOND)
    assert ada.call("account", "end", "--all", "--yes", "--url", url(ada), cwd=tmp_path).returncode == 0
    assert ada.data("account", "sessions", "--url", url(ada), cwd=tmp_path) == []
