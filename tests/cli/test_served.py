"""What only a real server shows: clients that leave, HTTP/2, sizes that are not held in memory."""

from __future__ import annotations

import shutil
import socket
import subprocess

import httpx
import pytest
from tests.cli.conftest import Served

ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"


def test_a_client_that_leaves_stops_its_query(served: Served) -> None:
    """Each would hold the writer for ten minutes."""
    address = f"http://127.0.0.1:{served.port}/admin/database/query"
    with httpx.Client(trust_env=False, timeout=60, headers=served.headers) as client:
        client.post(address, json={"query": "create table t (x)"}).raise_for_status()
        for _ in range(3):
            body = f'{{"query": "insert into t {ENDLESS}"}}'.encode()
            head = f"POST /admin/database/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            head += f"Authorization: {served.headers['authorization']}\r\n"
            with socket.create_connection(("127.0.0.1", served.port)) as leaving:
                leaving.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
                # An answer to another client shows that the first request is in: they come in order.
                client.post(address, json={"query": "select 1"}).raise_for_status()
        answer = client.post(address, json={"query": "insert into t values (1)"})
        assert answer.status_code == 200, answer.text
        assert client.post(address, json={"query": "select count(*) as n from t"}).json()["data"]["rows"] == [{"n": 1}]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_http_2_is_judged_by_its_authority(served: Served) -> None:
    def ask(*options: str) -> str:
        command = ["curl", "-s", "--http2-prior-knowledge", "-o", "-", "-w", "%{http_code}", "--noproxy", "*", *options]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{served.port}/admin/s3/buckets"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout[-3:]

    token = ("-H", f"Authorization: {served.headers['authorization']}")
    assert ask(*token) == "200"
    assert ask(*token, "-H", "Host: evil.example") == "403"
    assert ask() == "401"
