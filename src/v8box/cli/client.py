"""How the commands reach the running box: its address, one request, and errors in words that say what to do.

The address is `--url` or V8BOX_URL, else what `v8box up` wrote into the data directory while it runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from v8box.errors import V8BoxError
from v8box.settings import load

ADDRESS_FILE: Final = "address"
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 660.0  # a little more than the box gives an operator's statement
_CHUNK_BYTES: Final = 1024 * 1024


class CommandFailed(V8BoxError):
    """The command did not do what it was asked to."""

    code = "command_failed"


def find_address(url: str | None, directory: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Where the box answers. Raises `CommandFailed` saying how to tell it."""
    if url:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"{url} is no address of a box: it looks like http://127.0.0.1:8000")
        return url.rstrip("/")
    file = load(directory, environ).data_directory / ADDRESS_FILE
    try:
        found = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise CommandFailed(
            f"No box serves {directory.resolve()}. Start one with `v8box up {directory}`, or say where it is: "
            "--dir FOLDER, --url http://127.0.0.1:PORT, or V8BOX_URL"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}. Say where the box is with --url") from error
    if not found.startswith("http://"):
        raise CommandFailed(f"{file} does not hold an address. Start the box again, or say where it is with --url")
    return found


class BoxClient:
    """Asks the admin API of one box. Every method raises `CommandFailed`."""

    def __init__(self, address: str) -> None:
        self.address = address
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        # The box refuses what comes through a proxy, so the environment's is not used.
        self._http = httpx.Client(base_url=f"{address}/admin/", timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: Any) -> Any:
        return self._ask("POST", path, json=body)

    def delete(self, path: str, **params: Any) -> Any:
        return self._ask("DELETE", path, params=params)

    def upload(self, path: str, key: str, chunks: Iterable[bytes], headers: Mapping[str, str]) -> Any:
        """PUTs a body as it comes."""
        return self._ask("PUT", path, params={"key": key}, content=chunks, headers=dict(headers))

    @contextmanager
    def download(self, path: str, key: str) -> Iterator[Iterator[bytes]]:
        """The body of an object in chunks. Raises in mid-way when it breaks off."""
        with self._told(), self._http.stream("GET", path, params={"key": key}) as response:
            if response.status_code != 200:
                response.read()
                self._data(response)
            yield response.iter_raw(_CHUNK_BYTES)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        with self._told():
            return self._data(self._http.request(method, path, **options))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise CommandFailed(
                f"No box answers at {self.address}. Start it with `v8box up`, or say where it is with --url"
            ) from error
        except httpx.TimeoutException as error:
            raise CommandFailed(f"The box at {self.address} did not answer in time; its log may say why") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise CommandFailed(f"The connection to {self.address} broke off: {error}") from error

    def _data(self, response: httpx.Response) -> Any:
        try:
            body = response.json()
            if body["success"]:
                return body["data"]
            message = str(body["error"])
        except (ValueError, KeyError, TypeError):
            raise CommandFailed(
                f"What answers at {self.address} is not the admin API of a V8Box (status {response.status_code})"
            ) from None
        raise CommandFailed(message)


def segment(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")
