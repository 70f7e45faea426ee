"""The second factor: codes that work once, recovery codes, and secrets that are sealed."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from tests.api.auth.conftest import LOCAL, PASSWORD, World

from v8box.api.auth.second_factor import CodeWrong, SecondFactorActive, SecondFactorMissing
from v8box.api.auth.sign_in import CodeNeeded, SignInFailed
from v8box.api.auth.throttle import TooManyAttempts
from v8box.api.auth.users import User


def code(world: World, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(world.now // 30) + steps)


async def enrolled(world: World) -> tuple[User, str, list[str]]:
    user = await world.auth.accounts.get("admin")
    made = await world.auth.second_factor.enrol(user, LOCAL.actor)
    codes = await world.auth.second_factor.confirm(user, code(world, made.secret), LOCAL.actor)
    world.now += 60
    return user, made.secret, list(codes)


async def test_it_counts_once_a_code_has_confirmed_it(world: World) -> None:
    user = await world.auth.accounts.get("admin")
    made = await world.auth.second_factor.enrol(user, LOCAL.actor)
    parts = urlsplit(made.uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parse_qs(parts.query)["secret"] == [made.secret]
    await world.sign_in()
    with pytest.raises(CodeWrong):
        await world.auth.second_factor.confirm(user, "000000", LOCAL.actor)
    codes = await world.auth.second_factor.confirm(user, code(world, made.secret), LOCAL.actor)
    assert len(set(codes)) == 10
    with pytest.raises(CodeNeeded):
        await world.sign_in()
    assert (await world.actions())[-1] == "totp.confirm"


async def test_a_code_works_once_and_only_around_its_time(world: World) -> None:
    _, secret, _ = await enrolled(world)
    now = code(world, secret)
    for wrong in (code(world, secret, -2), code(world, secret, 2), now[:-1], f"{now}0", "", "x" * 6):
        with pytest.raises((SignInFailed, CodeNeeded)):
            await world.sign_in(code=wrong)
    world.now += 3600  # the counts start anew
    now = code(world, secret)
    await world.sign_in(code=f"{now[:3]} {now[3:]}")
    with pytest.raises(SignInFailed):
        await world.sign_in(code=now)
    with pytest.raises(SignInFailed):
        await world.sign_in(code=code(world, secret, -1))  # an older one that was not used, neither
    await world.sign_in(code=code(world, secret, 1))


async def test_a_code_that_confirmed_does_not_sign_in(world: World) -> None:
    user = await world.auth.accounts.get("admin")
    made = await world.auth.second_factor.enrol(user, LOCAL.actor)
    first = code(world, made.secret)
    await world.auth.second_factor.confirm(user, first, LOCAL.actor)
    with pytest.raises(SignInFailed):
        await world.sign_in(code=first)


async def test_the_same_code_many_times_at_once_works_once(world: World) -> None:
    _, secret, _ = await enrolled(world)
    now = code(world, secret)
    results = await asyncio.gather(*(world.sign_in(code=now) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in results) == 1


async def test_a_recovery_code_works_once_however_it_is_typed(world: World) -> None:
    user, secret, codes = await enrolled(world)
    await world.sign_in(code=codes[0].upper().replace("-", " "))
    with pytest.raises(SignInFailed):
        await world.sign_in(code=codes[0])
    assert await world.auth.second_factor.codes_left(user) == 9
    fresh = await world.auth.second_factor.renew_codes(user, LOCAL.actor)
    with pytest.raises(SignInFailed):
        await world.sign_in(code=codes[1])
    await world.sign_in(code=fresh[0])
    await world.sign_in(code=code(world, secret))


async def test_guessing_codes_gets_slow_and_asking_for_one_is_no_failure(world: World) -> None:
    await enrolled(world)
    for _ in range(20):
        with pytest.raises(CodeNeeded):
            await world.sign_in()
    for _ in range(4):
        with pytest.raises(SignInFailed):
            await world.sign_in(code="000000")
        with pytest.raises(CodeNeeded):
            await world.sign_in()
    with pytest.raises(SignInFailed):
        await world.sign_in(code="000000")
    with pytest.raises(TooManyAttempts):  # what was forgiven between the failures does not forgive them
        await world.sign_in()


async def test_a_wrong_password_does_not_tell_that_there_is_a_second_factor(world: World) -> None:
    await enrolled(world)
    with pytest.raises(SignInFailed):
        await world.sign_in(password="wrong horse battery")


async def test_it_is_removed(world: World) -> None:
    user, _, codes = await enrolled(world)
    with pytest.raises(SecondFactorActive):
        await world.auth.second_factor.enrol(user, LOCAL.actor)
    await world.auth.second_factor.remove(user, LOCAL.actor)
    await world.sign_in()
    with pytest.raises(SecondFactorMissing):
        await world.auth.second_factor.remove(user, LOCAL.actor)
    with pytest.raises(SecondFactorMissing):
        await world.auth.second_factor.confirm(user, codes[0], LOCAL.actor)


async def test_the_secret_is_sealed_for_its_user_and_sealed_anew_after_a_rotation(world: World) -> None:
    user, secret, codes = await enrolled(world)
    rows = await world.database.read(lambda sql: sql.rows("select totp_secret from users"))
    assert rows == [(f"0:totp:{user.id}:{secret}".encode(),)]
    kept = b"".join(path.read_bytes() for path in world.directory.glob("catalog.db*"))
    assert not any(each.encode() in kept for each in codes)
    world.sealer.generation = 1
    assert await world.auth.second_factor.reseal("shop") == 0
    assert await world.auth.second_factor.reseal(None) == 1
    assert await world.auth.second_factor.reseal(None) == 0
    await world.sign_in(password=PASSWORD, code=code(world, secret))
