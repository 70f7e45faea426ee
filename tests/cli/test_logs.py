"""`v8box logs` against a real box: the last, those to come, and what a worker prints to a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from tests.cli.real import COMMAND, Shell

from v8box.cli.logs import in_words

TALKER = """export default function ({ log }: V8Box.Context, params: V8Box.Params) {
  log.info(`said ${params.word}`, { n: 1 });
  if (params.bad) log.error("\\x1b[2Jbad");
  return 1;
}
"""


@pytest.fixture(scope="module")
def talker(shell: Shell) -> Iterator[Shell]:
    file = shell.box.directory / "functions" / "talker.ts"
    mark = shell.box.mark()
    file.write_text(TALKER)
    shell.box.wait_line("talker is live", mark)
    shell.box.run("talker", params={"word": "first", "bad": "1"})
    shell.box.until(lambda: len(shell.data("logs", "talker", "--runs")) == 1)  # it is told a moment later
    yield shell
    file.unlink()


def test_the_last_lines_and_runs_are_shown(talker: Shell) -> None:
    found = talker.data("logs", "talker")
    assert [each["kind"] for each in found].count("run") == 1
    shown = talker.call("logs", "talker").stdout
    assert 'info  said first {"n":1}' in shown
    assert "GET" in shown
    assert "\x1b" not in shown
    assert {each["level"] for each in talker.data("logs", "talker", "--level", "error", "--lines")} == {"error"}
    [run] = talker.data("logs", "talker", "--runs")
    assert len(talker.data("logs", "talker", "--run", run["run"])) == 3
    assert talker.data("logs", "talker", "--text", "nobody said this") == []
    assert len(talker.data("logs", "talker", "-n", "1", "--since", "1h")) == 1


def test_without_a_worker_it_is_the_whole_project(talker: Shell) -> None:
    shown = talker.call("logs", "--text", "said first").stdout
    assert " talker " in shown
    assert {each["worker"] for each in talker.data("logs", "-n", "1000", "--lines")} >= {"talker"}


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_what_comes_is_followed(talker: Shell) -> None:
    environ = {**os.environ, "HOME": str(talker.home), "NO_COLOR": "1"}
    words = [COMMAND, "logs", "talker", "-f", "--json", "--lines", "--text", "said"]
    with subprocess.Popen(
        words,
        cwd=talker.box.directory,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # the tests may run in the background, where nobody is interrupted
    ) as following:
        try:
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["text"] == "said first"
            talker.box.run("talker", params={"word": "second"})
            assert json.loads(following.stdout.readline())["text"] == "said second"
            following.send_signal(2)
            assert following.wait(60) == 130
        finally:
            following.kill()  # it would be waited for


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (3, ("nope",), "nope"),
        (3, ("nope", "-f"), "nope"),
        (2, ("talker", "--lines", "--runs"), "together"),
        (2, ("talker", "--since", "yesterday"), ""),
        (1, ("talker", "--level", "loud"), "level"),
        (6, ("talker", "-f", "--url", "http://127.0.0.1:1"), "No box answers"),
    ],
)
def test_mistakes_are_told(talker: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in talker.fails(code, "logs", *words)


def test_a_worker_cannot_steer_the_terminal() -> None:
    entry = {"kind": "line", "time": "2026-01-31T12:00:00.000Z", "level": "error", "text": "a\x1b[2J\u202eb\nc"}
    assert in_words(entry, colour=False) == "12:00:00.000 error a\ufffd[2J\ufffdb c"
    assert in_words(entry, colour=True).startswith("\x1b[31m12:00")
