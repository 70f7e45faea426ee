"""Reading one entry of `permissions.net`: a public host, with a port or without."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def read_host(entry: Any) -> str:
    """A host as Deno's --allow-net takes it: `host`, `host:port`, `*.host` (and host itself), `1.2.3.4`, `[::1]`.

    Deno checks the address that a name resolves to; here is refused what can be seen to be private or to be a mistake.
    Raises `ValueError` with what is wrong.
    """
    if not isinstance(entry, str):
        raise ValueError("must be a text")
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@?#,]+)(?::([0-9]{1,5}))?", entry)
    if match is None:
        raise ValueError("must be a host, with a port or without: no scheme, path or range")
    host, port = match[1].lower(), match[2]
    if port is not None and not 1 <= int(port) <= 65_535:
        raise ValueError("has no port from 1 to 65535")
    if host.startswith("["):
        host = f"[{_public_address(host[1:-1])}]"
    elif _NUMERIC_LABEL.fullmatch(host.rsplit(".", 1)[-1]):
        host = _public_address(host)  # 127.1, 0x7f000001 and 2130706433 are addresses too, and are refused here
    else:
        _check_name(host)
    return host if port is None else f"{host}:{int(port)}"


def _public_address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("is no IP address in its plain form") from None
    mapped = getattr(address, "ipv4_mapped", None)
    if not address.is_global or address.is_multicast or mapped is not None:
        raise ValueError("is not a public address")
    return str(address)


def _check_name(host: str) -> None:
    labels = host.removeprefix("*.").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("is no host name (write international names in their xn-- form)")
    if len(labels) < 2 or labels[-1] in ("localhost", "local", "internal"):
        raise ValueError("is not a public host")
