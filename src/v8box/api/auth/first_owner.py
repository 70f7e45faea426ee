"""The first owner: made at the first start, with the password that ADMIN_PASSWORD says or one that is made up.

ADMIN_PASSWORD is the truth for the user `admin` for as long as it is set: a start at which it differs from the password
at hand sets it, ends the sessions and writes that down.
"""

from __future__ import annotations

import time

from v8box.api.auth import users
from v8box.api.auth.passwords import Passwords, make_password
from v8box.api.auth.users import OWNER_NAME, User
from v8box.api.principals import EVERY_PROJECT, Role
from v8box.settings.values import Secret
from v8box.storage import Database, Transaction
from v8box.telemetry.actors import BOX
from v8box.telemetry.audit import Event, append


async def ensure_owner(database: Database, passwords: Passwords, given: Secret | None) -> str | None:
    """Gives the password that was made up, if one was: nothing else has it."""
    if given is not None:
        await _follow(database, passwords, given.reveal())
        return None
    if await database.read(users.count):
        return None
    made = make_password()
    hashed = await passwords.hash(made)
    created = await database.write(lambda sql: users.count(sql) == 0 and _create(sql, hashed) is not None)
    return made if created else None


async def _follow(database: Database, passwords: Passwords, password: str) -> None:
    present = await database.read(lambda sql: users.password_hash(sql, OWNER_NAME))
    if present is None:
        hashed = await passwords.hash(password)
        await database.write(lambda sql: _create(sql, hashed))
        return
    verdict = await passwords.check(present, password)
    if verdict.right and verdict.fresh_hash is None:
        return
    hashed = verdict.fresh_hash or await passwords.hash(password)

    def write(sql: Transaction) -> None:
        owner = users.get(sql, OWNER_NAME)
        users.set_password(sql, owner, hashed, temporary=False)
        if not verdict.right:
            users.end_sessions(sql, owner)
            after = {"from": "ADMIN_PASSWORD"}
            append(sql, Event(action="user.password", resource=f"user/{owner.name}", actor=BOX, after=after))

    await database.write(write)


def _create(sql: Transaction, hashed: str) -> User:
    owner = users.insert(sql, OWNER_NAME, hashed, time.time())
    users.set_role(sql, owner, EVERY_PROJECT, Role.OWNER)
    made = users.get(sql, owner.id)
    append(sql, Event(action="user.create", resource=f"user/{made.name}", actor=BOX, after=users.shown(made)))
    return made
