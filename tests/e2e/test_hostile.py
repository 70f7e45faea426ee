"""Workers that misbehave on purpose: each is stopped for its reason, and a quiet one beside it keeps answering."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from tests.e2e.box import WAIT_SECONDS, RunningBox

# worker, status, reason: the limits are in workers/v8box.toml
STOPPED = [
    ("spin", 503, "cpu"),
    ("regex", 503, "cpu"),
    ("never", 504, "wall"),
    ("late", 504, "wall"),
    ("heap", 503, "memory"),
    ("buffers", 503, "memory"),
    ("printer", 503, "log_bytes"),
    ("stdout", 503, "log_bytes"),
    ("exit", 502, "exit"),
    ("exit?how=process", 502, "exit"),
    ("exit?how=close", 502, "exit"),
    ("throws_on_import", 502, "startup"),
    ("no_handler", 502, "startup"),
    ("slow_import", 502, "startup"),
    ("spin_import", 502, "startup"),
]


class Neighbour:
    """Calls the quiet worker again and again, on one connection, until told to stop."""

    def __init__(self, box: RunningBox) -> None:
        self._url = f"http://localhost:{box.port}/run/quiet"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.statuses: list[int] = []

    def _call(self) -> None:
        with httpx.Client(timeout=WAIT_SECONDS, trust_env=False) as client:
            while True:
                self.statuses.append(client.get(self._url).status_code)
                if self._stop.is_set():
                    return

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize(("worker", "status", "reason"), STOPPED)
def test_it_is_stopped_for_its_reason_while_others_go_on(
    box: RunningBox, worker: str, status: int, reason: str
) -> None:
    since = box.mark()
    with Neighbour(box) as neighbour:
        response = box.run(worker)
    assert (response.status_code, response.headers["x-v8box-termination"]) == (status, reason)
    assert response.json()["reason"] == reason
    assert set(neighbour.statuses) == {200}
    name = worker.partition("?")[0]
    if reason != "wall":  # an aborted run whose process could be kept tells in the answer only
        box.wait_line(rf"^{name} \| stopped \({reason}\)", since)


@pytest.mark.parametrize(("worker", "limit"), [("spin", 300), ("never", 300), ("heap", 64), ("buffers", 64)])
def test_the_answer_names_the_limit_and_what_was_used(box: RunningBox, worker: str, limit: int) -> None:
    body = box.run(worker).json()
    assert body["limit"] == limit
    assert body["used"] >= limit


def test_one_allocation_beyond_all_limits_is_refused_or_kills(box: RunningBox) -> None:
    response = box.run("one_buffer")
    if response.status_code == 500:
        assert "allocation" in response.json()["error"]
    else:
        assert (response.status_code, response.headers["x-v8box-termination"]) == (503, "memory")
    assert box.run("quiet").status_code == 200


def test_a_worker_is_called_again_after_it_was_killed(box: RunningBox) -> None:
    first, second = box.run("exit"), box.run("exit")
    assert (first.status_code, second.status_code) == (502, 502)
    assert box.run("quiet").status_code == 200


def test_a_kill_fails_only_the_runs_inside_that_process(box: RunningBox) -> None:
    others: list[int] = []
    thread = threading.Thread(target=lambda: others.append(box.run("waits?ms=700").status_code))
    thread.start()
    assert box.run("spin").status_code == 503
    thread.join()
    assert others == [200]


def test_nothing_can_be_started(box: RunningBox) -> None:
    tried = box.run("fork").json()["data"]
    assert tried["command"] == "NotCapable"
    assert tried["worker"] == "ReferenceError"
    assert tried["ffi"] == "TypeError"
    assert tried["child_process"] in ("NotCapable", "nothing")


def test_no_file_can_be_read_written_or_imported(box: RunningBox) -> None:
    tried: dict[str, str] = box.run("files").json()["data"]
    harmless = {
        "cwd": "worked: /",
        "exec path": "worked: deno",
        "env": "worked: nothing",
        "process env": "worked: nothing",
    }
    for name, what in tried.items():
        assert what == harmless.get(name) or not what.startswith("worked"), (name, what)


def test_no_private_address_can_be_reached(box: RunningBox) -> None:
    # The box itself listens on the loopback port that is tried.
    tried: dict[str, Any] = box.run(f"network?port={box.port}").json()["data"]
    assert len(tried) > 20
    assert {name: what for name, what in tried.items() if what.startswith("worked")} == {}


def test_the_channel_is_out_of_reach(box: RunningBox) -> None:
    assert box.run("channel?how=look").json()["data"] == []
    response = box.run("channel?how=write")
    # Either no number leads to it, or what was written there cost the writer its own process.
    assert response.status_code == 200 or response.headers["x-v8box-termination"] == "protocol"
    assert box.run("quiet").status_code == 200


def test_patched_built_ins_see_nothing_of_the_shim(box: RunningBox) -> None:
    assert box.run("patcher").status_code == 200
    second = box.run("patcher")
    assert (second.status_code, second.text) == (200, "")


def test_subrequests_are_counted(box: RunningBox) -> None:
    errors = box.run("calls_out").json()["data"]
    assert len(errors) == 5
    assert [("limits.subrequests" in error) for error in errors] == [False, False, False, True, True]


@pytest.mark.parametrize(("worker", "message"), [("recursion", "Maximum call stack size exceeded")])
def test_what_only_throws_keeps_its_process(box: RunningBox, worker: str, message: str) -> None:
    response = box.run(worker)
    assert response.status_code == 500
    assert response.json()["error"] == message


def test_many_timers_do_no_harm(box: RunningBox) -> None:
    assert box.run("timers").json()["data"] == "still here"


def test_net_none_and_net_lists_are_enforced(box: RunningBox) -> None:
    assert box.run("closed").json()["data"] == "NotCapable"
    assert box.run("listed").json()["data"] == {"other": "NotCapable", "listed": "granted"}


def test_an_endless_response_is_cut_so_that_the_client_notices(box: RunningBox) -> None:
    received: list[int] = []

    def read_all() -> None:
        with box.client.stream("GET", "/run/endless") as response:
            received.extend(len(chunk) for chunk in response.iter_bytes())

    with pytest.raises(httpx.RemoteProtocolError):
        read_all()
    assert 0 < sum(received) <= 1024 * 1024
    assert box.run("quiet").status_code == 200
