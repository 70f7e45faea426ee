"""How the commands reach the running box: its address, one request, and errors in words that say what to do.

The address is `--url` or V8BOX_URL, else what `v8box up` wrote into the data directory while it runs. What they sign in
with is in `credentials`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from v8box.cli.credentials import find_token
from v8box.cli.exits import CommandFailed, Exit, exit_of
from v8box.errors import V8BoxError
from v8box.settings import Settings, load

ADDRESS_FILE: Final = "address"
DATA: Final = "data"
DEV_DATA: Final = Path(".v8box", "dev")
"""Where `v8box dev` keeps its data, in the folder that it serves."""
_PROJECT: Final = re.compile(r"[\x21-\x7e]{1,63}")
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 660.0  # a little more than the box gives an operator's statement
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A box: where it answers, the host that its admin API has there, and what to sign in with."""

    address: str
    host: str | None = None
    """The Host to ask for, where it is not the address's own."""
    token: str | None = field(default=None, repr=False)
    project: str = "default"
    """Which project a request is about, where its address does not say."""

    @property
    def headers(self) -> dict[str, str]:
        """What every request to the admin API has."""
        headers = {"v8box-project": self.project}
        if self.host is not None:
            headers["host"] = self.host
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        return headers


def find_box(
    url: str | None,
    directory: Path,
    token: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    project: str = "default",
) -> Place:
    """The box that is meant. Raises `CommandFailed` saying how to tell it."""
    if not _PROJECT.fullmatch(project):
        raise CommandFailed(f"{project} is no name of a project. `v8box project list` shows them", Exit.USAGE)
    if not url and (developed := _developed(directory, environ)) is not None:
        address = _read_address(developed / ADDRESS_FILE)
        return Place(address, None, find_token(token, address, developed, environ), project)
    address = find_address(url, directory, environ)
    settings = _local_settings(address, url, directory, environ)
    data, domain = (None, "localhost") if settings is None else (settings.data_directory, settings.box.domain)
    host = None if domain == "localhost" else f"admin.{domain}"  # with a domain, no other host is answered
    return Place(address, host, find_token(token, address, data, environ), project)


def _local_settings(address: str, url: str | None, directory: Path, environ: Mapping[str, str]) -> Settings | None:
    """The settings of the box in the folder, if it is the one at the address: its token is for no other one."""
    if not url:
        return load(directory, environ)
    try:
        settings = load(directory, environ)
        found = _served_at(settings)
    except (V8BoxError, OSError, UnicodeDecodeError):
        return None
    return settings if found == address else None


def find_address(url: str | None, directory: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Where the box answers. Raises `CommandFailed` saying how to tell it."""
    if url:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"{url} is no address of a box: it looks like http://127.0.0.1:8000", Exit.USAGE)
        return url.rstrip("/")
    try:
        return _read_address(load(directory, environ).data_directory / ADDRESS_FILE)
    except FileNotFoundError:
        raise CommandFailed(
            f"No box serves {directory.resolve()}. Start one with `v8box up {directory}`, or say where it is: "
            "--dir FOLDER, --url http://127.0.0.1:PORT, or V8BOX_URL",
            Exit.UNREACHABLE,
        ) from None


def _read_address(file: Path) -> str:
    """Raises `CommandFailed`, and FileNotFoundError where there is none."""
    try:
        found = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}. Say where the box is with --url") from error
    if not found.startswith("http://"):
        raise CommandFailed(f"{file} does not hold an address. Start the box again, or say where it is with --url")
    return found


def _developed(directory: Path, environ: Mapping[str, str]) -> Path | None:
    """The data of a `v8box dev` that serves the folder, where no other box does."""
    data = directory / DEV_DATA
    if environ.get("V8BOX_DATA_DIR") or (directory / DATA / ADDRESS_FILE).exists():
        return None
    return data if (data / ADDRESS_FILE).exists() else None


def _served_at(settings: Settings) -> str:
    return (settings.data_directory / ADDRESS_FILE).read_text(encoding="utf-8").strip()


def http_client(address: str, **options: Any) -> httpx.Client:
    """Asks this address, and follows no redirect to another. The certificates of all authorities, which take 40 ms to
    read, are read where they are needed. Not through the environment's proxy: the token is for the box alone, and a
    local one is refused then."""
    return httpx.Client(verify=not address.startswith("http://"), trust_env=False, **options)


class BoxClient:
    """Asks the admin API of one box. Every method raises `CommandFailed`."""

    def __init__(self, place: Place) -> None:
        self.address = place.address
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        self._http = http_client(
            place.address, base_url=f"{place.address}/admin/", headers=place.headers, timeout=timeout
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, /, **params: Any) -> Any:
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
                f"No box answers at {self.address}. Start it with `v8box up`, or say where it is with --url",
                Exit.UNREACHABLE,
            ) from error
        except httpx.TimeoutException as error:
            raise CommandFailed(
                f"The box at {self.address} did not answer in time; its log may say why", Exit.UNREACHABLE
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise CommandFailed(f"The connection to {self.address} broke off: {error}", Exit.UNREACHABLE) from error

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
        raise CommandFailed(message, exit_of(response.status_code))


def segment(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")
