"""Each server answers as it should, comes back with its data, and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from aiobotocore.config import AioConfig  # type: ignore[import-untyped, unused-ignore]
from aiobotocore.session import get_session  # type: ignore[import-untyped, unused-ignore]
from tests.servers import (
    RcloneServer,
    RedisServer,
    S3Server,
    ServerFailed,
    SqldKey,
    SqldReplica,
    SqldServer,
    SwiftServer,
)
from tests.servers.process import ServerProcess

SECONDS = 60.0


def query(server: SqldServer, sql: str, *, namespace: str = "default", token: str = "") -> list[list[Any]]:
    headers = {"x-namespace-bin": base64.b64encode(namespace.encode()).rstrip(b"=").decode()}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = {"requests": [{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]}
    answer = httpx.post(f"{server.url}/v2/pipeline", json=body, headers=headers, timeout=60, trust_env=False)
    answer.raise_for_status()
    result = answer.json()["results"][0]
    assert result["type"] == "ok", result
    return [[cell.get("value") for cell in row] for row in result["response"]["result"]["rows"]]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def test_sqld_keeps_namespaces_apart_and_comes_back(tmp_path: Path) -> None:
    with SqldServer(tmp_path / "sqld") as server:
        server.create_namespace("one")
        server.create_namespace("two")
        query(server, "CREATE TABLE t (x)", namespace="one")
        query(server, "INSERT INTO t VALUES (7)", namespace="one")
        assert query(server, "SELECT count(*) FROM sqlite_master", namespace="two") == [["0"]]
        server.kill()
        assert not server.running
        with pytest.raises(httpx.TransportError):
            query(server, "SELECT 1", namespace="one")
        server.start()
        assert query(server, "SELECT x FROM t", namespace="one") == [["7"]]


def test_sqld_wants_a_token(tmp_path: Path) -> None:
    key = SqldKey(tmp_path)
    with SqldServer(tmp_path / "sqld", jwt_key_file=key.file) as server:
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            query(server, "SELECT 1")
        assert query(server, "SELECT 1", token=key.token()) == [["1"]]


def test_a_replica_follows_and_outlives_the_primary(tmp_path: Path) -> None:
    with SqldServer(tmp_path / "primary") as primary, SqldReplica(tmp_path / "replica", primary) as replica:
        query(replica, "CREATE TABLE t (x)")
        query(replica, "INSERT INTO t VALUES (7)")
        assert query(primary, "SELECT x FROM t") == [["7"]]
        assert query(replica, "SELECT x FROM t") == [["7"]]
        primary.kill()
        assert query(replica, "SELECT x FROM t") == [["7"]]


@pytest.mark.parametrize("engine", ["redis", "valkey"])
@pytest.mark.parametrize("unix_socket", [False, True])
def test_redis_comes_back(tmp_path: Path, engine: Any, unix_socket: bool) -> None:
    with RedisServer(tmp_path / "redis", engine=engine, unix_socket=unix_socket) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("k", "v")
            assert ("valkey_version" in client.info("server")) == (engine == "valkey")
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("k") == b"v"


def test_redis_with_a_user(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", user="box", password="secret") as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        with redis.Redis.from_url(server.url.replace("box:secret@", "")) as client:
            with pytest.raises(redis.AuthenticationError):
                client.ping()


def test_a_frozen_server_hangs_and_goes_on(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server, redis.Redis.from_url(server.url) as client:
        client.set("k", "v")
        server.freeze()
        with redis.Redis.from_url(server.url, socket_timeout=0.2) as hasty, pytest.raises(redis.TimeoutError):
            hasty.get("k")
        server.thaw()
        assert client.get("k") == b"v"
        server.freeze()  # and a frozen one can be stopped


@pytest.mark.parametrize("kind", [SwiftServer, RcloneServer])
async def test_an_s3_comes_back(tmp_path: Path, kind: type[S3Server]) -> None:
    with kind(tmp_path / "s3") as server:
        options: dict[str, Any] = {
            "endpoint_url": server.endpoint,
            "aws_access_key_id": server.access_key,
            "aws_secret_access_key": server.secret_key,
            "region_name": server.region,
            "config": AioConfig(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        }
        async with get_session().create_client("s3", **options) as client:
            await client.create_bucket(Bucket="bucket")
            await client.put_object(Bucket="bucket", Key="a/ü.txt", Body=b"hello", Metadata={"author": "me"})
            server.kill()
            server.start()
            got = await client.get_object(Bucket="bucket", Key="a/ü.txt")
            assert await got["Body"].read() == b"hello"
            if kind is SwiftServer:
                assert got["Metadata"] == {"author": "me"}
        async with get_session().create_client("s3", **(options | {"aws_secret_access_key": "wrong"})) as stranger:
            with pytest.raises(stranger.exceptions.ClientError):
                await stranger.list_buckets()


class Refusing(ServerProcess):
    """Ends as it starts."""

    def argv(self) -> list[str]:
        return ["/bin/sh", "-c", "echo no room; exit 3"]

    def answers(self) -> bool:
        return False


def test_a_server_that_ends_early_is_told_with_its_words(tmp_path: Path) -> None:
    server = Refusing(tmp_path / "refusing")
    with pytest.raises(ServerFailed, match=r"(?s)code 3.*no room"):
        server.start()
    assert not server.running


def test_nothing_is_left_of_a_test_process_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.servers import RedisServer\n"
        "server = RedisServer(Path(sys.argv[1]), engine='valkey'); server.start()\n"
        "print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "redis")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert not gone(pid)
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: gone(pid))


def test_the_cache_is_not_part_of_the_repository() -> None:
    root = Path(__file__).parents[2]
    command = ["git", "check-ignore", "--quiet", ".cache/servers/anything"]
    assert subprocess.run(command, cwd=root, check=False).returncode == 0


def test_a_token_is_signed(tmp_path: Path) -> None:
    key = SqldKey(tmp_path)
    head, claims, signature = key.token({"a": "ro"}).split(".")
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == {"a": "ro"}
    assert len(base64.urlsafe_b64decode(signature + "==")) == 64
    assert head
