"""The `cache` in a real box: KV as people write it for Cloudflare, batches, messages between requests, one computation
for many callers, and a waiting command whose caller leaves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.box import WAIT_SECONDS, RunningBox

WORKERS = Path(__file__).parent / "workers_cache"


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("cache")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def data(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_sessions_in_a_kv_namespace(cached: RunningBox) -> None:
    assert cached.run("sessions", params={"id": "1"}).status_code == 404
    assert cached.run("sessions", "PUT", params={"id": "1"}, content=b'{"user": "Ada"}').status_code == 204
    assert cached.run("sessions", params={"id": "1"}).json() == {
        "user": "Ada",
        "metadata": {"device": "phone"},
        "names": ["session:1"],
        "expires": True,
        "list_complete": True,
        "same": True,
    }
    assert cached.run("other").json() == []
    assert cached.run("sessions", "DELETE", params={"id": "1"}).status_code == 204
    assert cached.run("sessions", params={"id": "1"}).status_code == 404


def test_pages_of_names_and_many_values_at_once(cached: RunningBox) -> None:
    assert cached.run("sessions", "POST").json() == {
        "names": [f"page:{number:02}" for number in range(25)],
        "many": [["page:00", "0"], ["page:24", "24"], ["page:none", None]],
    }


def test_pipelines_transactions_and_scripts(cached: RunningBox) -> None:
    assert data(cached.run("batches")) == {
        "piped": ["OK", "ERR", "text", 1, {"x": "1"}],
        "both": [[None, 2], [None, ["one", "two"]]],
        "aborted": ["EXECABORT", ["REFUSED"]],
        "a": "text",
        "script": "text!",
    }


def test_messages_go_from_one_request_to_another(cached: RunningBox) -> None:
    with cached.client.stream("GET", "/run/listen") as first, cached.client.stream("GET", "/run/listen") as second:
        lines = [answer.iter_lines() for answer in (first, second)]
        assert [next(one) for one in lines] == ["ready", "ready"]
        assert data(cached.run("publish", params={"message": "hello"})) == 1
        assert [next(one) for one in lines] == ["news hello", "news hello"]
    cached.until(lambda: data(cached.run("publish", params={"message": "nobody"})) == 0)


def test_closed_subscriptions_leave_nothing_behind(cached: RunningBox) -> None:
    assert data(cached.run("resubscribe")) == "ok"


def test_of_fifty_requests_one_computes(cached: RunningBox) -> None:
    with ThreadPoolExecutor(50) as callers:
        answers = list(callers.map(lambda _: data(cached.run("slow")), range(50)))
    assert answers == [{"computed": 1}] * 50


def test_a_waiting_pop_ends_with_its_caller_and_takes_nothing_along(cached: RunningBox) -> None:
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(cached.run, "jobs", params={"push": "wait"})
        assert data(cached.run("jobs", params={"push": "one"})) == 1
        assert data(waiting.result()) == ["jobs", "one"]
    for _ in range(5):
        with pytest.raises(httpx.ReadTimeout):
            cached.run("jobs", params={"push": "wait"}, timeout=httpx.Timeout(WAIT_SECONDS, read=0.3))
    assert data(cached.run("jobs", params={"push": "two"})) == 1
    cached.until(lambda: data(cached.run("jobs")) == 1)
