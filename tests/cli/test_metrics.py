"""`v8box metrics` and `v8box top` against a real box."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.real import Shell

from v8box.cli.metrics import sparkline

COUNTED = """export default function ({ metrics }: V8Box.Context, params: V8Box.Params) {
  metrics.counter("asked", { what: "this" }).add(3);
  if (params.bad) throw new Error("as asked");
  return 1;
}
"""


@pytest.fixture(scope="module")
def counted(shell: Shell) -> Iterator[Shell]:
    file = shell.box.directory / "functions" / "counted.ts"
    mark = shell.box.mark()
    file.write_text(COUNTED)
    shell.box.wait_line("counted is live", mark)
    for bad in ("", "", "", "1"):
        shell.box.run("counted", params={"bad": bad})
    shell.box.until(lambda: _requests(shell) == 4)
    yield shell
    file.unlink()


def _requests(shell: Shell) -> int:
    return int(shell.data("metrics", "counted")["totals"]["requests"])


def test_a_worker_in_numbers(counted: Shell) -> None:
    shown = counted.call("metrics", "counted").stdout
    lines = {line.split("  ")[0].strip(): line for line in shown.splitlines()}
    assert "4" in lines["requests"]
    assert "█" in lines["requests"]
    assert "1" in lines["errors"]
    assert "ms" in lines["p95"]
    assert re.search(r"exception +1\b", shown)
    data = counted.data("metrics", "counted", "--from", "30m", "--env", "production")
    assert (data["totals"]["requests"], data["totals"]["errors"]) == (4, 1)
    assert counted.data("metrics", "counted", "--version", "v1")["totals"]["requests"] == 4


def test_what_was_deployed_is_said(counted: Shell) -> None:
    assert "counted in production was deployed (v1)" in counted.call("metrics", "counted").stderr


def test_the_busiest_of_a_project_and_of_the_box(counted: Shell) -> None:
    shown = counted.call("metrics").stdout
    assert "counted" in shown
    assert "25.0 %" in shown
    top = counted.data("metrics", "--by", "errors")["top"]  # the box's other workers have errors of their own
    assert next(each["errors"] for each in top if each["worker"] == "counted") == 1
    errors = [each["errors"] for each in top]
    assert errors == sorted(errors, reverse=True)
    worst = counted.data("metrics", "--by", "errors", "-n", "1")["top"]
    assert [each["errors"] for each in worst] == errors[:1]
    assert "default" in counted.call("metrics", "--box").stdout


def test_what_a_worker_counts_itself(counted: Shell) -> None:
    shown = counted.call("metrics", "--custom", "asked").stdout
    assert "what=this" in shown
    assert "12" in shown
    assert counted.data("metrics", "counted", "--custom", "asked")["items"][0]["kind"] == "counter"


def test_what_they_do_now(counted: Shell) -> None:
    counted.box.run("counted")  # of the last minute; those before may be longer ago
    shown = counted.call("top", "--once").stdout
    assert "requests/s" in shown
    assert "counted" in shown
    second = json.loads(counted.call("top", "--once", "--json").stdout)
    assert second["requests"] >= 0
    assert "default" in counted.call("top", "--once", "--box").stdout


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("metrics", "--box", "counted"), "leave the others out"),
        (2, ("metrics", "--version", "v1"), "which worker"),
        (2, ("metrics", "--by", "luck"), "none of"),
        (2, ("top", "--by", "luck"), "none of"),
        (2, ("top", "--box", "--env", "staging"), "leave --env out"),
        (1, ("metrics", "--from", "yesterday"), "from"),
        (3, ("metrics", "counted", "--version", "v99"), "v99"),
        (3, ("metrics", "--custom", "nothing"), "nothing"),
    ],
)
def test_mistakes_are_told(counted: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in counted.fails(code, *words)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([None, 0, None], ""),
        ([0, 7, None, 3.5], "▁█ ▅"),
        ([1, 1], "██"),
        ([1, 2, 3, 4, 5, 6], "▃▆█"),
    ],
)
def test_a_line_of_bars(values: list[float | None], shown: str) -> None:
    assert sparkline(values, 4) == shown


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=300), st.integers(1, 80))
def test_a_line_is_never_too_long(values: list[float | None], columns: int) -> None:
    assert len(sparkline(values, columns)) <= columns
