"""Every error as (status, code, message, details): one table for the whole admin API.

A binding's own code words stay as they are (`SQLITE_CONSTRAINT_UNIQUE`, `no_such_bucket`); `status_of` gives each its
HTTP status. Of what is a bug of ours a caller learns only that there was one; the log has it. Below /api an error is
answered as problem details (RFC 9457), below /admin in the founding product's envelope.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from v8box.api.envelope import error_body
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError

_log: Final = logging.getLogger(__name__)

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), status)
    for pattern, status in (
        (r".*_not_found|no_such_.*", 404),
        (r".*_exists|.*_not_empty|bucket_required|database_deleted|transaction_closed", 409),
        (r"sqlite_constraint(_(unique|primarykey|rowid|foreignkey|trigger))?", 409),
        (r"precondition_failed", 412),
        (r".*_too_large|sqlite_toobig|entity_too_.*", 413),
        (r"invalid_range", 416),
        (r"too_many_.*", 429),
        (r"no_space|quota.*|.*_quota.*|sqlite_full|sqlite_nomem", 507),
        (r"not_available", 501),
        (r"access_denied|db_unauthorized", 502),  # a server behind the box refuses it
        (r"sqlite_interrupt|.*_timeout|timeout|deadline.*|transaction_expired", 504),
        (r"engine_.*|sqlite_(busy|locked)(_.*)?|not_ready|.*unavailable|.*overloaded|queue_full|server_.*", 503),
        (r"io_error|newer_index|internal|sqlite_(ioerr|corrupt|notadb|cantopen|misuse|nolfs|protocol)(_.*)?", 500),
    )
)
"""The first that matches the whole code counts. What matches none is the caller's fault: bad SQL, bad input."""

_WORDS: Final = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


class Failure(NamedTuple):
    """An error as a caller sees it."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any] | None = None
    faults: Sequence[Mapping[str, str]] = ()
    """What is wrong with the request, field by field; problem details have it as `errors`."""
    retry_after: int | None = None
    """Seconds after which to try again."""

    @property
    def headers(self) -> dict[str, str]:
        seconds = 1 if self.retry_after is None and self.status in (429, 503) else self.retry_after
        return {} if seconds is None else {"retry-after": str(seconds)}


def is_problem(path: str) -> bool:
    """Whether errors at this address are problem details; else they are in the envelope."""
    return path == "/api" or path.startswith("/api/")


def media_type(path: str) -> str:
    """The content type of errors at this address."""
    return "application/problem+json" if is_problem(path) else "application/json"


def body_of(failure: Failure, path: str, request_id: str | None) -> bytes:
    """The error as the address answers it."""
    if not is_problem(path):
        return error_body(failure.message, failure.code, failure.details)
    return msgspec.json.encode(problem(failure, request_id))


def problem(failure: Failure, request_id: str | None = None) -> dict[str, Any]:
    """The error as problem details."""
    fields: dict[str, Any] = {
        "type": f"urn:v8box:error:{failure.code}",
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "detail": failure.message,
        "code": failure.code,
    }
    if request_id is not None:
        fields["request_id"] = request_id
    if failure.faults:
        fields["errors"] = list(failure.faults)
    return {**(failure.details or {}), **fields}


def status_of(code: str) -> int:
    """The HTTP status of a binding's code word."""
    return next((status for rule, status in _RULES if rule.fullmatch(code)), 400)


def describe(error: BaseException) -> Failure:
    """What a caller is told of any error. Logs what nobody raised on purpose."""
    match error:
        case BindingError():
            details = {name: value for name, value in (error.details or {}).items() if isinstance(value, int | str)}
            return Failure(status_of(error.code), error.code, error.message, details)
        case V8BoxError() if error.status < 500 or error.status in (503, 504, 507):
            return Failure(
                error.status, error.code, error.detail, _details(error), retry_after=getattr(error, "retry_after", None)
            )
        case _:
            _log.error("The admin API failed", exc_info=error)
            return Failure(500, "internal", "Something went wrong inside V8Box; its log has it.")


def describe_status(status: int, detail: str) -> Failure:
    """What the framework refuses by itself: an unknown address, a method that is not answered."""
    if status == 404:
        detail = "There is nothing at this address; /api/v1/openapi.json lists what there is."
    if status == 405:
        detail = "This address does not answer this method; /api/v1/openapi.json lists those it does."
    return Failure(status, _WORDS.get(status, "bad_request" if status < 500 else "internal"), detail)


def describe_invalid(faults: Sequence[Mapping[str, Any]]) -> Failure:
    """A request that does not fit its schema: each fault with where it is."""
    first = faults[:10]
    told = [f"{_place(fault['loc'])}: {_sentence(str(fault['msg']))}" for fault in first]
    more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""
    return Failure(400, "bad_request", "; ".join(told) + more, faults=[_fault(each) for each in first])


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    """One fault of a request: a JSON pointer into the body, or the name of a parameter and where it is."""
    where, *path = fault["loc"] or ("request",)
    detail = _sentence(str(fault["msg"]))
    if where == "body":
        if fault.get("type") == "json_invalid":  # then the place is a number of characters
            path = []
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
        return {"in": "body", "pointer": f"#{pointer}", "detail": detail}
    return {"in": str(where), "parameter": ".".join(map(str, path)), "detail": detail}


def _details(error: V8BoxError) -> Mapping[str, Any] | None:
    """What a program can use of it: whatever plain attributes its class adds, and its `diagnostics`."""
    found = {
        name: value
        for name, value in vars(error).items()
        if name == "diagnostics" or (isinstance(value, int | float | str) and name != "detail")
    }
    return found or None


def _place(location: Sequence[str | int]) -> str:
    """("body", "columns", 0, "name") as `columns[0].name`."""
    where, *path = location or ("request",)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return text if path and where == "body" else f"{where} {text}".strip()


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
