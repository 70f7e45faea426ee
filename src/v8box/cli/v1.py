"""The commands' way to /api/v1 of a box: plain JSON, problem details as `CommandFailed`, pages, uploads, events.

What is created is sent with an Idempotency-Key, so that it can be sent once more when the connection broke.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Self

import httpx

from v8box.cli.client import Place, http_client, segment
from v8box.cli.exits import CommandFailed, Exit, exit_of

PREFIX: Final = "/api/v1"
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 660.0
_PAGE: Final = 200
_CHUNK_BYTES: Final = 256 * 1024
_WAIT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `id` is what to go on from when the connection breaks."""

    kind: str
    data: str
    id: str | None


class V1:
    """Asks one box. Paths are below /api/v1, without a slash before them. Every method raises `CommandFailed`."""

    def __init__(self, place: Place) -> None:
        self.address = place.address
        headers = {"accept": "application/json", **place.headers}
        self._signed_in = place.token is not None
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        base = f"{place.address}{PREFIX}/"
        self._http = http_client(place.address, base_url=base, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, /, **params: Any) -> Any:
        return self._ask("GET", path, params=_given(params))

    def tagged(self, path: str) -> tuple[Any, str]:
        """A resource and its ETag, to change it only if nobody else does meanwhile."""
        response = self._send("GET", path)
        return self._value(response), response.headers.get("etag", "")

    def page(self, path: str, limit: int, **params: Any) -> tuple[list[Any], bool]:
        """The first `limit` items of a list, and whether there are more."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            size = min(_PAGE, limit - len(items))
            found = self.get(path, limit=size, cursor=cursor, **params)
            items += found["items"]
            cursor = found["next_cursor"]
            if cursor is None or len(items) >= limit:
                return items, cursor is not None

    def all(self, path: str, **params: Any) -> list[Any]:
        """Every item of a list, page by page."""
        return self.page(path, 1_000_000, **params)[0]

    def create(self, path: str, body: Any, **params: Any) -> Any:
        """POSTs something new, with an Idempotency-Key: when the connection breaks it is sent once more."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._ask("POST", path, again=True, json=body, headers=headers, params=_given(params))

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        options: dict[str, Any] = {} if body is None else {"json": body}
        return self._ask("POST", path, params=_given(params), **options)

    def put(
        self, path: str, body: Any, *, if_match: str | None = None, if_none_match: str | None = None, **params: Any
    ) -> Any:
        headers = _match(if_match) if if_none_match is None else {"if-none-match": if_none_match}
        return self._ask("PUT", path, json=body, headers=headers, params=_given(params))

    def patch(self, path: str, body: Any, *, if_match: str | None = None, **params: Any) -> Any:
        return self._ask("PATCH", path, json=body, headers=_match(if_match), params=_given(params))

    def delete(self, path: str, *, if_match: str | None = None, **params: Any) -> Any:
        return self._ask("DELETE", path, headers=_match(if_match), params=_given(params))

    def post_text(self, path: str, text: bytes, **params: Any) -> Any:
        """A body that is no JSON."""
        headers = {"content-type": "text/plain; charset=utf-8"}
        return self._ask("POST", path, content=text, headers=headers, params=_given(params))

    def upload(
        self,
        path: str,
        fields: Mapping[str, str],
        file: BinaryIO,
        name: str,
        on_bytes: Callable[[int], None],
    ) -> Any:
        """POSTs a form with one file, `file`, to an address of the box. `on_bytes` is told how much more was sent."""
        told = _Told(file, on_bytes)
        files = {"file": (name, told, "application/zip")}
        return self._ask("POST", f"{self.address}{path}", data=dict(fields), files=files)

    def put_file(self, path: str, file: BinaryIO, on_bytes: Callable[[int], None]) -> Any:
        """PUTs the bytes of a file. `on_bytes` is told how much more was sent."""

        def chunks() -> Iterator[bytes]:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
                on_bytes(len(chunk))

        return self._ask("PUT", path, content=chunks(), headers={"content-type": "application/octet-stream"})

    @contextmanager
    def download(self, path: str, **params: Any) -> Iterator[Iterator[bytes]]:
        """An answer that is no JSON, in chunks."""
        headers = {"accept": "*/*"}
        with self._told(), self._http.stream("GET", path, params=_given(params), headers=headers) as response:
            self._refuse_failed(response)
            yield response.iter_bytes(_CHUNK_BYTES)

    def events(self, path: str, *, last_id: str | None = None, **params: Any) -> Iterator[Event]:
        """Server-sent events, until the box ends them or the connection breaks (`CommandFailed`)."""
        headers = {"accept": "text/event-stream"}
        if last_id is not None:
            headers["last-event-id"] = last_id
        timeout = httpx.Timeout(_CONNECT_SECONDS, read=None)
        with (
            self._told(),
            self._http.stream("GET", path, params=_given(params), headers=headers, timeout=timeout) as response,
        ):
            self._refuse_failed(response)
            yield from read_events(response.iter_lines())

    def wait(self, operation: Any, on_progress: Callable[[Any], None]) -> Any:
        """Until an operation is over. Gives it; raises when it failed or was cancelled."""
        while operation["state"] == "running":
            on_progress(operation)
            operation = self.get(f"operations/{segment(operation['id'])}", wait=_WAIT_SECONDS)
        on_progress(operation)
        if operation["state"] != "succeeded":
            error = operation.get("problem") or {}
            raise CommandFailed(str(error.get("detail") or f"The operation was {operation['state']}"))
        return operation

    def _ask(self, method: str, path: str, *, again: bool = False, **options: Any) -> Any:
        return self._value(self._send(method, path, again=again, **options))

    def _send(self, method: str, path: str, *, again: bool = False, **options: Any) -> httpx.Response:
        with self._told():
            try:
                return self._http.request(method, path, **options)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not again:
                    raise
                return self._http.request(method, path, **options)

    def _value(self, response: httpx.Response) -> Any:
        self._refuse_failed(response)
        if response.status_code == 204:
            return None
        try:
            return response.json()
        except ValueError:
            raise self._foreign(response) from None

    def _refuse_failed(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        response.read()
        try:
            problem = response.json()
            detail = str(problem["detail"] if "detail" in problem else problem["error"])
        except (ValueError, KeyError, TypeError):
            raise self._foreign(response) from None
        raise CommandFailed(
            self._in_words(response, problem, detail),
            exit_of(response.status_code),
            answer=str(problem.get("code", "")),
        )

    def _in_words(self, response: httpx.Response, problem: Any, detail: str) -> str:
        """What a problem says, with the fields it is about, and what to do about it here."""
        lines = [detail]
        for fault in problem.get("errors") or ():
            where = fault.get("pointer") or fault.get("parameter") or fault.get("in") or ""
            line = f"{where}: {fault.get('detail', '')}" if where else str(fault.get("detail", ""))
            if line not in detail:
                lines.append(line)
        for each in problem.get("diagnostics") or ():
            place = ":".join(str(each[part]) for part in ("file", "line", "column") if each.get(part) is not None)
            line = f"{place}: {each['message']}" if place else str(each["message"])
            if line != detail:
                lines.append(line)
        if response.status_code == 401 and not self._signed_in:
            lines.append(f"Sign in with: v8box login {self.address}")
        elif response.status_code == 401:
            lines.append(f"The token is not valid (any more). Sign in again: v8box login {self.address}")
        if response.status_code >= 500 and problem.get("request_id"):
            lines.append(f"The box's log has more under the request id {problem['request_id']}")
        return "\n".join(lines)

    def _foreign(self, response: httpx.Response) -> CommandFailed:
        return CommandFailed(
            f"What answers at {self.address}{PREFIX} is not the API of a V8Box (status {response.status_code})",
            exit_of(response.status_code),
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise CommandFailed(
                f"No box answers at {self.address}. Start it with `v8box up`, or say where it is with --url",
                Exit.UNREACHABLE,
            ) from error
        except httpx.TimeoutException as error:
            raise CommandFailed(
                f"The box at {self.address} did not answer in time; its log may say why", Exit.UNREACHABLE
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise CommandFailed(f"The connection to {self.address} broke off: {error}", Exit.UNREACHABLE) from error


def read_events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream's lines, as the HTML standard reads them."""
    kind, data, last = "message", list[str](), None
    for line in lines:
        if not line:
            if data:
                yield Event(kind, "\n".join(data), last)
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                last = value
            case _:
                pass  # a comment, a retry, or what a later box says


def event_data(event: Event) -> Any:
    """The JSON of an event; None when it is none."""
    try:
        return json.loads(event.data)
    except ValueError:
        return None


class _Told:
    """A file that tells how much of it has been read."""

    def __init__(self, file: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._file = file
        self._on_bytes = on_bytes

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._on_bytes(len(chunk))
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _match(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": if_match}
