"""What the box is told from outside: the environment first, `DIR/v8box.toml` second, a default third.

`load` reads both once, at start, and reports every fault it finds in one `SettingsError`. Nothing else reads the
environment. An empty variable counts as not set, as in a compose file. `[workers.*]` in the same file is the catalog's
(`catalog/manifest.py`). A new setting is one field here: its variable, its key, how it is read, and why its default.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_type_hints
from urllib.parse import SplitResult, urlsplit

from v8box.errors import SettingsError
from v8box.kit import toml

FILE_NAME: Final = "v8box.toml"
WORKERS_TABLE: Final = "workers"

T = TypeVar("T")
Reader = Callable[[Any], T]


class Secret:
    """A value that never shows itself: `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***"


class ServerUrl:
    """A server's address, which may carry a password. It shows scheme, host and port; `reveal()` gives all of it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerUrl) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        parts = urlsplit(self._value)
        if not parts.netloc:
            return f"{parts.scheme}://{parts.path}"
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


# --- Readers: each turns a raw value (text from the environment, a TOML value from the file) into a setting, or raises
# --- ValueError with what is wanted. None of them repeats the value: `load` does, where it is no secret.


def _whole_number(low: int, high: int) -> Reader[int]:
    def read(raw: Any) -> int:
        wanted = f"must be a whole number from {low} to {high}"
        if isinstance(raw, str):
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", raw.strip()):
                raise ValueError(wanted)
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(wanted)
        return raw

    return read


def _seconds(low: float, high: float) -> Reader[float]:
    def read(raw: Any) -> float:
        wanted = f"must be a number of seconds from {low:g} to {high:g}"
        if isinstance(raw, str):
            if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", raw.strip()):
                raise ValueError(wanted)
            raw = float(raw)
        if not isinstance(raw, int | float) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(wanted)
        return float(raw)

    return read


def _yes_or_no(raw: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    value = words.get(raw.strip().lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("must be a text that is not empty")
    if not raw.isprintable():
        raise ValueError("must not hold control characters")
    return raw.strip()


def _secret(raw: Any) -> Secret:
    return Secret(_text(raw))


def _password(raw: Any) -> Secret:
    if not isinstance(raw, str) or len(raw) < 8:
        raise ValueError("must have at least 8 characters")
    return Secret(raw)


def _domain(raw: Any) -> str:
    name = _text(raw).lower().rstrip(".")
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name) or re.fullmatch(r"[0-9.]+", name):
        raise ValueError("must be a bare domain name such as example.com: no scheme, port or path")
    return name


def _bind_address(raw: Any) -> str:
    address = _text(raw)
    if address == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ValueError("must be an IP address of this machine: 127.0.0.1, 0.0.0.0, ::, …") from None


def _networks(raw: Any) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    parts = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of addresses or networks such as 10.0.0.0/8")
    try:
        return tuple(ipaddress.ip_network(part) for part in parts if part)
    except ValueError:
        raise ValueError("must be a list of addresses or networks such as 10.0.0.0/8") from None


def _server_url(*schemes: str) -> Reader[ServerUrl]:
    def read(raw: Any) -> ServerUrl:
        wanted = f"must be an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        value = _text(raw)
        parts = _split_url(value)
        if (
            parts is None
            or parts.scheme not in schemes
            or not (parts.hostname or (parts.scheme == "unix" and parts.path))
        ):
            raise ValueError(wanted)
        return ServerUrl(value)

    return read


def _split_url(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts


def _bucket(raw: Any) -> str:
    name = _text(raw)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name) or ".." in name:
        raise ValueError("must be a bucket name: 3 to 63 of a-z, 0-9, dot and dash")
    return name


@dataclass(frozen=True, slots=True)
class _From:
    """Where a setting comes from: `variable`, or `table.key` of the file. Faults never repeat a `hidden` value."""

    variable: str
    key: str
    read: Reader[Any]
    hidden: bool = False


# --- The settings.


def _machine_memory_mb() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()  # a container's share, not the machine's
    except OSError:
        limit = "max"
    return (min(total, int(limit)) if limit.isdigit() else total) // 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Who the box is: its names, where it listens, who may administer it."""

    domain: Annotated[str, _From("DOMAIN", "box.domain", _domain)] = "localhost"
    """The domain under which `admin.`, `api.` and the sites live. `localhost` works with nothing set up."""

    host: Annotated[str, _From("V8BOX_HOST", "box.host", _bind_address)] = "127.0.0.1"
    """The address to listen on. Loopback unless said otherwise, even when `DOMAIN` is set: a box is reachable from the
    network only when someone wrote so (`0.0.0.0` on a VPS; not behind a Caddy on the same machine)."""

    port: Annotated[int, _From("PORT", "box.port", _whole_number(0, 65_535))] = 8_000
    """The TCP port. Above 1023, so that no root is needed; 0 lets the kernel choose one (tests)."""

    admin_password: Annotated[Secret | None, _From("ADMIN_PASSWORD", "box.admin_password", _password, hidden=True)] = (
        None
    )
    """The password of the first administrator; 8 characters or more. Without one nobody signs in."""

    trusted_proxies: Annotated[
        tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
        _From("V8BOX_TRUSTED_PROXIES", "box.trusted_proxies", _networks),
    ] = ()
    """Networks whose `X-Forwarded-*` headers are believed, comma-separated in the variable. None by default: believing
    anybody lets a client choose its own address, and with it dodge rate limits."""

    cloudflare_token: Annotated[
        Secret | None, _From("CLOUDFLARE_TOKEN", "box.cloudflare_token", _secret, hidden=True)
    ] = None
    """The API token for DNS records and certificates of custom domains. Optional."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What the gateway accepts from a client before a worker sees any of it."""

    max_body_mb: Annotated[int, _From("V8BOX_MAX_BODY_MB", "requests.max_body_mb", _whole_number(1, 1_048_576))] = 2_048
    """MiB of one request body. Bodies stream and are never held, so the bound guards time and disk, not memory."""

    max_header_kb: Annotated[int, _From("V8BOX_MAX_HEADER_KB", "requests.max_header_kb", _whole_number(4, 1_024))] = 64
    """KiB of all request headers. Room for large cookies and tokens; headers are held in memory, so not much more."""

    max_url_kb: Annotated[int, _From("V8BOX_MAX_URL_KB", "requests.max_url_kb", _whole_number(1, 1_024))] = 16
    """KiB of the request target. Twice what browsers and proxies commonly let through."""

    @property
    def max_body_bytes(self) -> int:
        return self.max_body_mb * 1_048_576

    @property
    def max_header_bytes(self) -> int:
        return self.max_header_kb * 1_024

    @property
    def max_url_bytes(self) -> int:
        return self.max_url_kb * 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandboxes:
    """How many worker processes there are, how long they live, and how long a request waits for one."""

    blanks: Annotated[int, _From("V8BOX_BLANKS", "sandboxes.blanks", _whole_number(0, 64))] = 2
    """Processes kept started without a worker. Two: one is taken, one is ready while the next starts (20 ms, 9 MB)."""

    max_sandboxes: Annotated[int, _From("V8BOX_MAX_SANDBOXES", "sandboxes.max", _whole_number(1, 100_000))] = 64
    """Processes at most, blanks included. Not set: what half of the memory holds at 32 MB each, from 4 to 1024; a small
    worker takes 9 to 15 MB, the other half is for those that take more."""

    idle_seconds: Annotated[float, _From("V8BOX_IDLE_SECONDS", "sandboxes.idle_seconds", _seconds(1, 86_400))] = 60.0
    """Seconds without a run after which a process is stopped. A cold start costs milliseconds, memory costs money."""

    queue_length: Annotated[int, _From("V8BOX_QUEUE_LENGTH", "sandboxes.queue_length", _whole_number(0, 100_000))] = (
        2_048
    )
    """Requests that may wait for one worker; the next is refused (503) at once. Enough for a burst of cold starts."""

    queue_timeout_seconds: Annotated[
        float, _From("V8BOX_QUEUE_TIMEOUT_SECONDS", "sandboxes.queue_timeout_seconds", _seconds(0.01, 300))
    ] = 10.0
    """Seconds a request waits for a process before 503. Browsers' users leave before that, proxies soon after."""

    drain_seconds: Annotated[float, _From("V8BOX_DRAIN_SECONDS", "sandboxes.drain_seconds", _seconds(0, 3_600))] = 10.0
    """Seconds that running requests get to finish at shutdown. Within the 30 that container platforms allow."""

    recycle_after_requests: Annotated[
        int, _From("V8BOX_RECYCLE_AFTER_REQUESTS", "sandboxes.recycle_after_requests", _whole_number(0, 1_000_000_000))
    ] = 1_000_000
    """Runs after which a process is replaced, so that a slow leak never becomes an outage. 0 means never."""

    recycle_after_hours: Annotated[
        int, _From("V8BOX_RECYCLE_AFTER_HOURS", "sandboxes.recycle_after_hours", _whole_number(0, 8_760))
    ] = 24
    """Hours after which a process is replaced, for the same reason. 0 means never."""

    allow_ipv6: Annotated[bool, _From("V8BOX_ALLOW_IPV6", "sandboxes.allow_ipv6", _yes_or_no)] = False
    """Whether workers may open IPv6 connections. No: Deno refuses private IPv4 ranges, but it has no way to refuse
    private IPv6 ones (fc00::/7, fe80::/10), so a box on such a network would be open to its workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What the box keeps of what was said."""

    budget_mb: Annotated[int, _From("V8BOX_LOG_BUDGET_MB", "logs.budget_mb", _whole_number(1, 1_048_576))] = 256
    """MiB that the log directory may take; the oldest files go first. About a week of a small site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Libsql:
    """A LibSQL server for databases. Without one, databases are SQLite files in the data directory."""

    url: Annotated[
        ServerUrl | None,
        _From("LIBSQL_URL", "libsql.url", _server_url("http", "https", "ws", "wss", "libsql"), hidden=True),
    ] = None
    """The server's address. Not set: embedded."""

    auth_token: Annotated[Secret | None, _From("LIBSQL_AUTH_TOKEN", "libsql.auth_token", _secret, hidden=True)] = None
    """The token it asks for, if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """The Valkey (or Redis) server behind `cache`. Without one, the box starts a private one."""

    url: Annotated[
        ServerUrl | None,
        _From("VALKEY_URL", "valkey.url", _server_url("redis", "rediss", "valkey", "valkeys", "unix"), hidden=True),
    ] = None
    """The server's address, with its password. Not set: a private server on a Unix socket, nothing on the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """An S3 server for objects. Without one, objects are files in the data directory."""

    endpoint: Annotated[
        ServerUrl | None, _From("S3_ENDPOINT", "s3.endpoint", _server_url("http", "https"), hidden=True)
    ] = None
    """The server's address. Not set: embedded. It needs both keys."""

    access_key: Annotated[Secret | None, _From("S3_ACCESS_KEY", "s3.access_key", _secret, hidden=True)] = None
    """The access key id."""

    secret_key: Annotated[Secret | None, _From("S3_SECRET_KEY", "s3.secret_key", _secret, hidden=True)] = None
    """The secret access key."""

    region: Annotated[str, _From("S3_REGION", "s3.region", _text)] = "us-east-1"
    """The region to sign for. Servers of one's own accept this one."""

    default_bucket: Annotated[str, _From("S3_DEFAULT_BUCKET", "s3.default_bucket", _bucket)] = "v8box"
    """The bucket on that server that a worker's `s3` will work in. Embedded, it is `default` whatever this says."""

    projects_bucket: Annotated[str, _From("S3_PROJECTS_BUCKET", "s3.projects_bucket", _bucket)] = "v8box-projects"
    """The bucket of the sites' files."""

    functions_bucket: Annotated[str, _From("S3_FUNCTIONS_BUCKET", "s3.functions_bucket", _bucket)] = "v8box-functions"
    """The bucket of the workers' bundles and sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. `directory` is the served folder DIR; `data_directory` holds every byte of state."""

    directory: Path
    data_directory: Path
    box: Box
    requests: Requests
    sandboxes: Sandboxes
    logs: Logs
    libsql: Libsql
    valkey: Valkey
    s3: S3

    @property
    def functions_directory(self) -> Path:
        return self.directory / "functions"

    @property
    def pages_directory(self) -> Path:
        return self.directory / "pages"

    @property
    def file(self) -> Path:
        return self.directory / FILE_NAME


DATA_DIRECTORY: Final = ("V8BOX_DATA_DIR", "box.data_dir")
"""Where all state lives; relative to DIR. `DIR/data` by default: one folder to back up, beside what it belongs to."""

_GROUPS: Final[Mapping[str, type[Any]]] = {
    "box": Box,
    "requests": Requests,
    "sandboxes": Sandboxes,
    "logs": Logs,
    "libsql": Libsql,
    "valkey": Valkey,
    "s3": S3,
}


def variables() -> tuple[tuple[str, str, Any], ...]:
    """Every setting as (environment variable, key in v8box.toml, default). For help texts and the documents' tests."""
    listed: list[tuple[str, str, Any]] = [(*DATA_DIRECTORY, "data")]
    for group in _GROUPS.values():
        listed.extend((origin.variable, origin.key, default) for _, origin, default in _described(group))
    return tuple(listed)


def load(directory: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the box that serves `directory`. Raises `SettingsError` naming every fault."""
    directory = Path(os.path.abspath(directory))
    source = _Source(directory / FILE_NAME, environ)
    groups = {name: _read_group(group, source) for name, group in _GROUPS.items()}
    if source.given("sandboxes.max", "V8BOX_MAX_SANDBOXES") is None:
        groups["sandboxes"]["max_sandboxes"] = max(4, min(1_024, _machine_memory_mb() // 2 // 32))
    data_directory = Path(os.path.abspath(directory / (source.read(*DATA_DIRECTORY, _text, hidden=False) or "data")))
    if data_directory == directory or data_directory in directory.parents:
        source.fault(*DATA_DIRECTORY, "must be a folder of its own, not the served folder or one that holds it")
    _check_s3(groups["s3"], source)
    source.refuse_unknown()
    if source.faults:
        raise SettingsError("\n".join(source.faults))
    built = {name: group(**groups[name]) for name, group in _GROUPS.items()}
    return Settings(directory=directory, data_directory=data_directory, **built)


def ignored(settings: Settings) -> tuple[str, ...]:
    """What is set and does nothing in this version, a sentence for each: nobody should believe that it works."""
    told = {
        "LIBSQL_URL": (settings.libsql.url, "keeps databases in the data directory"),
        "S3_ENDPOINT": (settings.s3.endpoint, "keeps objects in the data directory"),
        "ADMIN_PASSWORD": (settings.box.admin_password, "has nothing to sign in to"),
        "CLOUDFLARE_TOKEN": (settings.box.cloudflare_token, "makes no DNS records and no certificates"),
    }
    return tuple(f"{name} is set, but this version {does}" for name, (value, does) in told.items() if value is not None)


def _read_group(group: type[Any], source: _Source) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, origin, default in _described(group):
        value = source.read(origin.variable, origin.key, origin.read, hidden=origin.hidden)
        values[name] = default if value is None else value
    return values


def _described(group: type[Any]) -> list[tuple[str, _From, Any]]:
    """The fields of a group: name, where it comes from, default."""
    hints = get_type_hints(group, include_extras=True)
    return [(each.name, hints[each.name].__metadata__[0], each.default) for each in fields(group)]


def _check_s3(values: Mapping[str, Any], source: _Source) -> None:
    keys = {"S3_ACCESS_KEY": "access_key", "S3_SECRET_KEY": "secret_key"}
    missing = [variable for variable, name in keys.items() if values[name] is None]
    if values["endpoint"] is not None:
        for variable in missing:
            source.fault(variable, f"s3.{keys[variable]}", "is missing, and S3_ENDPOINT needs it")
    elif len(missing) < len(keys) and source.given("s3.endpoint", "S3_ENDPOINT") is None:
        source.fault("S3_ENDPOINT", "s3.endpoint", "is missing, but S3 keys are set")


class _Source:
    """The environment and the file as one; collects the faults with where each stands."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self._file = file
        self._environ = environ
        self._asked: set[str] = set()
        self._values, self._lines = self._parse_file()

    def _parse_file(self) -> tuple[dict[str, Any], toml.Lines]:
        try:
            return toml.parse(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except toml.TomlSyntaxError as error:
            self.faults.append(f"{self._place(error.line)}: {error.message}")
        except UnicodeDecodeError:
            self.faults.append(f"{self._file.name}: is not UTF-8 text")
        except OSError as error:
            self.faults.append(f"{self._file.name}: cannot be read: {error.strerror}")
        return {}, toml.Lines({})

    def _place(self, line: int | None) -> str:
        return self._file.name if line is None else f"{self._file.name}:{line}"

    def given(self, key: str, variable: str) -> Any:
        """The raw value, or None."""
        if self._environ.get(variable, "").strip():
            return self._environ[variable]
        table, name = key.split(".")
        values = self._values.get(table)
        return values.get(name) if isinstance(values, dict) else None

    def read(self, variable: str, key: str, read: Reader[T], *, hidden: bool) -> T | None:
        self._asked.add(key)
        raw = self.given(key, variable)
        if raw is None:
            return None
        try:
            return read(raw)
        except ValueError as error:
            shown = "" if hidden else f", not {_shorten(raw)}"
            self.fault(variable, key, f"{error}{shown}")
            return None

    def fault(self, variable: str, key: str, message: str) -> None:
        """Note a fault where the value came from; one that came from nowhere is named by its variable."""
        table, name = key.split(".")
        from_file = not self._environ.get(variable, "").strip() and name in self._table(table)
        if from_file:
            self.faults.append(f"{self._place(self._lines.of(table, name))}: {key} {message}")
        else:
            self.faults.append(f"{variable}: {message}")

    def _table(self, name: str) -> Mapping[str, Any]:
        values = self._values.get(name)
        return values if isinstance(values, dict) else {}

    def refuse_unknown(self) -> None:
        tables = {key.split(".")[0] for key in self._asked}
        for table, values in self._values.items():
            place = self._place(self._lines.of(table))
            if table == WORKERS_TABLE:
                continue  # checked worker by worker, so that one bad manifest stops one worker and not the box
            if table not in tables:
                self.faults.append(f"{place}: [{table}] is not known{_hint(table, {*tables, WORKERS_TABLE})}")
            elif not isinstance(values, dict):
                self.faults.append(f"{place}: {table} must be a table: [{table}]")
            else:
                known = {key.split(".")[1] for key in self._asked if key.startswith(f"{table}.")}
                for name in values:
                    if name not in known:
                        place = self._place(self._lines.of(table, name))
                        self.faults.append(f"{place}: {table}.{name} is not known{_hint(name, known)}")


def _hint(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _shorten(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}…"
