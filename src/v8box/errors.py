"""Every error V8Box raises on purpose, and the closed list of reasons for which a sandbox dies.

A class's docstring is its default message. `status` is the HTTP status a caller sees, `code` the stable word that
clients may test for. Status 500 means a bug of ours. Library errors are wrapped where the library is used.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class StopReason(StrEnum):
    """Why a sandbox died, or a run was ended before it finished. The same word in log, metric, header and screen."""

    IDLE = "idle"  # no run for longer than the idle time
    REPLACED = "replaced"  # a newer version went live
    REMOVED = "removed"  # the worker was removed
    RECYCLED = "recycled"  # after its share of requests, age or memory growth
    EVICTED = "evicted"  # the box needed its memory for another worker
    SHUTDOWN = "shutdown"  # the box is stopping
    WALL = "wall"  # the run took longer than limits.wall_ms
    CPU = "cpu"  # the run used more processor time than limits.cpu_ms
    MEMORY = "memory"  # heap and buffers outgrew limits.memory_mb
    LOG_BYTES = "log_bytes"  # it kept on writing far beyond limits.log_kb
    RESPONSE_BYTES = "response_bytes"  # the response outgrew limits.response_mb
    SUBREQUESTS = "subrequests"  # it kept on calling out far beyond limits.subrequests
    STARTUP = "startup"  # the module did not finish loading, or threw while it loaded
    PROTOCOL = "protocol"  # it wrote something on its channel that no shim writes
    EXIT = "exit"  # it called Deno.exit() or process.exit()
    CRASH = "crash"  # the process ended and none of the above explains it
    CLIENT_GONE = "client_gone"  # the caller went away (ends a run, never a sandbox)


class V8BoxError(Exception):
    """Something went wrong inside V8Box."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").strip().partition("\n\n")[0].split())
        super().__init__(self.detail)


class BadRequest(V8BoxError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class NotFound(V8BoxError):
    """There is nothing at this address."""

    status = 404
    code = "not_found"


class MethodNotAllowed(V8BoxError):
    """This method is not answered here."""

    status = 405
    code = "method_not_allowed"


class OnlyRead(MethodNotAllowed):
    """This address answers GET and HEAD."""


class RequestTimeout(V8BoxError):
    """The request body did not arrive in time."""

    status = 408
    code = "request_timeout"


class PayloadTooLarge(V8BoxError):
    """The request body is larger than the box accepts."""

    status = 413
    code = "payload_too_large"


class UriTooLong(V8BoxError):
    """The address is longer than the box accepts."""

    status = 414
    code = "uri_too_long"


class HeadersTooLarge(V8BoxError):
    """The request headers are larger than the box accepts."""

    status = 431
    code = "headers_too_large"


class NoCapacity(V8BoxError):
    """No sandbox became free in time. Try again shortly."""

    status = 503
    code = "no_capacity"


class MissingVariables(V8BoxError):
    """The worker requires variables that nobody has set."""

    status = 503
    code = "missing_variables"


class SettingsError(V8BoxError):
    """The settings have faults; all of them are listed."""

    code = "settings"


class MountedWorkerMissing(V8BoxError):
    """The site leaves this path to a worker that is not deployed: deploy it, or take its mount off."""

    status = 502
    code = "mounted_worker_missing"

    def __init__(self, key: str) -> None:
        worker = key.partition("@")[0].rpartition(":")[2]
        super().__init__(f"The site leaves this path to the worker {worker}, which is not deployed: deploy it.")
