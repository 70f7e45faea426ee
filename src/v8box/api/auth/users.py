"""Users and their roles as the database has them: records, and functions for use inside a transaction.

What somebody may do to whom is decided in `accounts`.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.api.principals import EVERY_PROJECT, Role
from v8box.errors import BadRequest, V8BoxError
from v8box.storage import Row, Transaction, load_queries
from v8box.storage.database import Value

queries: Final = load_queries("v8box.api.auth")

OWNER_NAME: Final = "admin"
"""The user that the first start makes, and whose password ADMIN_PASSWORD is."""
MAX_USERS: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
_ID: Final = re.compile(r"usr_[0-9a-f]{16}")
_EMAIL: Final = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@[^\s@<>\x00-\x1f\x7f]{1,190}")


class UserNotFound(V8BoxError):
    """There is no such user."""

    status = 404
    code = "user_not_found"


class UserExists(V8BoxError):
    """There is a user with this name already."""

    status = 409
    code = "user_exists"


class TooManyUsers(V8BoxError):
    """The box has too many users; delete some."""

    status = 429
    code = "too_many_users"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user. Times are Unix times in seconds."""

    id: str
    name: str
    email: str | None
    password_is_temporary: bool
    has_totp: bool
    disabled: bool
    created_at: float
    seen_at: float | None
    roles: Mapping[str, Role]


def clean_name(text: str) -> str:
    """A user name as it is kept. Raises `BadRequest`."""
    name = fold(text)
    if not _NAME.fullmatch(name) or _ID.fullmatch(name):
        raise BadRequest("A user name is 1 to 63 of a-z, 0-9, . _ @ + and -, and begins with a letter or digit.")
    return name


def fold(text: str) -> str:
    """So that Ada and ada are one, and so are the ways to write them."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def clean_email(text: str | None) -> str | None:
    """Raises `BadRequest`."""
    if text is not None and not _EMAIL.fullmatch(text):
        raise BadRequest("An email address looks like ada@example.com.")
    return text


def new_id() -> str:
    return f"usr_{secrets.token_hex(8)}"


def find(sql: Transaction, name_or_id: str) -> User | None:
    row = _row(sql, name_or_id)
    return None if row is None else from_row(sql, row)


def get(sql: Transaction, name_or_id: str) -> User:
    """Raises `UserNotFound`."""
    user = find(sql, name_or_id)
    if user is None:
        raise UserNotFound(f"There is no user {name_or_id[:63]}.")
    return user


def password_hash(sql: Transaction, name_or_id: str) -> str | None:
    row = _row(sql, name_or_id)
    return None if row is None else str(row[3])


def listed(sql: Transaction, after: str, limit: int) -> Sequence[User]:
    """Those whose names come after one, by name."""
    rows = sql.rows(queries["users_after"], {"after": after, "limit": limit})
    return [from_row(sql, row) for row in rows]


def insert(
    sql: Transaction, name: str, hashed: str, now: float, *, email: str | None = None, temporary: bool = False
) -> User:
    """Raises `UserExists`, `TooManyUsers`."""
    if find(sql, name) is not None:
        raise UserExists(f"There is a user {name} already.")
    if count(sql) >= MAX_USERS:
        raise TooManyUsers(f"A box may have {MAX_USERS} users; delete some.")
    user_id = new_id()
    row: dict[str, Value] = {"id": user_id, "name": name, "email": email, "password_hash": hashed}
    sql.execute(queries["insert_user"], {**row, "temporary": int(temporary), "created_at": now})
    return get(sql, user_id)


def count(sql: Transaction) -> int:
    row = sql.row(queries["count_users"])
    return int(str(row[0])) if row else 0


def set_role(sql: Transaction, user: User, project: str, role: Role) -> None:
    sql.execute(queries["set_role"], {"user_id": user.id, "project": project, "role": int(role)})


def set_password(sql: Transaction, user: User, hashed: str, *, temporary: bool) -> None:
    row: dict[str, Value] = {"id": user.id, "password_hash": hashed, "temporary": int(temporary)}
    sql.execute(queries["set_password"], row)


def end_sessions(sql: Transaction, user: User, *, but: str = "") -> None:
    sql.execute(queries["delete_sessions_of"], {"user_id": user.id, "but": but})


def is_last_owner(sql: Transaction, user: User) -> bool:
    """Whether nobody else can do everything."""
    return [str(row[0]) for row in sql.rows(queries["owners"])] == [user.id]


def roles_of(sql: Transaction, user_id: str) -> dict[str, Role]:
    rows = sql.rows(queries["roles_of"], {"user_id": user_id})
    return {str(project): Role(int(str(role))) for project, role in rows}


def role_in(roles: Mapping[str, Role], project: str) -> int:
    """The role in a project, or everywhere (`*`); 0 is none."""
    return max(int(roles.get(project, 0)), int(roles.get(EVERY_PROJECT, 0)))


def shown(user: User) -> dict[str, object]:
    """As the audit log has it."""
    roles = {project: role.word for project, role in user.roles.items()}
    return {"name": user.name, "email": user.email, "disabled": user.disabled, "roles": roles}


def from_row(sql: Transaction, row: Row) -> User:
    user_id, name, email, _, temporary, totp, disabled, created, seen = row
    return User(
        id=str(user_id),
        name=str(name),
        email=None if email is None else str(email),
        password_is_temporary=bool(temporary),
        has_totp=bool(totp),
        disabled=bool(disabled),
        created_at=float(str(created)),
        seen_at=None if seen is None else float(str(seen)),
        roles=roles_of(sql, str(user_id)),
    )


def _row(sql: Transaction, name_or_id: str) -> Row | None:
    if _ID.fullmatch(name_or_id):
        return sql.row(queries["user_by_id"], {"id": name_or_id})
    try:
        return sql.row(queries["user_by_name"], {"name": fold(name_or_id)})
    except UnicodeEncodeError:  # half a character: nobody is called that
        return None
