"""How a policy refuses: errors with a stable code, the headers that HTTP has for each, and what a program can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from v8box.errors import V8BoxError

HeaderList = list[tuple[bytes, bytes]]

CORS_ANSWERS: Final = frozenset(
    {
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-allow-methods",
        b"access-control-allow-headers",
        b"access-control-expose-headers",
        b"access-control-max-age",
    }
)
CORS_NAMES: Final = CORS_ANSWERS | {b"vary"}
"""What an answer says of CORS."""


class Refused(V8BoxError):
    """The request was refused."""

    status = 403
    code = "refused"

    def __init__(
        self, detail: str | None = None, *, headers: HeaderList | None = None, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.headers: HeaderList = headers or []
        self.fields: Mapping[str, Any] = fields or {}


class Preflight(Refused):
    """A browser asked whether it may, and this says so: no refusal, but the end of the request all the same."""

    status = 204
    code = "preflight"


class IpNotAllowed(Refused):
    """This worker does not answer your address."""

    code = "ip_not_allowed"


class MethodRefused(Refused):
    """This worker does not answer this method."""

    status = 405
    code = "method_not_allowed"


class OriginNotAllowed(Refused):
    """Pages of this origin may not call this worker: its manifest does not name the origin in cors.origins."""

    code = "origin_not_allowed"


class KeyMissing(Refused):
    """This worker needs an API key: send it as Authorization: Bearer, or as X-API-Key."""

    status = 401
    code = "api_key_missing"


class KeyInvalid(Refused):
    """The API key is not valid: it is mistyped, was deleted, or belongs to another project."""

    status = 401
    code = "api_key_invalid"


class KeyExpired(Refused):
    """The API key has expired."""

    status = 401
    code = "api_key_expired"


class KeyScope(Refused):
    """The API key does not open this."""

    code = "api_key_scope"


class RateLimited(Refused):
    """Too many requests."""

    status = 429
    code = "rate_limited"


class RateLimitUnavailable(Refused):
    """Requests cannot be counted at the moment, and this worker answers none that is not counted. Try again shortly."""

    status = 503
    code = "rate_limit_unavailable"


class BodyTooLarge(Refused):
    """The request body is longer than this worker accepts."""

    status = 413
    code = "payload_too_large"


class BadParams(Refused):
    """The request body cannot be read."""

    status = 400
    code = "bad_params"


class SchemaMismatch(Refused):
    """The params do not fit what this worker takes; `errors` says where."""

    status = 422
    code = "schema"
