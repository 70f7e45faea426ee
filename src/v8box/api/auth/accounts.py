"""Users and their roles: made, changed, removed, and who may do that to whom.

Nobody gives a role above their own, nor touches somebody who has one; the last owner stays. What takes something away
from somebody ends their sessions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from v8box.api.auth import users
from v8box.api.auth.passwords import Passwords, check_strength, make_password
from v8box.api.auth.second_factor import SecondFactor
from v8box.api.auth.sessions import Client, Sessions
from v8box.api.auth.sign_in import SignedIn, SignIn
from v8box.api.auth.users import OWNER_NAME, User, queries
from v8box.api.principals import EVERY_PROJECT, Forbidden, Principal, Role
from v8box.errors import V8BoxError
from v8box.storage import Database, Transaction
from v8box.storage.database import Value
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import MASK, Event, append

UNCHANGED: Final = object()


class LastOwner(V8BoxError):
    """This is the last owner of the box: make another one first."""

    status = 409
    code = "last_owner"


class PasswordFromEnvironment(V8BoxError):
    """ADMIN_PASSWORD sets this password at every start: change it there, and start the box again."""

    status = 409
    code = "password_from_environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody with a role in a project."""

    user_id: str
    name: str
    role: Role
    disabled: bool


class Accounts:
    """All users. Every change is written down in the audit log with it."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: Sessions,
        sign_in: SignIn,
        *,
        password_is_set: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`password_is_set`: whether ADMIN_PASSWORD is the password of the first owner."""
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._sign_in = sign_in
        self._password_is_set = password_is_set
        self._clock = clock

    # ---- looking

    async def get(self, name_or_id: str) -> User:
        """Raises `UserNotFound`."""
        return await self._database.read(lambda sql: users.get(sql, name_or_id))

    async def list(self, after: str = "", limit: int = 100) -> Sequence[User]:
        """By name, those after one."""
        return await self._database.read(lambda sql: users.listed(sql, after, limit))

    async def members(self, project: str, after: str = "", limit: int = 100) -> Sequence[Member]:
        """Who has a role in a project itself, by name; those who have one everywhere are not among them."""
        place: dict[str, Value] = {"project": project, "after": after, "limit": limit}
        rows = await self._database.read(lambda sql: sql.rows(queries["members_after"], place))
        return [
            Member(user_id=str(row[0]), name=str(row[1]), role=Role(int(str(row[2]))), disabled=bool(row[3]))
            for row in rows
        ]

    # ---- users

    async def create(
        self, by: Principal, name: str, *, password: str | None, email: str | None, roles: Mapping[str, Role]
    ) -> tuple[User, str | None]:
        """A new user, and the temporary password that was made up where none was given. Raises `UserExists`."""
        name, email = users.clean_name(name), users.clean_email(email)
        for project, role in roles.items():
            _may_give(by, project, role)
        made_up = None
        if password is None:
            password = made_up = make_password()
        else:
            check_strength(password, name)
        hashed = await self._passwords.hash(password)

        def write(sql: Transaction) -> User:
            made = users.insert(sql, name, hashed, self._clock(), email=email, temporary=made_up is not None)
            for project, role in roles.items():
                users.set_role(sql, made, project, role)
            made = users.get(sql, made.id)
            append(sql, _event("user.create", made, by.actor, after=users.shown(made)))
            return made

        return await self._database.write(write), made_up

    async def update(
        self,
        by: Principal,
        user_id: str,
        *,
        name: str | None = None,
        email: object = UNCHANGED,
        disabled: bool | None = None,
        expect: Callable[[User], None] = lambda _: None,
    ) -> User:
        """Changes what is given. `expect` is asked inside the transaction, and raises to prevent the change. Raises
        `UserNotFound`, `UserExists`, `LastOwner`."""
        name = None if name is None else users.clean_name(name)
        email = users.clean_email(email) if isinstance(email, str | None) else email

        def write(sql: Transaction) -> User:
            before = users.get(sql, user_id)
            expect(before)
            _may_change(by, before)
            after = replace(
                before,
                name=before.name if name is None else name,
                email=email if isinstance(email, str | None) else before.email,
                disabled=before.disabled if disabled is None else disabled,
            )
            if after == before:
                return before
            if after.name != before.name and users.find(sql, after.name) is not None:
                raise users.UserExists(f"There is a user {after.name} already.")
            if after.disabled and users.is_last_owner(sql, before):
                raise LastOwner
            row = {"id": after.id, "name": after.name, "email": after.email, "disabled": int(after.disabled)}
            sql.execute(queries["update_user"], row)
            if after.disabled:
                users.end_sessions(sql, after)
            shown = users.shown(before), users.shown(after)
            append(sql, _event("user.update", after, by.actor, before=shown[0], after=shown[1]))
            return after

        return await self._database.write(write)

    async def delete(self, by: Principal, user_id: str) -> None:
        """With the user go their sessions, tokens and roles. Raises `UserNotFound`, `LastOwner`."""

        def write(sql: Transaction) -> None:
            user = users.get(sql, user_id)
            _may_change(by, user)
            if users.is_last_owner(sql, user):
                raise LastOwner
            sql.execute(queries["delete_user"], {"id": user.id})
            append(sql, _event("user.delete", user, by.actor, before=users.shown(user)))

        await self._database.write(write)

    # ---- roles

    async def set_role(self, by: Principal, user_id: str, project: str, role: Role) -> User:
        """Gives a role in a project, or everywhere (`*`), in the place of the former one. Raises `Forbidden`,
        `LastOwner`."""
        _may_give(by, project, role)
        return await self._database.write(partial(self._change_role, by, user_id, project, role))

    async def remove_role(self, by: Principal, user_id: str, project: str) -> User:
        """Raises `Forbidden`, `LastOwner`."""
        return await self._database.write(partial(self._change_role, by, user_id, project, None))

    def _change_role(self, by: Principal, user_id: str, project: str, role: Role | None, sql: Transaction) -> User:
        user = users.get(sql, user_id)
        before = user.roles.get(project)
        _may_give(by, project, before)
        if before == role:
            return user
        if project == EVERY_PROJECT and role is not Role.OWNER and users.is_last_owner(sql, user):
            raise LastOwner
        if role is None:
            sql.execute(queries["delete_role"], {"user_id": user.id, "project": project})
        else:
            users.set_role(sql, user, project, role)
        if role is None or role < (before or 0):
            users.end_sessions(sql, user)
        event = Event(
            action="role.delete" if role is None else "role.set",
            resource=f"user/{user.name}",
            actor=by.actor,
            project=None if project == EVERY_PROJECT else project,
            before=None if before is None else before.word,
            after=None if role is None else role.word,
        )
        append(sql, event)
        return users.get(sql, user.id)

    # ---- passwords

    async def change_password(self, user: User, present: str, password: str, client: Client, actor: Actor) -> SignedIn:
        """One's own. All sessions end, and a new one begins. Raises `PasswordWrong`, `WeakPassword`."""
        self._refuse_if_set(user)
        checked = await self._sign_in.confirm_password(user, present, client)
        check_strength(password, user.name)
        hashed = await self._passwords.hash(password)

        def write(sql: Transaction) -> SignedIn:
            now = users.get(sql, user.id)
            if users.password_hash(sql, user.id) != checked or now.disabled:
                raise Forbidden("The account was changed meanwhile. Sign in again.")
            users.set_password(sql, now, hashed, temporary=False)
            users.end_sessions(sql, now)
            now = users.get(sql, user.id)
            session, secret = self._sessions.begin(sql, now, client)
            append(sql, _event("user.password", now, actor, before=MASK, after=MASK))
            return SignedIn(user=now, session=session, secret=secret)

        return await self._database.write(write)

    async def reset_password(self, by: Principal, user_id: str) -> str:
        """Somebody else's: gives a temporary one, which they have to change. Their sessions end."""
        temporary = make_password()
        hashed = await self._passwords.hash(temporary)

        def write(sql: Transaction) -> None:
            user = users.get(sql, user_id)
            _may_change(by, user)
            self._refuse_if_set(user)
            users.set_password(sql, user, hashed, temporary=True)
            users.end_sessions(sql, user)
            append(sql, _event("user.password_reset", user, by.actor, before=MASK, after=MASK))

        await self._database.write(write)
        return temporary

    async def remove_second_factor(self, by: Principal, user_id: str, factor: SecondFactor) -> None:
        """Somebody else's. Raises `SecondFactorMissing`."""
        user = await self.get(user_id)
        _may_change(by, user)
        await factor.remove(user, by.actor)

    def _refuse_if_set(self, user: User) -> None:
        if self._password_is_set and user.name == OWNER_NAME:
            raise PasswordFromEnvironment

    # ---- projects

    async def forget_project(self, project: str) -> None:
        """A project that was removed gives no roles: a later one of the same name is another one."""
        place = {"project": project}

        def write(sql: Transaction) -> None:
            sql.execute(queries["delete_roles_of_project"], place)
            sql.execute(queries["delete_tokens_of_project"], place)

        await self._database.write(write)


def may_change(by: Principal, user: User) -> bool:
    """Whether somebody has, wherever the user has a role, one as high."""
    return all(by.role(None if project == EVERY_PROJECT else project) >= role for project, role in user.roles.items())


def _may_change(by: Principal, user: User) -> None:
    if not may_change(by, user):
        raise Forbidden(f"{user.name} has a role above yours. Ask an owner of the box.")


def _may_give(by: Principal, project: str, role: Role | None) -> None:
    """Also for taking away: a role above one's own is not one's to change."""
    if role is not None and by.role(None if project == EVERY_PROJECT else project) < role:
        where = "everywhere" if project == EVERY_PROJECT else f"in the project {project}"
        raise Forbidden(f"The role {role.word} {where} is above your own. Ask somebody who has it.")


def _event(action: str, user: User, actor: Actor, *, before: object = None, after: object = None) -> Event:
    return Event(action=action, resource=f"user/{user.name}", actor=actor, before=before, after=after)
