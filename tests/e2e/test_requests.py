"""What a client sees: bodies, errors, streams, limits, headers, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from tests.e2e.box import RunningBox
from websockets.sync.client import connect

MIB = 1024 * 1024


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


# ---- errors of the caller


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/run/nothing-here", 404),
        ("GET", "/run/Bad*Name", 400),
        ("GET", "/run/", 400),
        ("GET", "/run/../etc", 404),
        ("GET", "/nothing", 404),
        ("POST", "/health", 405),
        ("TRACE", "/run/quiet", 405),
        ("GET", "/run/quiet?" + "a" * 20_000, 414),
    ],
)
def test_wrong_addresses_and_methods(box: RunningBox, method: str, path: str, status: int) -> None:
    response = box.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["request_id"]) == (status, response.headers["x-request-id"])


def test_headers_that_are_too_large(box: RunningBox) -> None:
    assert box.run("quiet", headers={f"x-{i}": "a" * 1000 for i in range(70)}).status_code == 431


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Content-Length: 5, 5\r\n\r\nabcde",
        b"Content-Length: +5\r\n\r\nabcde",
        b"Transfer-Encoding: identity\r\n\r\nabcde",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"X-A: 1\r\n 2\r\n\r\n",
        b"Host: elsewhere\r\n\r\n",
        b"X-A: a\0b\r\n\r\n",
    ],
)
def test_requests_that_two_servers_could_read_differently_are_refused(box: RunningBox, head: bytes) -> None:
    answer = box.raw(b"POST /run/quiet HTTP/1.1\r\nHost: localhost\r\n" + head)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_request_with_both_length_and_chunks_smuggles_nothing(box: RunningBox) -> None:
    inner = b"GET /run/mirror HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /run/quiet HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = box.raw(head + b"0\r\n\r\n" + inner)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_body_too_large_is_refused_before_it_is_read(box: RunningBox) -> None:
    head = b"POST /run/quiet HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    assert box.raw(head).startswith(b"HTTP/1.1 413 ")


# ---- params


def test_params_come_from_query_json_and_forms(box: RunningBox) -> None:
    assert box.run("params?a=1&b=2&b=3").json()["data"] == {"a": "1", "b": ["2", "3"]}
    assert box.run("params?a=1&b=2", "POST", json={"b": [True], "c": None}).json()["data"] == {
        "a": "1",
        "b": [True],
        "c": None,
    }
    assert box.run("params", "POST", data={"x": "ü"}).json()["data"] == {"x": "ü"}
    files = {"f": ("name.txt", b"12345")}
    assert box.run("params", "POST", data={"x": "1"}, files=files).json()["data"] == {"x": "1", "f": "name.txt:5"}


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff\xfe", b'{"a":1}}'])
def test_json_that_does_not_parse_is_the_callers_fault(box: RunningBox, body: bytes) -> None:
    response = box.run("params", "POST", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["success"] is False
    assert "JSON" in response.json()["error"]


# ---- what a handler may do wrong


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("string", 500, "just a string"),
        ("nothing", 500, "returned nothing"),
        ("circular", 500, "circular"),
        ("header", 500, "header name"),
        ("status", 500, "42"),
        ("error response", 500, "not a status"),
        ("null", 500, "null"),
        ("proxy", 500, ""),
        ("getter", 500, "cannot be described"),
        ("used body", 500, "read already"),
        ("not a chunk", 500, "Uint8Array"),
        ("status error", 404, "no such thing"),
        ("as usual", 500, "thrown as usual"),
    ],
)
def test_each_fault_of_a_handler_is_a_clear_error(box: RunningBox, what: str, status: int, message: str) -> None:
    response = box.run("throws", params={"what": what})
    assert response.status_code == status
    body = response.json()
    assert body["success"] is False
    assert message in body["error"]
    assert ".ts" not in response.text
    assert "    at " not in response.text


def test_values_that_json_cannot_hold_or_are_large_arrive(box: RunningBox) -> None:
    assert box.run("throws", params={"what": "bigint"}).json()["data"] == str(2**60)
    assert len(box.run("throws", params={"what": "huge"}).json()["data"]) == 3_000_000


def test_what_nobody_catches_ends_nothing(box: RunningBox) -> None:
    since = box.mark()
    assert box.run("throws", params={"what": "rejection"}).json()["data"] == "fine"
    box.wait_line(r"throws \| Uncaught \(in promise\) Error: nobody waits for this", since)
    box.wait_line(r"throws \| Uncaught Error: thrown from a timer", since)


def test_a_stack_names_the_users_own_file_and_line(box: RunningBox) -> None:
    since = box.mark()
    box.run("stack")
    box.wait_line(r"stack \| Error: where am I", since)
    box.wait_line(r"functions/stack\.ts:8:", since)


def test_an_error_in_the_middle_of_a_stream_is_seen_by_the_client(box: RunningBox) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        box.run("throws", params={"what": "mid stream"})


# ---- bodies and streams


def chunks(total: int) -> Iterator[bytes]:
    piece = b"a" * 65536
    for _ in range(total // len(piece)):
        yield piece


def test_large_bodies_stream_with_flat_memory(box: RunningBox) -> None:
    box.run("big?mb=1")
    before = resident_bytes(box.process.pid)
    total = 256 * MIB
    assert box.run("big", "PUT", content=chunks(total)).json() == {"size": total}
    received = 0
    with box.client.stream("GET", "/run/big?mb=256") as response:
        for chunk in response.iter_raw():
            received += len(chunk)
    assert received == total
    assert resident_bytes(box.process.pid) - before < 32 * MIB


def test_a_slow_reader_makes_the_worker_wait(box: RunningBox) -> None:
    with box.client.stream("GET", "/run/big?mb=256") as response:
        next(response.iter_raw())
        before = resident_bytes(box.process.pid)
        assert box.run("quiet").status_code == 200
        assert resident_bytes(box.process.pid) - before < 32 * MIB


def test_events_pass_at_once_and_a_client_that_leaves_ends_the_run(box: RunningBox) -> None:
    before = box.run("sse/aborted").json()["aborted"]
    with box.client.stream("GET", "/run/sse") as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert next(response.iter_text()).startswith("data: first")
    box.until(lambda: box.run("sse/aborted").json()["aborted"] == before + 1)


def test_a_client_that_leaves_before_the_answer_ends_the_run(box: RunningBox) -> None:
    before = box.run("waits?count").json()["data"]
    since = box.mark()
    with socket.create_connection(("127.0.0.1", box.port)) as leaving:
        leaving.sendall(b"GET /run/waits?ms=5000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        box.wait_line(r"waits \| begun", since)
    box.until(lambda: box.run("waits?count").json()["data"] == before + 1)


def test_wait_until_goes_on_after_the_answer(box: RunningBox) -> None:
    before = box.run("after?count").json()["data"]
    assert box.run("after").json()["data"] == "answered"
    box.until(lambda: box.run("after?count").json()["data"] == before + 1)


def test_head_has_no_body(box: RunningBox) -> None:
    response = box.run("quiet", "HEAD")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_reaches_a_worker(box: RunningBox, method: str) -> None:
    assert box.run("mirror", method).json()["method"] == method


def test_a_worker_sees_its_own_path_and_no_internal_header(box: RunningBox) -> None:
    headers = [
        (b"x-v8box-version", b"forged"),
        (b"connection", b"x-listed"),
        (b"x-listed", b"1"),
        (b"te", b"trailers"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-kept", "caf\u00e9".encode("latin-1")),
    ]
    response = box.client.get("/run/mirror/a%20b/%2Fc?q=%20", headers=headers)
    seen: dict[str, Any] = response.json()
    assert seen["url"] == f"http://localhost:{box.port}/a%20b/%2Fc?q=%20"
    given = dict(seen["headers"])
    assert {"x-v8box-version", "x-listed", "te", "connection"} & given.keys() == set()
    assert given["x-forwarded-for"] == "127.0.0.1"
    assert given["x-forwarded-prefix"] == "/run/mirror"
    assert given["x-kept"] == "caf\u00e9"
    assert given["x-request-id"] == response.headers["x-request-id"]


def test_a_response_cannot_forge_the_boxes_headers(box: RunningBox) -> None:
    response = box.run("mirror")
    assert "x-v8box-termination" not in response.headers
    assert response.headers.get("connection") != "close"
    assert (response.headers["x-mine"], response.headers["set-cookie"]) == ("1", "a=1")
    assert response.headers["server-timing"].startswith("v8box;dur=")


def test_a_request_id_is_taken_over_when_it_is_harmless(box: RunningBox) -> None:
    assert box.run("quiet", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    failed = box.run("nothing-here", headers={"x-request-id": "mine-2"})
    assert failed.json()["request_id"] == failed.headers["x-request-id"] == "mine-2"
    long = box.run("quiet", headers={"x-request-id": "x" * 129}).headers["x-request-id"]
    assert long != "x" * 129


def test_a_browser_that_navigates_is_sent_to_the_api_host(box: RunningBox) -> None:
    response = box.client.get("/run/quiet?a=1", headers={"sec-fetch-mode": "navigate"})
    assert response.status_code == 307
    assert response.headers["location"] == f"http://api.localhost:{box.port}/run/quiet?a=1"
    other = box.client.get("/run/quiet", headers={"sec-fetch-mode": "cors"})
    assert other.headers["content-security-policy"].startswith("sandbox")
    silent = box.client.get("/run/quiet")  # as browsers are over plain HTTP from another machine
    assert silent.headers["content-security-policy"].startswith("sandbox")
    own = box.client.get("/run/quiet", headers={"host": f"api.localhost:{box.port}"})
    assert "content-security-policy" not in own.headers


def test_hosts(box: RunningBox) -> None:
    def status(host: str, path: str) -> int:
        return box.client.get(path, headers={"host": f"{host}:{box.port}"}).status_code

    assert status("api.localhost", "/run/quiet") == 200
    assert status("api.localhost", "/health") == 404
    assert status("admin.localhost", "/health") == 200
    assert status("admin.localhost", "/run/quiet") == 404
    assert status("127.0.0.1", "/run/quiet") == 200
    assert status("nobody.localhost", "/run/quiet") == 404
    for name in ("999.999.999.999", "..", "a..b", "xn--a"):
        assert status(name, "/run/mirror") == 400
    assert box.client.get("/run/mirror", headers={"host": "localhost:65536"}).status_code == 400


# ---- concurrency


def test_concurrency_and_instances_are_kept_and_the_queue_serves_all(box: RunningBox) -> None:
    seen: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: seen.append(box.run("one_at_a_time").json()["data"])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each["seen"] for each in seen] == [1] * 12
    assert seen[0]["who"] == "me"
    assert seen[0]["same"] is True
    assert seen[0]["keys"] == ["V8BOX_ENV", "V8BOX_VERSION", "V8BOX_WORKER", "WHO"]


def test_deno_serve_is_a_handler_too(box: RunningBox) -> None:
    assert box.run("served/abc").text == "served /abc"


# ---- WebSockets


@pytest.mark.parametrize("path", ["", "/pair"])
def test_websockets_echo_in_both_shapes(box: RunningBox, path: str) -> None:
    url = f"ws://localhost:{box.port}/run/echo_socket{path}"
    with connect(url, subprotocols=[websockets.Subprotocol("echo")] if not path else None) as socket:
        socket.send("hello")
        assert socket.recv() == "hello"
        socket.send(bytes(range(256)) * 1000)
        assert socket.recv() == bytes(range(256)) * 1000
        for number in range(500):
            socket.send(str(number))
        assert [socket.recv() for _ in range(500)] == [str(number) for number in range(500)]


def test_a_worker_closes_with_its_code(box: RunningBox) -> None:
    protocols = [websockets.Subprotocol("echo")]
    with connect(f"ws://localhost:{box.port}/run/echo_socket", subprotocols=protocols) as socket:
        assert socket.subprotocol == "echo"
        socket.send("close")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")


@pytest.mark.parametrize("worker", ["quiet", "nothing-here", "exit"])
def test_a_websocket_that_nobody_takes_is_refused(box: RunningBox, worker: str) -> None:
    with pytest.raises(websockets.InvalidStatus), connect(f"ws://localhost:{box.port}/run/{worker}"):
        pass


def test_health_tells_each_service(box: RunningBox) -> None:
    response = box.client.get("/health")
    assert response.status_code == 200
    health = json.loads(response.text)
    assert health["status"] == "ok"
    assert set(health["services"]) == {"db", "cache", "s3"}
    assert all(service["status"] == "ok" for service in health["services"].values())
