"""`v8box run` and `v8box open` against a real box."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.real import Shell

from v8box.cli.call import worker_url
from v8box.cli.client import Place


def test_it_sends_what_is_said_and_shows_the_answer(shell: Shell) -> None:
    answer = shell.data("run", "echo/a/b?x=1", "-X", "put", "-d", '{"n": 1}', "-H", "X-Custom: yes")
    assert answer["status"] == 200
    assert answer["body"] == {
        "method": "PUT",
        "path": "/a/b?x=1",
        "body": '{"n": 1}',
        "type": "application/json",
        "custom": "yes",
    }
    done = shell.call("run", "echo")
    assert '"method":"GET"' in done.stdout
    assert "200 OK" in done.stderr


def test_a_body_comes_from_a_file_or_standard_input(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("from a file")
    assert shell.data("run", "echo", "-d", f"@{tmp_path / 'body'}")["body"]["body"] == "from a file"
    assert shell.data("run", "echo", "-d", "@-", given="from a pipe")["body"]["body"] == "from a pipe"
    assert "cannot be read" in shell.fails(1, "run", "echo", "-d", "@nope")


def test_an_error_of_the_worker_ends_with_1_and_is_shown(shell: Shell) -> None:
    done = shell.call("run", "echo/fails")
    assert (done.returncode, done.stdout) == (1, "no\n")
    assert "418" in done.stderr


def test_what_is_not_there_ends_with_3_and_no_box_with_6(shell: Shell, tmp_path: Path) -> None:
    shell.fails(3, "run", "nope")
    shell.fails(3, "run", "echo", "--env", "staging")
    assert "does not answer" in shell.fails(6, "run", "echo", "--url", "http://127.0.0.1:1")
    assert "v8box up" in shell.fails(6, "run", "echo", cwd=tmp_path)


@pytest.mark.parametrize("words", [("-H", "nothing"), ("-H", ": x"), ("-H", "a: b\nc"), ("-X", "A B")])
def test_what_cannot_be_sent_is_a_mistake_in_the_words(shell: Shell, words: tuple[str, str]) -> None:
    shell.fails(2, "run", "echo", *words)


def test_open_says_where_a_worker_is(shell: Shell) -> None:
    base = f"http://127.0.0.1:{shell.box.port}"
    assert shell.call("open", "echo").stdout == f"{base}/run/echo\n"
    assert shell.data("open", "echo", "--env", "staging", "-p", "shop") == {"url": f"{base}/run/shop:echo@staging"}
    assert shell.data("open") == {"url": f"{base}/admin"}


@pytest.mark.parametrize(
    ("place", "public", "expected"),
    [
        (Place("http://127.0.0.1:8000"), False, ("http://127.0.0.1:8000/run/w/a", None)),
        (Place("http://127.0.0.1:80", "admin.x.org"), False, ("http://127.0.0.1:80/run/w/a", "api.x.org")),
        (Place("http://127.0.0.1:80", "admin.x.org"), True, ("http://api.x.org/run/w/a", None)),
        (Place("https://admin.x.org"), False, ("https://api.x.org/run/w/a", None)),
    ],
)
def test_below_a_domain_workers_have_a_host_of_their_own(
    place: Place, public: bool, expected: tuple[str, str | None]
) -> None:
    assert worker_url(place, "default", "w/a", "production", public=public) == expected
