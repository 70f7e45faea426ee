"""`v8box kills` against a real box, and the curve that it draws."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.real import Shell

from v8box.cli.kills import curves, in_words

LEAVER = """export default function ({ log }: V8Box.Context) {
  log.info("\\x1b[2Jabout to leave");
  Deno.exit(3);
}
"""


@pytest.fixture(scope="module")
def leaver(shell: Shell) -> Iterator[Shell]:
    file = shell.box.directory / "functions" / "leaver.ts"
    mark = shell.box.mark()
    file.write_text(LEAVER)
    shell.box.wait_line("leaver is live", mark)
    yield shell
    file.unlink()


def test_what_was_stopped_is_listed_and_explained(leaver: Shell) -> None:
    mark = leaver.box.mark()
    run = leaver.box.run("leaver").json()["request_id"]
    leaver.box.wait_line(r"stopped \(exit\)", mark)
    [kill] = leaver.data("kills", "list", "--worker", "leaver", "--run", run)
    assert (kill["reason"], kill["count"]) == ("exit", 1)
    listed = leaver.call("kills", "list", "--reason", "exit")
    assert kill["id"] in listed.stdout
    assert f"v8box kills show {kill['id']}" in listed.stderr
    shown = leaver.call("kills", "show", kill["id"]).stdout
    assert "The process was stopped: exit" in shown
    assert "throw an error or return a response instead" in shown
    assert "GET / for" in shown
    assert "about to leave" in shown
    assert "\x1b" not in shown
    assert leaver.data("kills", "show", kill["id"])["exit_code"] == 3
    assert kill["id"] in leaver.call("kills", "--worker", "leaver").stdout
    assert f"v8box kills list --run {run}" in leaver.call("runs", "show", run).stderr


def test_what_is_not_there_is_said(leaver: Shell) -> None:
    assert leaver.data("kills", "list", "--worker", "nobody") == []
    assert "Nothing was stopped" in leaver.call("kills", "list", "--worker", "nobody").stderr
    assert "no kill report with this id" in leaver.fails(3, "kills", "show", "nothing")


def test_a_curve_is_drawn_over_its_time() -> None:
    points = [{"at_ms": (i - 59) * 1000, "memory_bytes": i * 1_000_000, "cpu": 0.0, "runs": 1} for i in range(60)]
    _, memory, processor, axis = curves(points)
    bars = memory.partition("     ")[2][:60]
    assert bars[0] == " "
    assert bars[-1] == "█"
    assert sorted(bars) == list(bars)
    assert "up to 56.3 MiB" in memory
    assert processor.endswith("up to 0 %")
    assert "-59.0 s" in axis
    assert curves(points[:1]) == []


def test_a_limit_that_would_help_is_shown_as_it_is_written_down() -> None:
    report = {
        "worker": "shop", "environment": "production", "version": "v1", "whole": True, "reason": "memory", "count": 3,
        "first_at": "2026-01-01T00:00:00.000Z", "at": "2026-01-01T00:01:00.000Z", "detail": "too much", "limit": 128,
        "used": 130.5, "limit_name": "memory_mb", "unit": "MiB",
        "cpu_seconds": 1.0, "peak_memory_bytes": 136_000_000, "curve": [], "run_count": 1,
        "runs": [{"id": "r1", "method": "GET", "path": "/a", "elapsed_ms": 12.0, "cpu_ms": 3.0,
                  "waiting_for": ["db.execute"]}],
        "stack": "at f (a.ts:1:1)", "lines": [], "last_output": "", "advice": ["Read as streams."],
        "suggestion": {"limit": "memory_mb", "value": 260, "manifest": "[workers.shop.limits]\nmemory_mb = 260"},
    }  # fmt: skip
    shown = "\n".join(in_words(report))
    assert "memory, 3 times since 2026-01-01T00:00:00.000Z" in shown
    assert "limit 128 MiB (limits.memory_mb), used 130.5 MiB" in shown
    assert "waiting for db.execute" in shown
    assert "Shortly before:\n  at f (a.ts:1:1)" in shown
    assert "[workers.shop.limits]\nmemory_mb = 260" in shown
