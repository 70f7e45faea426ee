"""What only somebody with a session of their own may do: change their password, and have a second factor.

A token is refused, and so is the local operator, who has no password. What weakens the account asks for the password
again.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from v8box.api.access import Forbidden, Principal, Scope, needs
from v8box.api.auth import Auth
from v8box.api.auth.users import User
from v8box.api.principals import PasswordChangeNeeded
from v8box.api.v1 import answer, no_content, router_v1, shows_secret
from v8box.features.sessions.login import client_of, set_session
from v8box.features.sessions.schemas import (
    CodeOnly,
    EnrolmentInfo,
    PasswordChange,
    PasswordOnly,
    RecoveryCodes,
    SecondFactorInfo,
)

Known = Annotated[Principal, needs(None)]
Changes = Annotated[Principal, needs(None, Scope.ADMIN)]


class SessionNeeded(Forbidden):
    """Sign in with your password for this: a token does not change how its user signs in."""

    code = "session_needed"


def build_account_router(auth: Auth) -> APIRouter:
    """The routes on one's own password and second factor."""
    routes = router_v1("/session", "session")
    factor = auth.second_factor

    @routes.put("/password", status_code=204)
    async def change_password(given: PasswordChange, request: Request, who: Changes) -> Response:
        """Sets another password. All sessions end; the answer's cookie is a new one."""
        user = await _user(auth, who)
        signed_in = await auth.accounts.change_password(
            user, given.present, given.password, client_of(request), who.actor
        )
        done = no_content()
        set_session(request, done, signed_in, auth.sessions.longest_seconds)
        return done

    @routes.get("/totp", response_model=SecondFactorInfo)
    async def read_second_factor(who: Known) -> Response:
        """Whether there is a second factor."""
        user = await _user(auth, who)
        return answer({"active": user.has_totp, "recovery_codes_left": await factor.codes_left(user)})

    @routes.post("/totp", response_model=EnrolmentInfo, status_code=201)
    @shows_secret
    async def enrol_second_factor(given: PasswordOnly, request: Request, who: Changes) -> Response:
        """A fresh secret for an authenticator app. It counts once a code of it was sent to /confirm."""
        user = await _settled(auth, who, given.password, request)
        made = await factor.enrol(user, who.actor)
        return answer({"secret": made.secret, "uri": made.uri}, 201)

    @routes.post("/totp/confirm", response_model=RecoveryCodes)
    @shows_secret
    async def confirm_second_factor(given: CodeOnly, who: Changes) -> Response:
        """From here on a sign-in needs a code. Shows the recovery codes, this once."""
        user = await _user(auth, who)
        return answer({"recovery_codes": await factor.confirm(user, given.code, who.actor)})

    @routes.post("/totp/recovery-codes", response_model=RecoveryCodes)
    @shows_secret
    async def renew_recovery_codes(given: PasswordOnly, request: Request, who: Changes) -> Response:
        """New recovery codes; the former ones end."""
        user = await _settled(auth, who, given.password, request)
        return answer({"recovery_codes": await factor.renew_codes(user, who.actor)})

    @routes.post("/totp/remove", status_code=204)
    async def remove_second_factor(given: PasswordOnly, request: Request, who: Changes) -> Response:
        """From here on the password is enough."""
        user = await _settled(auth, who, given.password, request)
        await factor.remove(user, who.actor)
        return no_content()

    return routes


async def _user(auth: Auth, who: Principal) -> User:
    if who.session is None or who.user is None:
        raise SessionNeeded
    return await auth.accounts.get(who.user)


async def _settled(auth: Auth, who: Principal, password: str, request: Request) -> User:
    """The user, their password checked once more; not one with a temporary password."""
    user = await _user(auth, who)
    if user.password_is_temporary:
        raise PasswordChangeNeeded
    await auth.sign_in.confirm_password(user, password, client_of(request))
    return user
