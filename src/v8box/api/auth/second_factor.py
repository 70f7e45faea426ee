"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when the phone is gone.

A code works once: the time step of the last one is kept, and it and those before are refused. The secret is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from v8box.api.auth import users
from v8box.api.auth.users import User, queries
from v8box.errors import V8BoxError
from v8box.storage import Database, Transaction
from v8box.storage.database import Value
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

_PURPOSE: Final = "totp"
_STEP_SECONDS: Final = 30
_DRIFT: Final = 1  # a code of the step before and after is good too: clocks differ, and people type
_RECOVERY_CODES: Final = 10
_CODE: Final = re.compile(r"[0-9]{6}")
_ISSUER: Final = "V8Box"


class Sealer(Protocol):
    """What keeps the secrets unreadable in the database; `storage.encryption` has it."""

    async def seal(self, purpose: str, name: str, plain: bytes) -> bytes: ...
    def open(self, purpose: str, name: str, sealed: bytes) -> bytes: ...
    def is_old(self, sealed: bytes) -> bool: ...


class CodeWrong(V8BoxError):
    """The code is not right, or it was used before. Wait for the next one."""

    status = 403
    code = "code_wrong"


class SecondFactorActive(V8BoxError):
    """There is a second factor already. Remove it first: DELETE /api/v1/session/totp."""

    status = 409
    code = "second_factor_active"


class SecondFactorMissing(V8BoxError):
    """There is no second factor to confirm or remove. Begin with POST /api/v1/session/totp."""

    status = 409
    code = "second_factor_missing"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app is given: the URI as a QR code, or the secret by hand."""

    secret: str
    uri: str


class SecondFactor:
    """Enrols, confirms, checks."""

    def __init__(
        self, database: Database, sealer: Sealer, *, domain: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._domain = domain
        self._clock = clock

    async def enrol(self, user: User, actor: Actor) -> Enrolment:
        """A fresh secret. It counts once a code has confirmed it. Raises `SecondFactorActive`."""
        import pyotp

        secret = pyotp.random_base32()
        sealed = await self._sealer.seal(_PURPOSE, user.id, secret.encode())

        def write(sql: Transaction) -> None:
            if users.get(sql, user.id).has_totp:
                raise SecondFactorActive
            sql.execute(queries["set_totp"], {"id": user.id, "secret": sealed, "confirmed": 0, "step": None})
            append(sql, Event(action="totp.enrol", resource=f"user/{user.name}", actor=actor))

        await self._database.write(write)
        uri = pyotp.TOTP(secret).provisioning_uri(name=f"{user.name}@{self._domain}", issuer_name=_ISSUER)
        return Enrolment(secret, uri)

    async def confirm(self, user: User, code: str, actor: Actor) -> Sequence[str]:
        """The second factor is active from here on; gives the recovery codes. Raises `CodeWrong`."""
        codes = [_make_code() for _ in range(_RECOVERY_CODES)]

        def write(sql: Transaction) -> None:
            if users.get(sql, user.id).has_totp:
                raise SecondFactorActive
            row = sql.row(queries["totp"], {"id": user.id})
            if row is None or row[0] is None:
                raise SecondFactorMissing
            step = self._step(sql, user.id, code)
            if step is None:
                raise CodeWrong
            sql.execute(queries["set_totp"], {"id": user.id, "secret": row[0], "confirmed": 1, "step": step})
            _store_codes(sql, user.id, codes)
            append(sql, Event(action="totp.confirm", resource=f"user/{user.name}", actor=actor))

        await self._database.write(write)
        return codes

    async def renew_codes(self, user: User, actor: Actor) -> Sequence[str]:
        """New recovery codes; the former ones end. Raises `SecondFactorMissing`."""
        codes = [_make_code() for _ in range(_RECOVERY_CODES)]

        def write(sql: Transaction) -> None:
            if not users.get(sql, user.id).has_totp:
                raise SecondFactorMissing
            _store_codes(sql, user.id, codes)
            append(sql, Event(action="totp.recovery_codes", resource=f"user/{user.name}", actor=actor))

        await self._database.write(write)
        return codes

    async def remove(self, user: User, actor: Actor) -> None:
        """Raises `SecondFactorMissing`."""

        def write(sql: Transaction) -> None:
            row = sql.row(queries["totp"], {"id": user.id})
            if row is None or row[0] is None:
                raise SecondFactorMissing
            sql.execute(queries["set_totp"], {"id": user.id, "secret": None, "confirmed": 0, "step": None})
            sql.execute(queries["delete_recovery_codes"], {"user_id": user.id})
            append(sql, Event(action="totp.remove", resource=f"user/{user.name}", actor=actor))

        await self._database.write(write)

    async def codes_left(self, user: User) -> int:
        row = await self._database.read(lambda sql: sql.row(queries["count_recovery_codes"], {"user_id": user.id}))
        return int(str(row[0])) if row else 0

    async def take(self, user: User, code: str) -> bool:
        """Whether a code is right: one of the app, or a recovery code. It never is a second time."""

        def write(sql: Transaction) -> bool:
            step = self._step(sql, user.id, code)
            if step is not None:
                sql.execute(queries["set_totp_step"], {"id": user.id, "step": step})
                return True
            place: dict[str, Value] = {"user_id": user.id, "code_hash": _hash(code)}
            if sql.row(queries["recovery_code"], place) is None:
                return False
            sql.execute(queries["delete_recovery_code"], place)
            return True

        return await self._database.write(write)

    async def reseal(self, project: str | None) -> int:
        """Seals again what an older key sealed, after a rotation; gives how many. All of it is the box's own."""
        if project is not None:
            return 0
        count = 0
        for row in await self._database.read(lambda sql: sql.rows(queries["totp_secrets"])):
            user_id, sealed = str(row[0]), _bytes(row[1])
            if self._sealer.is_old(sealed):
                plain = self._sealer.open(_PURPOSE, user_id, sealed)
                fresh = await self._sealer.seal(_PURPOSE, user_id, plain)
                place = {"id": user_id, "secret": fresh, "before": sealed}
                await self._database.write(lambda sql, place=place: sql.execute(queries["reseal_totp"], place))  # type: ignore[misc]
                count += 1
        return count

    def _step(self, sql: Transaction, user_id: str, code: str) -> int | None:
        """The time step that a code belongs to, if it is a right one and later than the last that was taken."""
        import pyotp

        text = re.sub(r"\s", "", code)
        row = sql.row(queries["totp"], {"id": user_id})
        if row is None or row[0] is None or not _CODE.fullmatch(text):
            return None
        generator = pyotp.TOTP(self._sealer.open(_PURPOSE, user_id, _bytes(row[0])).decode())
        now = int(self._clock() // _STEP_SECONDS)
        last = -1 if row[2] is None else int(str(row[2]))
        for step in range(now - _DRIFT, now + _DRIFT + 1):
            if step > last and hmac.compare_digest(generator.generate_otp(step), text):
                return step
        return None


def _store_codes(sql: Transaction, user_id: str, codes: Sequence[str]) -> None:
    sql.execute(queries["delete_recovery_codes"], {"user_id": user_id})
    for code in codes:
        sql.execute(queries["insert_recovery_code"], {"user_id": user_id, "code_hash": _hash(code)})


def _make_code() -> str:
    """80 random bits in four groups of hex digits."""
    return "-".join(secrets.token_hex(2) + secrets.token_hex(1)[:1] for _ in range(4))


def _hash(code: str) -> bytes:
    """However it is typed: spaces, dashes and capitals do not matter."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).casefold().encode("utf-8", "surrogatepass")).digest()


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise AssertionError("the column is a blob")
    return value
