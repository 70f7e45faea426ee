"""Single values of the manifest that have a form of their own: hosts, origins, address ranges, cron lines, files.

Each reader gives the value as records have it, or raises `ValueError` with what is wrong, in words that go on from the
key's name.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from v8box.catalog.env_names import MAX_KEYS, env_faults, name_faults
from v8box.catalog.hosts import read_host
from v8box.catalog.json_schema import MAX_BYTES, BadSchema, check_schema
from v8box.catalog.manifest_kinds import At, JsonSchema, matching
from v8box.catalog.model import BindingKind, EnvBinding
from v8box.catalog.policies import Cors, ErrorPage, ParamsSchema
from v8box.kit import jsonc, names

ENTRY_SUFFIXES: Final = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
MAX_NET_ENTRIES: Final = 100
MAX_GRANTS: Final = 100
MAX_BINDINGS: Final = 100
MAX_ENV_KEYS: Final = MAX_KEYS
MAX_PAGE_BYTES: Final = 64 * 1024
MAX_PAGES_BYTES: Final = 256 * 1024

ENV_PATTERN: Final = (
    "^(?![vV]8[bB][oO][xX]_|[dD][eE][nN][oO]_|[lL][dD]_|[oO][tT][eE][lL]_)[A-Za-z_][A-Za-z0-9_]{0,127}$"
)
HEADER_PATTERN: Final = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"
NAME_PATTERN: Final = "^(?:[^\\x00-\\x20&=;,*]{1,128}[*]?|[*])$"
METHOD_PATTERN: Final = "^(?!CONNECT$|TRACE$)[A-Z]{1,20}$"
BY_PATTERN: Final = "^(?:ip|key|worker|header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})$"
ORIGIN_PATTERN: Final = (
    r"^(?:\*|[a-z][a-z0-9+.-]*://(?:(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?)$"
)
EXPORT_PATTERN: Final = "^[A-Za-z_$][A-Za-z0-9_$]{0,63}$"
STATUS_PATTERN: Final = "^(?:[45][0-9][0-9]|4xx|5xx)$"
LABEL_TEXT: Final = matching(names.LABEL.pattern, "a name: a-z, 0-9, dash and underscore, up to 63")

_BINDING_NAMES: Final[dict[str, tuple[BindingKind, re.Pattern[str]]]] = {
    "database": ("database", names.LABEL),
    "kv": ("kv", names.LABEL),
    "bucket": ("bucket", names.BUCKET),
    "site": ("site", names.LABEL),
    "service": ("service", names.LABEL),
}
BINDING_SCHEMA: Final[JsonSchema] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        key: {"type": "string", "pattern": f"^(?:{pattern.pattern})$"} for key, (_, pattern) in _BINDING_NAMES.items()
    },
}
_CRON_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DEFAULT_PORTS: Final = (("http://", ":80"), ("https://", ":443"))


@dataclass(frozen=True)
class Entry:
    """The worker's main file."""

    def read(self, value: Any, at: At) -> str:
        path = PurePosixPath(value) if isinstance(value, str) and value.isprintable() else None
        if path is None or path.is_absolute() or ".." in path.parts or path.suffix not in ENTRY_SUFFIXES:
            at.fault(f"must be a file in the served folder, relative to it ({', '.join(ENTRY_SUFFIXES)})")
            return ""
        return path.as_posix()

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"\.(?:ts|tsx|mts|js|jsx|mjs)/?$"}


@dataclass(frozen=True)
class Net:
    """`permissions.net`."""

    def read(self, value: Any, at: At) -> Literal["public", "none"] | tuple[str, ...]:
        if value == "public":
            return "public"
        if value == "none" or value == []:
            return "none"
        if not isinstance(value, list) or len(value) > MAX_NET_ENTRIES:
            at.fault(f'must be "public", "none", or a list of up to {MAX_NET_ENTRIES} hosts')
            return "none"
        hosts: list[str] = []
        for entry in value:
            try:
                hosts.append(read_host(entry))
            except ValueError as error:
                at.fault(f"{entry!r:.80} {error}", joined=": ")
        return tuple(dict.fromkeys(hosts))

    def schema(self) -> JsonSchema:
        return {
            "anyOf": [
                {"enum": ["public", "none"]},
                {"type": "array", "maxItems": MAX_NET_ENTRIES, "items": {"type": "string"}},
            ]
        }


@dataclass(frozen=True)
class Params:
    """A JSON Schema: written out, or the name of a file that has it."""

    def read(self, value: Any, at: At) -> str:
        try:
            return check_schema(self._from_file(value, at) if isinstance(value, str) else value)
        except (BadSchema, ValueError) as error:
            at.fault(str(error))
        except OSError as error:
            at.fault(f"names a file that cannot be read: {error.strerror or error}")
        return ""

    def _from_file(self, name: str, at: At) -> Any:
        if not name.endswith(".json"):
            raise ValueError("must be a JSON Schema, or the name of a .json file beside the manifest")
        text = _file_text(name, at, MAX_BYTES)
        try:
            return jsonc.parse(text)[0]
        except jsonc.JsonSyntaxError as error:
            raise ValueError(f"names {name:.80}, which is no JSON: line {error.line}: {error.message}") from None

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "string", "pattern": r"\.json$"}, {"type": "object"}, {"type": "boolean"}]}


