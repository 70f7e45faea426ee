"""Readers: each turns a raw value (text from the environment, a TOML value from the file) into a setting.

They raise `ValueError` with what is wanted. None of them repeats the value: `load` does, where it is no secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from v8box.kit.keys import parse_key
from v8box.kit.sentry_dsn import BadDsn, parse_dsn
from v8box.settings.values import Secret, ServerUrl

T = TypeVar("T")
Reader = Callable[[Any], T]


def whole_number(low: int, high: int) -> Reader[int]:
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


def seconds(low: float, high: float) -> Reader[float]:
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


def yes_or_no(raw: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    value = words.get(raw.strip().lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("must be a text that is not empty")
    if not raw.isprintable():
        raise ValueError("must not hold control characters")
    return raw.strip()


def secret(raw: Any) -> Secret:
    return Secret(text(raw))


def long_secret(raw: Any) -> Secret:
    """One that nobody can guess."""
    if not isinstance(raw, str) or len(raw) < 20 or not raw.isascii() or not raw.isprintable() or " " in raw:
        raise ValueError("must have at least 20 letters, digits or signs, without spaces")
    return Secret(raw)


def password(raw: Any) -> Secret:
    if not isinstance(raw, str) or len(raw) < 8:
        raise ValueError("must have at least 8 characters")
    return Secret(raw)


def key_256(raw: Any) -> Secret:
    if not isinstance(raw, str):
        raise ValueError("must be a text")
    parse_key(raw)
    return Secret(raw.strip())


def domain(raw: Any) -> str:
    name = text(raw).lower().rstrip(".")
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name) or re.fullmatch(r"[0-9.]+", name):
        raise ValueError("must be a bare domain name such as example.com: no scheme, port or path")
    return name


def bind_address(raw: Any) -> str:
    address = text(raw)
    if address == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ValueError("must be an IP address of this machine: 127.0.0.1, 0.0.0.0, ::, …") from None


def networks(raw: Any) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    parts = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of addresses or networks such as 10.0.0.0/8")
    try:
        return tuple(ipaddress.ip_network(part) for part in parts if part)
    except ValueError:
        raise ValueError("must be a list of addresses or networks such as 10.0.0.0/8") from None


def places(raw: Any) -> tuple[str, ...]:
    """Host names, with a port or without, and absolute paths; `none` is none."""
    wanted = "must be a list of host names, with a port or without, and of absolute paths"
    parts = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError(wanted)
    if parts == ["none"]:
        return ()
    found = tuple(dict.fromkeys(part for part in parts if part))
    label = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    for part in found:
        match = re.fullmatch(rf"{label}(\.{label})*(:([0-9]{{1,5}}))?", part)
        if not part.startswith("/") and (match is None or not 0 < int(match[5] or 443) < 65_536):
            raise ValueError(wanted)
    if len(found) > 20:
        raise ValueError("must be a list of 20 at most")
    return found


def mail_address(raw: Any) -> str:
    value = text(raw)
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}", value):
        raise ValueError("must be an e-mail address such as box@example.com")
    return value


def server_url(*schemes: str, login: bool = False) -> Reader[ServerUrl]:
    """`login`: whether the address may hold a user and a password."""

    def read(raw: Any) -> ServerUrl:
        wanted = f"must be an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        value = text(raw)
        parts = _split_url(value)
        if (
            parts is None
            or parts.scheme not in schemes
            or not (parts.hostname or (parts.scheme == "unix" and parts.path))
        ):
            raise ValueError(wanted)
        if not login and parts.username is not None:
            raise ValueError("must not hold a user or a password: they have settings of their own")
        return ServerUrl(value)

    return read


def _split_url(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts


def sentry_dsn(raw: Any) -> Secret:
    try:
        parse_dsn(text(raw))
    except BadDsn as error:
        raise ValueError(f"must be a DSN, https://<key>@<host>/<project>: {error}") from None
    return Secret(text(raw).strip())


def template(*names: str) -> Reader[str]:
    """A path with any of these names in braces, all of which stand for parts without a slash."""

    def read(raw: Any) -> str:
        value = text(raw).strip("/")
        plain = value
        for name in names:
            plain = plain.replace(f"{{{name}}}", "x")
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", plain) or {".", "..", ""} & set(plain.split("/")):
            more = "".join(f", {{{name}}}" for name in names)
            raise ValueError(f"must be a path of letters, digits, . _ - and /{more}")
        return value

    return read


def ratio(raw: Any) -> float:
    wanted = "must be a number from 0 to 1"
    if isinstance(raw, str):
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", raw.strip()):
            raise ValueError(wanted)
        raw = float(raw)
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not 0 <= raw <= 1:
        raise ValueError(wanted)
    return float(raw)


def header_list(raw: Any) -> Secret:
    """Headers as OpenTelemetry writes them: `name=value,name=value`, values percent-encoded."""
    value = text(raw)
    for part in value.split(","):
        name, equals, content = part.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip()):
            raise ValueError("must be headers: name=value, separated by commas, values percent-encoded")
        if not unquote(content).isprintable() or not unquote(content).isascii():
            raise ValueError("must have header values of printable ASCII characters")
    return Secret(value)


def bucket(raw: Any) -> str:
    name = text(raw)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name) or ".." in name:
        raise ValueError("must be a bucket name: 3 to 63 of a-z, 0-9, dot and dash")
    return name


def cdn_kind(raw: Any) -> Literal["cloudflare", "bunny"]:
    value = text(raw).lower()
    if value == "cloudflare":
        return "cloudflare"
    if value == "bunny":
        return "bunny"
    raise ValueError("must be cloudflare or bunny")


def cdn_zone(raw: Any) -> str:
    """It stands in the path of a request."""
    value = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else text(raw)
    if not re.fullmatch(r"[A-Za-z0-9]{1,64}", value):
        raise ValueError("must be the id of a zone: letters and digits")
    return value
