"""The session's cookie. Over TLS its name begins with `__Host-`: a browser then takes it from the admin's own host
only, so that a site below the same domain cannot put one of its own there."""

from __future__ import annotations

from typing import Final

_NAME: Final = "v8box_session"
_ATTRIBUTES: Final = "Path=/; HttpOnly; SameSite=Lax"


def cookie_name(scheme: str) -> str:
    return f"__Host-{_NAME}" if scheme == "https" else _NAME


def session_secrets(cookies: str, scheme: str) -> list[str]:
    """The values of the session's cookie in a Cookie header; more than one is somebody's trick."""
    wanted = cookie_name(scheme)
    found: dict[str, None] = {}
    for part in cookies.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted and value:
            found[value.strip('"')] = None
    return list(found)


def session_cookie(secret: str, scheme: str, max_age_seconds: float) -> str:
    """A Set-Cookie header."""
    return f"{cookie_name(scheme)}={secret}; Max-Age={int(max_age_seconds)}; {_attributes(scheme)}"


def clearing_cookie(scheme: str) -> str:
    """A Set-Cookie header that has the browser forget it."""
    return f"{cookie_name(scheme)}=; Max-Age=0; {_attributes(scheme)}"


def _attributes(scheme: str) -> str:
    return f"{_ATTRIBUTES}; Secure" if scheme == "https" else _ATTRIBUTES