def check_schema_table(schema: ParamsSchema, at: At) -> None:
    if schema.params and schema.export:
        at.fault("has params and an export: one of the two says what params must look like")


def read_export(value: str) -> str:
    if not re.fullmatch(EXPORT_PATTERN, value):
        raise ValueError("must be the name of an export of the worker")
    return value


def read_variable(name: str, value: Any, at: At) -> str:
    for fault in env_faults(name, value):
        at.fault(fault)
    return value if isinstance(value, str) else ""


def read_variable_name(name: str) -> str:
    if faults := name_faults(name):
        raise ValueError(faults[0])
    return name


def read_binding(name: str, value: Any, at: At) -> EnvBinding:
    """`NAME = { database | kv | bucket | site = "name" }`: what `env.NAME` is in the worker."""
    for fault in name_faults(name):
        at.fault(fault)
    wanted = 'must be { database = "name" }, { kv = "name" }, { bucket = "name" } or { site = "name" }'
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _BINDING_NAMES:
        at.fault(wanted)
        return EnvBinding(kind="kv", name="")
    ((key, bound),) = value.items()
    kind, pattern = _BINDING_NAMES[key]
    if not isinstance(bound, str) or not pattern.fullmatch(bound):
        at.fault(f"names a {kind} {bound!r:.80}: that is no name of one")
        return EnvBinding(kind=kind, name="")
    return EnvBinding(kind=kind, name=bound)


def read_origin(value: str) -> str:
    """An origin as browsers write it in `Origin`, so that comparing is enough."""
    if value == "null":
        raise ValueError('is what every sandboxed page and file has for an origin; use "*" if any page may call')
    if len(value) > 300 or not re.fullmatch(ORIGIN_PATTERN, value):
        raise ValueError('must be an origin in lower case, like https://example.com or https://*.example.com, or "*"')
    for scheme, port in _DEFAULT_PORTS:
        if value.startswith(scheme) and value.endswith(port):
            raise ValueError(f"has the port {port[1:]}, which browsers leave out")
    return value


def check_cors(cors: Cors, at: At) -> None:
    if "*" in cors.origins and cors.credentials:
        (at / "credentials").fault("cannot be true with the origin *: any page could act as whoever looks at it")
    if not cors.origins:
        (at / "origins").fault("is empty: name an origin, or leave [cors] out")


def read_method(value: str) -> str:
    if not re.fullmatch(METHOD_PATTERN, value):
        raise ValueError("must be a method in capitals, like GET")
    return value


def read_header_name(value: str) -> str:
    if not re.fullmatch(HEADER_PATTERN, value):
        raise ValueError("is no name of a header")
    return value.lower()


def read_name_pattern(value: str) -> str:
    """A name, or the beginning of names with a `*` behind."""
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError("is no name; `*` may stand at its end only")
    return value


def read_by(value: str) -> str:
    if not re.fullmatch(BY_PATTERN, value):
        raise ValueError('must be "ip", "key", "worker" or "header:<Name>"')
    return value.lower()


def read_network(value: str) -> str:
    """An address or a range in its plain form."""
    try:
        network = ipaddress.ip_network(value, strict=True)
    except ValueError as error:
        raise ValueError(f"is no address or range, like 203.0.113.7 or 10.0.0.0/8: {error}") from None
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise ValueError("is an IPv4 address in IPv6 clothes: write it as IPv4")
    return str(network)


def read_cron(value: str) -> str:
    from cronsim import CronSim, CronSimError  # only boxes that have a schedule need it

    line = _CRON_ALIASES.get(value.strip().lower(), " ".join(value.split()))
    if len(line) > 200:
        raise ValueError("is longer than 200 characters")
    try:
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except StopIteration:
        raise ValueError("never comes") from None
    except (CronSimError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"is no cron line: {error}") from None
    return line


def read_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise ValueError("must be an IANA time zone, like Europe/Berlin") from None
    return value


def read_backoff(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 3_600_000:
        raise ValueError("must be a whole number from 0 to 3600000")
    return value


def read_error_page(status: str, value: Any, at: At) -> ErrorPage:
    nothing = ErrorPage(file="", text="")
    if not re.fullmatch(STATUS_PATTERN, status):
        at.fault("is no status of an error: 400 to 599, 4xx or 5xx")
        return nothing
    if not isinstance(value, str) or PurePosixPath(value).suffix not in (".html", ".json"):
        at.fault("must be the name of a .html or .json file beside the manifest")
        return nothing
    try:
        text = _file_text(value, at, MAX_PAGE_BYTES)
        if value.endswith(".json"):
            jsonc.parse(text)
        return ErrorPage(file=value, text=text)
    except jsonc.JsonSyntaxError as error:
        at.fault(f"names {value:.80}, which is no JSON: line {error.line}: {error.message}")
    except OSError as error:
        at.fault(f"names {value:.80}, which cannot be read: {error.strerror or error}")
    except ValueError as error:
        at.fault(str(error))
    return nothing


def _file_text(name: str, at: At, most: int) -> str:
    path = PurePosixPath(name)
    if not name.isprintable() or path.is_absolute() or ".." in path.parts or len(name) > 500:
        raise ValueError("must name a file beside the manifest, relative to it")
    data = at.read_file(name)
    if len(data) > most:
        raise ValueError(f"names {name:.80}, which is longer than {most // 1024} KB")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"names {name:.80}, which is no text") from None
