"""`v8box runs` against a real box: listed, shown with its calls, exported; and a waterfall in text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.real import Shell

from v8box.cli.runs import waterfall

ASKER = """export default async function ({ db, log }: V8Box.Context, params: V8Box.Params) {
  await db.execute("SELECT 1");
  log.info("asked");
  if (params.bad) throw new TypeError("nothing there");
  return 1;
}
"""


@pytest.fixture(scope="module")
def asker(shell: Shell) -> Iterator[Shell]:
    file = shell.box.directory / "functions" / "asker.ts"
    mark = shell.box.mark()
    file.write_text(ASKER)
    shell.box.wait_line("asker is live", mark)
    shell.box.run("asker", params={"word": "good"})
    shell.box.run("asker", params={"bad": "1"})
    yield shell
    file.unlink()


def test_runs_are_listed_shown_and_exported(asker: Shell, tmp_path: Path) -> None:
    good, bad = sorted(asker.data("runs", "--worker", "asker"), key=lambda each: each["failed"])
    assert (good["status"], good["outcome"], good["calls"]) == (200, "ok", 1)
    assert (bad["status"], bad["outcome"]) == (500, "exception")
    assert [each["id"] for each in asker.data("runs", "list", "--failed", "--text", "nothing there")] == [bad["id"]]
    shown = asker.call("runs", "--worker", "asker", "--status", "5xx").stdout
    assert bad["id"] in shown
    assert good["id"] not in shown
    shown = asker.call("runs", "show", bad["id"]).stdout
    assert "TypeError: nothing there" in shown
    assert "asker.ts" in shown
    assert "db.execute" in shown
    assert "info  asked" in shown
    assert asker.data("runs", "show", good["id"])["lines"][0]["text"] == "asked"
    file = tmp_path / "runs.jsonl"
    asker.call("runs", "export", "--worker", "asker", "--to", str(file))
    assert {json.loads(line)["id"] for line in file.read_text().splitlines()} == {good["id"], bad["id"]}


def test_a_run_that_is_not_there_is_told_with_an_exit_code(asker: Shell) -> None:
    assert "no such run" in asker.fails(3, "runs", "show", "000000000000000000000000")
    assert "5xx" in asker.fails(1, "runs", "--status", "many")
    assert "There is no" in asker.fails(3, "logs", "nobody", "-f")


def span(operation: str, start: float, took: float | None, **more: Any) -> dict[str, Any]:
    return {"binding": "db", "operation": operation, "start_ms": start, "duration_ms": took, "rows": 0, **more}


def test_a_waterfall_shows_when_each_call_was_and_how_long() -> None:
    spans = [span("execute", 0, 50, error=None, rows=3), span("batch\x1b", 50, None, error="BUSY")]
    lines = waterfall({"duration_ms": 100.0, "spans": spans, "calls": 7})
    assert lines == [
        "",
        "calls       0                                100.0 ms",
        "db.execute ▕████████████████████                    ▏ 50.0 ms, 3 rows",
        "db.batch\ufffd  ▕                    ████████████████████▏ no answer, BUSY",
        "and 5 more calls",
    ]
    assert waterfall({"duration_ms": 1.0, "spans": [], "calls": 0}) == []
