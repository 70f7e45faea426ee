"""The open-model client: `python -m benchmarks.open_model URL RATE SECONDS` prints one JSON object.

Requests are due at fixed times set by a kernel timer (an event loop's own timers are a millisecond coarse), and an
answer's time counts from when its request was due. So a server that stalls is charged for every request that was due
meanwhile: no coordinated omission. It speaks just enough HTTP/1.1 to cost little: raw bytes, keep-alive, no parser.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import struct
import sys
import time
from collections import deque
from typing import cast
from urllib.parse import urlsplit

import uvloop

MAX_CONNECTIONS = 512
LAST_ANSWER_SECONDS = 10.0
CLOCK_MONOTONIC = 1
TFD_NONBLOCK = os.O_NONBLOCK


class Timer:
    """A kernel timer that fires `rate` times a second from `start`, readable through a file descriptor."""

    def __init__(self, *, start: float, rate: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)
        interval = _timespec(1 / rate)
        value = struct.pack("qqqq", *interval, *_timespec(start))
        absolute = 1
        if self.fd < 0 or libc.timerfd_settime(self.fd, absolute, value, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd")

    def expirations(self) -> int:
        """How often it fired since this was last asked."""
        try:
            count: int = struct.unpack("Q", os.read(self.fd, 8))[0]
        except BlockingIOError:
            return 0
        return count


def _timespec(seconds: float) -> tuple[int, int]:
    return divmod(round(seconds * 1e9), 1_000_000_000)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.due: float | None = None
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class does not say so

    def send(self, due: float) -> None:
        self.due = due
        self.transport.write(self.client.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0 or self.due is None:
            return
        head = self.received[:head_end].lower()
        if not _complete(head, self.received[head_end + 4 :]):
            return
        due, self.due, self.received = self.due, None, b""
        self.client.answered(due, status=int(head[9:12]))
        if b"connection: close" in head:
            self.transport.close()
        else:
            self.client.idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.lost(self)


def _complete(head: bytes, body: bytes) -> bool:
    start = head.find(b"content-length:")
    if start >= 0:
        end = head.find(b"\r\n", start)
        return len(body) >= int(head[start + 15 : end if end >= 0 else None])
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return True


class Client:
    """Sends on time, over as many connections as that takes."""

    def __init__(self, url: str, *, rate: int, seconds: float) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self.request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self.rate = rate
        self.total = round(rate * seconds)

        self.free: list[Connection] = []
        self.connections = 0
        self.waiting: deque[float] = deque()
        self.opening: set[asyncio.Task[None]] = set()

        self.sent = 0
        self.failed = 0
        self.latencies: list[float] = []
        self.lags: list[float] = []
        self.done = asyncio.Event()

    async def run(self) -> None:
        for _ in range(8):
            await self._open()
        self.start = time.monotonic() + 0.05
        timer = Timer(start=self.start, rate=self.rate)
        loop = asyncio.get_running_loop()
        loop.add_reader(timer.fd, self._tick, timer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.total / self.rate + LAST_ANSWER_SECONDS):
                await self.done.wait()
        loop.remove_reader(timer.fd)
        self.failed += self.total - len(self.latencies) - self.failed

    def _tick(self, timer: Timer) -> None:
        now = time.monotonic()
        for _ in range(min(timer.expirations(), self.total - self.sent)):
            due = self.start + self.sent / self.rate
            self.sent += 1
            self.lags.append(now - due)
            if self.free:
                self.free.pop().send(due)
            else:
                self.waiting.append(due)
                if self.connections < MAX_CONNECTIONS:
                    task = asyncio.ensure_future(self._open())
                    self.opening.add(task)
                    task.add_done_callback(self.opening.discard)

    async def _open(self) -> None:
        self.connections += 1
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self), self.host, self.port)
        except OSError:
            self.connections -= 1
            if self.waiting:
                self.waiting.popleft()
                self._failure()
        else:
            self.idle(connection)

    def idle(self, connection: Connection) -> None:
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.free.append(connection)

    def answered(self, due: float, *, status: int) -> None:
        if 200 <= status < 300:
            self.latencies.append(time.monotonic() - due)
            self._check_done()
        else:
            self._failure()

    def lost(self, connection: Connection) -> None:
        self.connections -= 1
        if connection in self.free:
            self.free.remove(connection)
        if connection.due is not None:
            self._failure()

    def _failure(self) -> None:
        self.failed += 1
        self._check_done()

    def _check_done(self) -> None:
        if len(self.latencies) + self.failed >= self.total:
            self.done.set()


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed; nan when there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


async def main(url: str, rate: int, seconds: float) -> None:
    client = Client(url, rate=rate, seconds=seconds)
    gc.freeze()
    gc.disable()
    await client.run()
    figures = {
        "sent": client.sent,
        "failed": client.failed,
        "p50_ms": percentile(client.latencies, 50) * 1000,
        "p99_ms": percentile(client.latencies, 99) * 1000,
        "max_ms": max(client.latencies, default=float("nan")) * 1000,
        "client_lag_p99_ms": percentile(client.lags, 99) * 1000,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # The client's own scheduling delay must not be charged to the server.
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
