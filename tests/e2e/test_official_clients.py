"""The official clients: inside a worker with what the box hands it, and from outside against the box's hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.box import WAIT_SECONDS, RunningBox
from tests.servers import RedisServer, SqldServer, SwiftServer

from v8box.sandbox.runtime import find_deno

WORKERS = Path(__file__).parent / "workers_official"


def on_servers(folder: Path, stack: ExitStack) -> dict[str, str]:
    """The settings of a box that keeps nothing of its workers' data itself."""
    libsql = stack.enter_context(SqldServer(folder / "sqld"))
    redis = stack.enter_context(RedisServer(folder / "redis"))
    swift = stack.enter_context(SwiftServer(folder / "swift"))
    return {
        "LIBSQL_URL": libsql.url,
        "V8BOX_LIBSQL_ADMIN_URL": libsql.admin_url,
        "VALKEY_URL": redis.url,
        "S3_ENDPOINT": swift.endpoint,
        "S3_ACCESS_KEY": swift.access_key,
        "S3_SECRET_KEY": swift.secret_key,
    }


@pytest.fixture(scope="module", params=["embedded", "servers"])
def official(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box whose workers import the clients from npm: with its own services, and on real servers."""
    directory = tmp_path_factory.mktemp("official")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    with ExitStack() as stack:
        servers = tmp_path_factory.mktemp("servers")
        running = RunningBox(directory, on_servers(servers, stack) if request.param == "servers" else None)
        stack.callback(running.stop)
        yield running.wait_ready()


def test_the_founding_products_kind_of_worker_runs_unchanged(official: RunningBox) -> None:
    answers = [official.run("founding", params={"name": name}).json() for name in ("Ada", "Grace")]
    assert [answer["data"] for answer in answers] == [{"visits": 1, "name": "Ada"}, {"visits": 2, "name": "Grace"}]


@pytest.mark.parametrize("worker", ["objects", "uploads"])
def test_the_s3_sdk_in_a_worker(official: RunningBox, worker: str) -> None:
    mark = official.mark()
    answer = official.run(worker)
    assert answer.json().get("data") == "ok", "\n".join([answer.text, *official.lines[mark:]])


def outside(script: str, *arguments: str) -> str:
    """Runs a client of `workers_official/outside` in a Deno that knows nothing of the box; what it prints."""
    path = WORKERS / "outside" / script
    command = [find_deno(), "run", "--allow-all", "--quiet", "--no-lock", "--no-config", str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def admin(box: RunningBox, path: str, **body: object) -> dict[str, Any]:
    """What POST makes there."""
    answer = box.admin.post(f"/admin{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def by_url(url: str, method: str = "GET", **options: Any) -> httpx.Response:
    return httpx.request(method, url, trust_env=False, timeout=WAIT_SECONDS, **options)


def test_the_libsql_client_opens_a_database_from_outside(official: RunningBox) -> None:
    made = admin(official, "/database/tokens", label="test")
    url = f"http://127.0.0.1:{official.port}/db/default/"
    assert json.loads(outside("libsql.ts", url, made["token"])) == ["Ada", "Grace"]
    assert official.run("shared", params={"of": "db"}).json() == ["Ada", "Grace"]
    pipeline = {"requests": [{"type": "execute", "stmt": {"sql": "SELECT 1"}}]}
    key = {"authorization": f"Bearer {made['token']}"}
    assert official.client.post("/db/default/v2/pipeline", json=pipeline, headers=key).status_code == 200
    assert official.admin.delete(f"/admin/database/tokens/{made['id']}").status_code == 200
    assert official.client.post("/db/default/v2/pipeline", json=pipeline, headers=key).status_code == 401


def test_the_s3_client_opens_a_bucket_from_outside(official: RunningBox) -> None:
    made = admin(official, "/s3/keys", label="test")
    outside("s3.ts", f"http://127.0.0.1:{official.port}/s3", made["id"], made["secret"])
    seen = official.run("shared").json()
    assert (seen["text"], seen["type"], seen["custom"]) == ("hello", "text/plain", {"author": "me"})

    got = by_url(seen["get"])
    assert (got.status_code, got.text, got.headers["content-disposition"]) == (200, "hello", "attachment")
    forged = seen["get"][:-1] + ("0" if seen["get"][-1] != "0" else "1")
    assert by_url(forged).status_code == 403
    assert by_url(seen["get"], "DELETE").status_code == 403
    assert by_url(seen["put"], "PUT", content="x", headers={"content-type": "text/html"}).status_code == 403
    put = by_url(seen["put"], "PUT", content="from a browser", headers={"content-type": "text/plain"})
    assert put.status_code == 200
    assert official.run("shared").json()["inbox"] == "from a browser"
    assert by_url(seen["remove"], "DELETE").status_code == 204
    assert "inbox" not in official.run("shared").json()


def test_what_send_gives_has_the_sdks_types() -> None:
    command = [find_deno(), "check", "--quiet", "--no-lock", str(WORKERS / "types" / "send.ts")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
