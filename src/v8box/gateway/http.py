"""The HTTP server under the gateway: Granian, embedded, on one address that nobody else listens on."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from v8box.errors import V8BoxError
from v8box.settings import Requests

_BACKLOG: Final = 2048
_MAX_CONNECTIONS: Final = 1 << 16


class AddressInUse(V8BoxError):
    """Another program listens on this address."""

    code = "address_in_use"


def http_server(application: Any, host: str, port: int, requests: Requests) -> Server:
    """A server for an ASGI application; `serve()` runs it until `stop()`."""
    # hyper refuses a longer head by itself (431), with some room so that our own answer comes first
    head_bytes = max(65_536, 2 * (requests.max_header_bytes + requests.max_url_bytes))
    return Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        backlog=_BACKLOG,
        backpressure=_MAX_CONNECTIONS,
        http1_settings=HTTP1Settings(max_buffer_size=head_bytes),
        log_enabled=False,
    )


def allow_many_files() -> None:
    """A connection is an open file, and the usual soft limit is 1024. What the box starts sets its own limits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, _MAX_CONNECTIONS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port(host: str, port: int) -> int:
    """The port to listen on; the kernel's choice for 0. The server shares ports (SO_REUSEPORT), so one in use must be
    noticed here. Raises `AddressInUse`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: "another program listens there; stop it, or set PORT to another port",
                errno.EACCES: "ports below 1024 need more rights; set PORT to another port",
                errno.EADDRNOTAVAIL: "this machine does not have that address; set V8BOX_HOST",
            }
            reason = reasons.get(error.errno or 0, os.strerror(error.errno or 0))
            raise AddressInUse(f"Cannot listen on {host}:{port}: {reason}.") from error
        return int(probe.getsockname()[1])
