"""A DSN: where a Sentry project takes events, and the key it takes them with: `https://<key>@<host>[/path]/<project>`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

MAX_LENGTH: Final = 1_000
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PROJECT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PATH: Final = re.compile(r"(/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


class BadDsn(ValueError):
    """The text is no DSN. It is in no message: it holds a key."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """Shows itself without its key."""

    scheme: str
    key: str = field(repr=False)
    host: str
    port: int | None
    path: str
    project: str

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def envelope_url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}/api/{self.project}/envelope/"

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}/{self.project}"


def parse_dsn(text: str) -> Dsn:
    """Raises `BadDsn`."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BadDsn("it is too long")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadDsn("it is no address") from None
    path, _, project = parts.path.rpartition("/")
    if parts.scheme not in ("http", "https"):
        raise BadDsn("it must begin with https:// or http://")
    if not parts.username or not _KEY.fullmatch(parts.username):
        raise BadDsn("it has no key before the @")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise BadDsn("it has no host")
    if not _PROJECT.fullmatch(project) or not _PATH.fullmatch(path) or parts.query or parts.fragment:
        raise BadDsn("it does not end with the number of a project")
    return Dsn(parts.scheme, parts.username, parts.hostname, port, path, project)
