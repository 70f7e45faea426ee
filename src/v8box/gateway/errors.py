"""Error answers: problem details (RFC 9457), or the envelope for callers of a V8Box handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from v8box.catalog.projects.quotas import DailyQuotaExceeded
from v8box.catalog.variables import VariablesUnavailable
from v8box.errors import MissingVariables, MountedWorkerMissing, NoCapacity, OnlyRead, StopReason, V8BoxError
from v8box.gateway.policies.refusals import Refused
from v8box.sandbox.interface import Death, RunFailed, RunKilled, StartupFailed

_encode = msgspec.json.encode

CLIENT_GONE_STATUS = 499
"""For the record only: nobody is there to read it."""

_STATUS = {
    StopReason.WALL: 504,
    StopReason.CPU: 503,
    StopReason.MEMORY: 503,
    StopReason.LOG_BYTES: 503,
    StopReason.EVICTED: 503,
    StopReason.SHUTDOWN: 503,
    StopReason.CLIENT_GONE: CLIENT_GONE_STATUS,
}
"""What a death means to the caller; those not listed mean 502, the worker died before answering."""

_RETRY_AFTER = b"1"


class ErrorAnswer:
    """Status, headers and body of an error, ready to be sent. `workers_own`: the worker chose status and words."""

    __slots__ = ("body", "headers", "reason", "status", "workers_own")

    def __init__(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        reason: str | None,
        workers_own: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.reason = reason
        self.workers_own = workers_own


def timestamp() -> str:
    """Now, as the envelope has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer(error: Exception, request_id: str, *, envelope: bool) -> ErrorAnswer:
    """The answer to a failed request. `envelope`: the caller talks to a V8Box handler. Never tells a stack or an inner
    detail: of an unexpected exception only that there was one."""
    status, title, detail, reason, more = _describe(error, envelope=envelope)
    headers: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id.encode())]
    if isinstance(error, Refused):
        headers += error.headers
        if status == 204:
            return ErrorAnswer(status, headers, b"", None)
    elif isinstance(error, DailyQuotaExceeded):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    elif isinstance(error, OnlyRead):
        headers.append((b"allow", b"GET, HEAD"))
    elif status in (429, 503):
        headers.append((b"retry-after", _RETRY_AFTER))
    if reason is not None:
        headers.append((b"x-v8box-termination", reason.encode()))
    if envelope:
        content_type = b"application/json; charset=utf-8"
        fields: dict[str, Any] = {"success": False, "error": detail, "timestamp": timestamp()}
        if reason is not None:
            fields |= {"reason": reason, "request_id": request_id, **more}
    else:
        content_type = b"application/problem+json"
        fields = {"type": f"urn:v8box:error:{title}", "title": _title(status), "status": status, "detail": detail}
        if reason is not None:
            fields["reason"] = reason
        else:
            fields["code"] = error.code if isinstance(error, Refused) else title  # as the admin API has it
        fields |= {"request_id": request_id, **more}
    headers.append((b"content-type", content_type))
    workers_own = isinstance(error, RunFailed) and error.status is not None and not error.caller
    return ErrorAnswer(status, headers, _encode(fields), reason, workers_own)


def _title(status: int) -> str:
    """The status in words; a worker may throw one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Error" if status < 500 else "Server Error"


def _describe(error: Exception, *, envelope: bool) -> tuple[int, str, str, str | None, Mapping[str, Any]]:
    """status, stable word, detail, stop reason, and what more a program can use: limit and used."""
    match error:
        case Refused():
            return error.status, error.code, error.detail, None, error.fields
        case RunFailed():
            if error.caller:
                return error.status or 400, "bad_params", error.message, None, {}
            if error.status is not None:
                return error.status, "worker", error.message, None, {}
            # The envelope's contract is to say what went wrong; elsewhere a message is the worker's own business.
            detail = error.message or error.name if envelope else "The worker threw an exception; its log has it."
            return 500, "exception", detail, None, {}
        case RunKilled():
            return _describe_death(error.death)
        case StartupFailed():
            if error.death is not None and error.death.reason is not StopReason.STARTUP:
                return _describe_death(error.death)
            return 502, "startup", "The worker could not be started; its log says why.", StopReason.STARTUP, {}
        case NoCapacity() | VariablesUnavailable() | MissingVariables() | MountedWorkerMissing():
            return error.status, error.code, error.detail, None, {}
        case DailyQuotaExceeded():
            return error.status, error.code, error.detail, None, {"limit": error.limit, "used": error.used}
        case V8BoxError():
            detail = error.detail if error.status < 500 else "Something went wrong inside V8Box."
            return error.status, error.code, detail, None, {}
        case _:
            return 500, "internal", "Something went wrong inside V8Box.", None, {}


def _describe_death(death: Death) -> tuple[int, str, str, str | None, dict[str, float]]:
    more = {}
    if death.limit is not None:
        more["limit"] = death.limit
    if death.used is not None:
        more["used"] = death.used
    detail = f"The worker was stopped: {death.detail}."
    return _STATUS.get(death.reason, 502), str(death.reason), detail, str(death.reason), more
