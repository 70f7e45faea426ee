"""A variable that is set over the API is in the next request, no running one is lost, and no secret is left behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import pytest
from tests.e2e.box import RunningBox
from tests.fakes.vault import TOKEN, FakeVault
from tests.servers.ports import free_port

SECRET = "hunter2!hunter2!"
URL = "/api/v1/projects/default/variables"

WORKER = """
export default async function ({ env, log }, { wait }) {
  if (wait) await new Promise((done) => setTimeout(done, Number(wait)));
  log.info(`the token is ${env.TOKEN}`, { token: env.TOKEN });
  console.error("again:", env.TOKEN);
  return { token: env.TOKEN ?? null, greeting: env.GREETING, same: Deno.env.get("TOKEN") === env.TOKEN };
}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    functions = tmp_path / "box" / "functions"
    functions.mkdir(parents=True)
    (functions / "hello.ts").write_text(WORKER)
    (tmp_path / "box" / "v8box.toml").write_text('[workers.hello.env]\nGREETING = "of the manifest"\nTOKEN = ""\n')
    return tmp_path / "box"


def test_a_variable_is_in_the_next_request_and_a_secret_nowhere_else(directory: Path) -> None:
    box = RunningBox(directory).wait_ready()
    try:
        token = (directory / "data" / "keys" / "local.token").read_text().strip()
        admin = httpx.Client(
            base_url=box.client.base_url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60
        )
        found = admin.get(URL, params={"worker": "hello", "effective": "true"}).json()["items"]
        assert [(each["name"], each["missing"]) for each in found] == [("GREETING", False), ("TOKEN", True)]
        assert box.run("hello").json()["data"] == {"token": "", "greeting": "of the manifest", "same": True}

        answers: list[httpx.Response] = []
        running = threading.Thread(target=lambda: answers.append(box.run("hello", params={"wait": "1500"})))
        running.start()
        body = {"variables": {"TOKEN": {"value": SECRET, "secret": True}, "GREETING": "of the API"}}
        done = admin.post(URL, json=body, params={"worker": "hello"})
        assert done.status_code == 200, done.text
        assert box.run("hello").json()["data"] == {"token": SECRET, "greeting": "of the API", "same": True}
        running.join(60)
        assert answers[0].status_code == 200

        assert [box.run("hello").status_code for _ in range(20)] == [200] * 20
        assert admin.put(f"{URL}/TOKEN", json={"value": f"{SECRET}2"}, params={"worker": "hello"}).is_success
        assert box.run("hello").json()["data"]["token"] == f"{SECRET}2"
        back = admin.post(f"{URL}/TOKEN/rollback", json={"version": 1}, params={"worker": "hello"})
        assert back.status_code == 200, back.text
        assert box.run("hello").json()["data"]["token"] == SECRET
        assert admin.post("/api/v1/encryption/rotate", json={"data_keys": True}).json()["resealed"] > 0
        box.wait_line("the token is ••••••")
        admin.close()
    finally:
        assert box.stop() == 0
    again = RunningBox(directory).wait_ready()
    try:
        assert again.run("hello").json()["data"]["token"] == SECRET
    finally:
        assert again.stop() == 0
    assert not [line for line in [*box.lines, *again.lines] if SECRET in line]
    holding = [
        path for path in (directory / "data").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert holding == []


class VaultThread:
    """A Vault that serves beside the test, on a port that nobody serves before."""

    def __init__(self) -> None:
        self.vault = FakeVault()
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._ended = asyncio.Event()

    def start(self) -> None:
        ready = threading.Event()

        async def serve() -> None:
            async with self.vault.serving(self.port):
                ready.set()
                await self._ended.wait()

        self._thread.start()
        self._serving = asyncio.run_coroutine_threadsafe(serve(), self._loop)
        assert ready.wait(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._serving.result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


def test_without_vault_a_worker_says_why_it_does_not_start_and_with_it_has_its_values(directory: Path) -> None:
    beside = VaultThread()
    beside.vault.put("v8box/default/production/hello", TOKEN=SECRET)
    environ = {"VAULT_ADDR": f"http://127.0.0.1:{beside.port}", "VAULT_TOKEN": TOKEN}
    box = RunningBox(directory, environ).wait_ready()
    try:
        refused = box.run("hello")
        assert refused.status_code == 503
        assert "Vault cannot be reached" in refused.text
        assert box.client.get("/health").json()["services"]["vault"]["status"] == "down"
        beside.start()
        try:
            answer = box.run("hello")
            while answer.status_code == 503:  # a failed start is remembered for a moment
                answer = box.run("hello")
            assert answer.json()["data"] == {"token": SECRET, "greeting": "of the manifest", "same": True}
            box.wait_line("the token is ••••••")
        finally:
            beside.stop()
        assert box.run("hello").json()["data"]["token"] == SECRET
    finally:
        assert box.stop() == 0
    assert not [line for line in box.lines if SECRET in line or TOKEN in line]
