"""CPU profiles of real workers, busy and spinning, in the author's own files; and the stack of what was killed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.real import Shell
from tests.e2e.box import RunningBox
from tests.e2e.test_kill_reports import report_of

BUSY = """// a line before, so that lines of the file and of the bundle differ
interface Asked { rounds: number }

function innermost(rounds: number): number {
  let sum = 0;
  for (let i = 0; i < rounds; i++) sum += Math.sqrt(i);
  return sum;
}

export function outer(asked: Asked): number {
  return innermost(asked.rounds);
}

export default {
  fetch(request: Request): Response {
    const url = new URL(request.url);
    if (url.pathname === "/spin") while (true) outer({ rounds: 1000 });
    return Response.json({ sum: outer({ rounds: 2_000_000 }) });
  },
};
"""

# What spins goes last on the processors: on a busy machine even this takes long, and nothing else may end it sooner.
LIMITS = "[workers.busy.limits]\ncpu_ms = 500\nwall_ms = 600_000\n"
MOST_SECONDS = 60.0  # of a profile
PROCESSES = re.compile(r'^v8box_worker_sandboxes\{.*worker="busy".*\} ([0-9]+)', re.MULTILINE)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("profiled")
    (directory / "functions").mkdir()
    (directory / "functions" / "busy.ts").write_text(BUSY)
    (directory / "v8box.toml").write_text(LIMITS)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def processes(box: RunningBox) -> int:
    found = PROCESSES.search(box.client.get("/metrics").text)
    return int(found[1]) if found is not None else 0


def profile_while(box: RunningBox, call: str, seconds: float) -> tuple[Any, Any]:
    """Calls the worker again and again while it is profiled; gives the capture and the profile."""
    box.run("busy")
    box.until(lambda: processes(box) == 1)
    over = threading.Event()

    def calling() -> None:
        with httpx.Client(base_url=box.client.base_url, timeout=60, trust_env=False) as client:
            while not over.is_set():
                client.get(f"/run/busy{call}")

    asked = box.admin.post("/api/v1/projects/default/workers/busy/profile", json={"seconds": seconds})
    assert asked.status_code == 202, asked.text
    operation = asked.json()
    box.until(lambda: processes(box) == 2)  # a call before that may keep the caller busy elsewhere
    thread = threading.Thread(target=calling)
    thread.start()
    try:
        while operation["state"] == "running":
            operation = box.admin.get(f"/api/v1/operations/{operation['id']}", params={"wait": 30}).json()
    finally:
        over.set()
        thread.join()
    assert operation["state"] == "succeeded", operation
    capture = operation["result"]
    file = box.admin.get(f"/api/v1{capture['file']}")
    assert file.headers["content-disposition"].endswith('.cpuprofile"')
    return capture, file.json()


def check(profile: Any) -> dict[str, Any]:
    """It has the form that DevTools reads; gives the node of each function that was hit most."""
    nodes = {node["id"]: node for node in profile["nodes"]}
    assert profile["nodes"][0]["callFrame"]["functionName"] == "(root)"
    children = [child for node in profile["nodes"] for child in node["children"]]
    assert sorted([1, *children]) == sorted(nodes)
    assert len(profile["samples"]) == len(profile["timeDeltas"]) > 10
    assert set(profile["samples"]) <= set(nodes)
    assert min(profile["timeDeltas"]) >= 0
    assert sum(node["hitCount"] for node in profile["nodes"]) == len(profile["samples"])
    assert profile["startTime"] + sum(profile["timeDeltas"]) <= profile["endTime"]
    for node in profile["nodes"]:
        assert set(node["callFrame"]) == {"functionName", "scriptId", "url", "lineNumber", "columnNumber"}
        assert sum(tick["ticks"] for tick in node["positionTicks"]) <= node["hitCount"]
    ordered = sorted(profile["nodes"], key=lambda node: node["hitCount"])
    return {node["callFrame"]["functionName"]: node for node in ordered}


def test_a_busy_worker_is_profiled_in_its_authors_own_lines(busy: RunningBox) -> None:
    capture, profile = profile_while(busy, "", 2.5)
    found = check(profile)
    hot = found["innermost"]
    assert hot["callFrame"]["url"].endswith("functions/busy.ts")
    assert hot["callFrame"]["lineNumber"] == BUSY[: BUSY.index("function innermost")].count("\n")
    loop = BUSY[: BUSY.index("for (let i")].count("\n") + 1
    assert max(hot["positionTicks"], key=lambda tick: tick["ticks"])["line"] == loop
    assert hot["hitCount"] > len(profile["samples"]) * 0.2
    assert (capture["worker"], capture["kind"]) == ("busy", "cpuprofile")
    assert "samples" in capture["note"]


def test_a_worker_that_never_yields_is_profiled_up_to_its_end(busy: RunningBox) -> None:
    capture, profile = profile_while(busy, "/spin", MOST_SECONDS)
    assert "the process ended early (cpu)" in capture["note"]
    found = check(profile)
    names = ("innermost", "outer", "fetch")
    assert sum(found[name]["hitCount"] for name in names if name in found) >= 20  # on a busy machine few are its own


def test_after_a_kill_the_next_one_is_told_with_its_stack(busy: RunningBox) -> None:
    for _ in range(3):
        answer = busy.run("busy/spin")
        assert answer.headers["x-v8box-termination"] == "cpu"
    busy.until(lambda: report_of(busy, "busy")["stack"] is not None)
    stack = report_of(busy, "busy")["stack"]
    lines = stack.splitlines()
    assert "functions/busy.ts:" in lines[0]
    assert any("outer (" in line or "fetch (" in line for line in lines)
    assert not any("shim.js" in line or "blob:" in line for line in lines)


def test_the_command_shows_the_hottest_functions_and_writes_the_file(busy: RunningBox, tmp_path: Path) -> None:
    over = threading.Event()

    def calling() -> None:
        with httpx.Client(base_url=busy.client.base_url, timeout=60, trust_env=False) as client:
            while not over.is_set():
                client.get("/run/busy")

    thread = threading.Thread(target=calling)
    thread.start()
    file = tmp_path / "out.cpuprofile"
    try:
        done = Shell(busy, tmp_path / "home").call("profile", "busy", "--seconds", "1", "-o", str(file))
    finally:
        over.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    check(json.loads(file.read_text()))
    assert re.search(r"[0-9.]+ % +innermost +functions/busy.ts:[0-9]+", done.stdout)
    assert str(file) in done.stderr


def test_captures_are_listed_and_deleted(busy: RunningBox) -> None:
    captures = "/api/v1/projects/default/captures"
    found = busy.admin.get(captures).json()["items"]
    assert found
    files = list((busy.directory / "data" / "captures").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    for capture in found:
        assert busy.admin.get(f"{captures}/{capture['id']}").json() == capture
        assert busy.admin.delete(f"{captures}/{capture['id']}").status_code == 204
        assert busy.admin.get(f"/api/v1{capture['file']}").status_code == 404
    assert not list((busy.directory / "data" / "captures").iterdir())
    actions = [entry["action"] for entry in busy.admin.get("/api/v1/audit").json()["items"]]
    assert {"worker.profile", "capture.delete"} <= set(actions)


@pytest.mark.parametrize(
    ("worker", "body", "status"),
    [
        ("busy", {"seconds": 0}, 422),
        ("busy", {"seconds": 61}, 422),
        ("busy", {"minutes": 1}, 422),
        ("busy", {"environment": "staging"}, 404),
        ("nobody", {}, 404),
    ],
)
def test_what_cannot_be_profiled_is_refused(busy: RunningBox, worker: str, body: dict[str, Any], status: int) -> None:
    answer = busy.admin.post(f"/api/v1/projects/default/workers/{worker}/profile", json=body)
    assert answer.status_code in (status, 400)
