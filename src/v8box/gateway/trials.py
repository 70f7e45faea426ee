"""A run that a person asks for to try a worker: the request path as everybody's requests take it, from within the box.

What the worker's policies ask of strangers (API keys, rate limits, its cache) is not asked: who may try a worker was
asked before. The run is written down as any other, with `test` as its trigger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from v8box.catalog.model import DEFAULT_PROJECT, PRODUCTION
from v8box.gateway.invoke import BrokenResponse, Message, Receive, Send

TRIGGER: Final = "test"
MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
MAX_SECONDS: Final = 60.0
"""A stream without an end is listened to for so long, or until it has sent `MAX_ANSWER_BYTES`."""

Application = Callable[[MutableMapping[str, Any], Receive, Send], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is asked of which worker. `path` begins with a slash, and may have a query; headers are Latin-1."""

    project: str
    worker: str
    environment: str
    method: str
    path: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class TrialAnswer:
    """What came of it. `status` 0: nothing came, or the connection was cut before anything did."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray, repr=False)
    duration_ms: float = 0.0
    run: str = ""
    truncated: bool = False
    """There was more, or would have been: the worker was told that nobody listens any more."""
    broken: bool = False
    """The worker failed in the middle of its answer."""


class Trials:
    """Asks the gateway. `gateway`: called when the first one is wanted."""

    def __init__(self, domain: str, gateway: Callable[[], Application]) -> None:
        self._host = "localhost" if domain == "localhost" else f"api.{domain}"
        self._gateway = gateway

    async def run(self, trial: Trial) -> TrialAnswer:
        """Runs it, and gives what it answered so far once it ends, is too long, or takes too long."""
        answer = TrialAnswer()
        listener = _Listener(trial.body, answer)
        began = time.perf_counter()
        running = asyncio.ensure_future(self._gateway()(self._scope(trial), listener.receive, listener.send))
        try:
            done, _ = await asyncio.wait((running, listener.enough), timeout=MAX_SECONDS, return_when="FIRST_COMPLETED")
            answer.duration_ms = (time.perf_counter() - began) * 1000
            if running not in done:
                answer.truncated = True
                listener.leave()
            try:
                await running
            except BrokenResponse:
                answer.broken = not answer.truncated
            return answer
        finally:
            listener.leave()
            running.cancel()

    def _scope(self, trial: Trial) -> dict[str, Any]:
        name = trial.worker
        if trial.project != DEFAULT_PROJECT:
            name = f"{trial.project}:{name}"
        if trial.environment != PRODUCTION:
            name = f"{name}@{trial.environment}"
        path, _, query = trial.path.partition("?")
        raw_path = f"/run/{name}{path}".encode("ascii", "replace")
        own = {each.lower() for each, _ in trial.headers}
        headers = [(each.lower().encode("latin-1"), value.encode("latin-1")) for each, value in trial.headers]
        headers = [pair for pair in headers if pair[0] not in (b"host", b"content-length", b"transfer-encoding")]
        headers.append((b"host", self._host.encode()))
        if trial.body or trial.method not in ("GET", "HEAD"):
            headers.append((b"content-length", b"%d" % len(trial.body)))
        if "user-agent" not in own:
            headers.append((b"user-agent", b"v8box-test"))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": trial.method,
            "scheme": "http" if self._host == "localhost" else "https",
            "path": raw_path.decode("ascii"),
            "raw_path": raw_path,
            "query_string": query.encode("ascii", "replace"),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": (self._host, 0),
            "trigger": TRIGGER,
        }


class _Listener:
    """The client of a trial: sends its body, keeps what comes."""

    def __init__(self, body: bytes, answer: TrialAnswer) -> None:
        self._body: bytes | None = body
        self._answer = answer
        self._left = asyncio.Event()
        self.enough: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when so much has come that the rest is not waited for."""

    def leave(self) -> None:
        self._left.set()
        if not self.enough.done():
            self.enough.cancel()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        answer = self._answer
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [
                (bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in message["headers"]
            ]
            answer.run = next((value for name, value in answer.headers if name == "x-request-id"), "")
            return
        room = MAX_ANSWER_BYTES - len(answer.body)
        chunk = message.get("body", b"")
        answer.body += chunk[:room]
        if len(chunk) > room:
            answer.truncated = True
            if not self.enough.done():
                self.enough.set_result(None)
