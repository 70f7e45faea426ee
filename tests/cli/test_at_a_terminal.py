"""What is different at a terminal: questions whose answers do not show, a bar, colours, tables as wide as it is."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from pathlib import Path

import pyotp
import pytest
from tests.cli.real import COMMAND, Shell

PASSWORD = "correct-horse-battery"


class Terminal:
    """A command at a terminal of 80 columns. `answer` waits for a question and types."""

    def __init__(self, shell: Shell, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {name: value for name, value in os.environ.items() if not name.startswith("V8BOX_")}
        env |= {"HOME": str(shell.home), "TERM": "xterm-256color"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            [COMMAND, *words], cwd=shell.box.directory, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.shown = ""
        self._answered = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def _read(self) -> bool:
        try:
            chunk = os.read(self._ours, 65_536)
        except OSError:  # nobody has the other end any more
            return False
        self.shown += self._decoder.decode(chunk)
        return bool(chunk)

    def answer(self, question: str, text: str, *, unseen: bool = False) -> None:
        while (at := self.shown.find(question, self._answered)) < 0 and self._read():
            pass
        assert at >= 0, self.shown
        self._answered = at + len(question)
        while unseen and termios.tcgetattr(self._ours)[3] & termios.ECHO:
            select.select([], [], [], 0.01)  # what is typed before the echo is off is thrown away
        os.write(self._ours, f"{text}\n".encode())

    def ends(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(60)


def test_a_secret_is_typed_unseen(shell: Shell) -> None:
    terminal = Terminal(shell, "secret", "set", "TYPED", "--worker", "shows")
    terminal.answer("Value of TYPED", "hunter2-and-more", unseen=True)
    assert terminal.ends() == 0
    assert "hunter2" not in terminal.shown
    assert shell.call("secret", "unset", "TYPED", "--worker", "shows").returncode == 0


def test_login_asks_for_all_that_is_needed(shell: Shell, tmp_path: Path) -> None:
    """A temporary password that has to be changed, then a second factor."""
    temporary = shell.data("user", "create", "tess", "--role", "viewer")["temporary_password"]
    url = f"http://127.0.0.1:{shell.box.port}"
    away = Shell(shell.box, tmp_path / "home")
    terminal = Terminal(away, "login", url)
    terminal.answer("User", "tess")
    terminal.answer("Password", temporary, unseen=True)
    terminal.answer("New password", PASSWORD, unseen=True)
    terminal.answer("The same again", PASSWORD, unseen=True)
    assert terminal.ends() == 0, terminal.shown
    assert PASSWORD not in terminal.shown
    assert away.data("whoami", "--url", url)["user"]["name"] == "tess"
    client, base = shell.box.client, f"{url}/api/v1/session"
    client.post(base, json={"username": "tess", "password": PASSWORD}).raise_for_status()
    secret = client.post(f"{base}/totp", json={"password": PASSWORD}).json()["secret"]
    codes = client.post(f"{base}/totp/confirm", json={"code": pyotp.TOTP(secret).now()}).json()["recovery_codes"]
    client.delete(base)
    terminal = Terminal(away, "login", url, "--user", "tess")
    terminal.answer("Password", PASSWORD, unseen=True)
    terminal.answer("authenticator", codes[0])
    assert terminal.ends() == 0, terminal.shown
    assert shell.call("user", "delete", "tess", "--yes").returncode == 0


def test_a_deploy_shows_how_far_it_is_and_a_diff_has_colours(shell: Shell, tmp_path: Path) -> None:
    main = tmp_path / "seen" / "main.ts"
    main.parent.mkdir()
    for word in ("one", "two"):
        main.write_text(f"export default {{ fetch: () => new Response('{word}') }};\n")
        terminal = Terminal(shell, "deploy", str(main.parent), "-e", "staging")
        assert terminal.ends() == 0, terminal.shown
        assert "seen v" in terminal.shown
        assert "bundles seen" in terminal.shown
    terminal = Terminal(shell, "diff", "seen", "v1", "v2")
    assert terminal.ends() == 0
    assert re.search(r"\x1b\[32m\+.*two", terminal.shown)
    assert re.search(r"\x1b\[31m-.*one", terminal.shown)
    shell.call("delete", "seen", "--yes")


def test_tables_are_as_wide_as_the_terminal(shell: Shell) -> None:
    shell.data("env", "set", f"LONG={'x' * 300}")
    terminal = Terminal(shell, "env", "list")
    assert terminal.ends() == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown)
    assert [line for line in plain.splitlines() if len(line) > 80] == []
    assert "╭" in plain
    assert plain.count("x") >= 300
    shell.data("env", "unset", "LONG")


@pytest.mark.parametrize(("typed", "code"), [("asked", 0), ("something else", 1)])
def test_deleting_asks_for_the_name(shell: Shell, typed: str, code: int) -> None:
    shell.call("user", "create", "asked", "--role", "viewer")
    terminal = Terminal(shell, "user", "delete", "asked")
    terminal.answer("Type its name", typed)
    assert terminal.ends() == code
    shell.call("user", "delete", "asked", "--yes")
