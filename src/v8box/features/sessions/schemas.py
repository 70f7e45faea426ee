"""What the routes of sign-in take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from v8box.api.auth.users import OWNER_NAME
from v8box.api.v1 import Shape

_CODE = "Of the authenticator app, or a recovery code."


class SessionStart(Shape):
    """What somebody signs in with."""

    username: str = Field(default=OWNER_NAME, max_length=100)
    password: str = Field(max_length=1_024)
    code: str | None = Field(default=None, max_length=100, description=f"{_CODE} Where there is a second factor.")


class SessionInfo(BaseModel):
    """A session as lists show it."""

    id: str
    created_at: str
    used_at: str = Field(description="Exact to a minute.")
    expires_at: str = Field(description="When it ends unless it is used before.")
    address: str | None
    user_agent: str | None
    current: bool = Field(description="Whether it is the one that asks.")


class Myself(BaseModel):
    """Whoever asks."""

    kind: str = Field(description="`user` with a session, `token`, or `local`: the operator on the box's machine.")
    user: dict[str, Any] | None = Field(description="`id`, `name`, `email`; `null` for the local operator.")
    roles: dict[str, str] = Field(description="By project; `*` is everywhere.")
    scopes: list[str]
    project: str | None = Field(description="The one project that a token is confined to.")
    projects: list[str] = Field(description="Those that can be seen.")
    session: SessionInfo | None
    must_change_password: bool
    second_factor: bool


class PasswordChange(Shape):
    """A new password for oneself."""

    present: str = Field(max_length=1_024)
    password: str = Field(max_length=1_024, description="10 characters or more.")


class PasswordOnly(Shape):
    """The password once more, for what a stolen session must not be able to do."""

    password: str = Field(max_length=1_024)


class CodeOnly(Shape):
    """A code of the authenticator app."""

    code: str = Field(max_length=100)


class EnrolmentInfo(BaseModel):
    """What an authenticator app is given."""

    secret: str = Field(description="To type in by hand.")
    uri: str = Field(description="`otpauth://…`, to show as a QR code.")


class RecoveryCodes(BaseModel):
    """Codes for when the phone is gone. Each works once; they are shown this once."""

    recovery_codes: list[str]


class SecondFactorInfo(BaseModel):
    """Whether there is a second factor."""

    active: bool
    recovery_codes_left: int
