"""Signing in: what passes, what does not, that nobody learns who exists, and that guessing gets slow."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher
from tests.api.auth.conftest import LOCAL, PASSWORD, World

from v8box.api.auth import throttle
from v8box.api.auth.passwords import Passwords, TooManySignIns, WeakPassword, check_strength, make_password
from v8box.api.auth.sign_in import SignInFailed
from v8box.api.auth.throttle import TooManyAttempts
from v8box.api.principals import Role

WRONG = "correct horse batterz"


async def fail(world: World, times: int, name: str = "admin", address: str = "198.51.100.1") -> None:
    for _ in range(times):
        with pytest.raises(SignInFailed):
            await world.sign_in(name, WRONG, address=address)


async def test_the_right_password_opens_a_session_whose_secret_is_nowhere_else(world: World) -> None:
    signed_in = await world.sign_in()
    assert (await world.principal(signed_in.secret)).role(None) == Role.OWNER
    kept = b"".join(path.read_bytes() for path in world.directory.glob("catalog.db*"))
    assert signed_in.secret.encode() not in kept
    assert PASSWORD.encode() not in kept
    assert signed_in.secret not in repr(signed_in)
    [*_, last] = await world.audit()
    assert (last.event.action, last.event.actor.name, last.event.actor.address) == (
        "session.create",
        "admin",
        "192.0.2.1",
    )


@pytest.mark.parametrize("name", ["Admin", " ADMIN ", "\uff41dmin"])
async def test_a_name_is_one_however_it_is_written(world: World, name: str) -> None:
    assert (await world.sign_in(name)).user.name == "admin"


@pytest.mark.parametrize("password", ["", WRONG, PASSWORD.upper(), f"{PASSWORD} ", "x" * 5000, "\ud800", "\x00"])
async def test_a_wrong_password(world: World, password: str) -> None:
    with pytest.raises(SignInFailed):
        await world.sign_in(password=password)


async def test_composed_and_decomposed_are_the_same_password(world: World) -> None:
    await world.auth.accounts.create(LOCAL, "ada", password="na\u00efve caf\u00e9 12", email=None, roles={})
    assert (await world.sign_in("ada", "nai\u0308ve cafe\u0301 12")).user.name == "ada"


async def test_nobody_learns_who_exists(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words for an unknown name, a disabled user and a wrong password, and one real check for each."""
    await world.user("dis")
    await world.auth.accounts.update(LOCAL, "dis", disabled=True)
    checked: list[str] = []
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, hash: str, password: bytes) -> bool:
        checked.append(hash.rsplit("$", 2)[0])
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    told = set()
    for name in ("admin", "dis", "nobody", "usr_0000000000000000", "", "a" * 5000, "\ud800"):
        password = PASSWORD if name == "dis" else WRONG
        with pytest.raises(SignInFailed) as caught:
            await world.sign_in(name, password, address=f"192.0.2.{len(checked) + 50}")
        told.add(str(caught.value))
    assert len(told) == 1
    assert len(checked) == 7
    assert len(set(checked)) == 1  # the same parameters: the same work


async def test_a_user_cannot_sign_in_with_an_id(world: World) -> None:
    user = (await world.sign_in()).user
    with pytest.raises(SignInFailed):
        await world.sign_in(user.id)


async def test_guessing_gets_slow_by_name_from_wherever_it_comes(world: World) -> None:
    for number in range(5):
        await fail(world, 1, address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts) as caught:
        await world.sign_in(address="198.51.100.77")  # even the right one
    assert caught.value.retry_after == 1
    waits = []
    for number in range(8):
        world.now += caught.value.retry_after
        await fail(world, 1, address=f"198.51.100.{100 + number}")
        with pytest.raises(TooManyAttempts) as caught:
            await world.sign_in(address="198.51.100.78")
        waits.append(caught.value.retry_after)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    world.now += 60
    await world.sign_in(address="198.51.100.79")  # a success starts anew
    await fail(world, 5)


async def test_guessing_gets_slow_by_address_whatever_the_name(world: World) -> None:
    for number in range(10):
        await fail(world, 1, name=f"user{number}")
    with pytest.raises(TooManyAttempts):
        await world.sign_in("someone", address="198.51.100.1")
    await world.sign_in(address="198.51.100.2")


async def test_an_ipv6_client_is_its_whole_network(world: World) -> None:
    for number in range(10):
        await fail(world, 1, name=f"user{number}", address=f"2001:db8::{number + 1:x}")
    with pytest.raises(TooManyAttempts):
        await world.sign_in(address="2001:db8::ffff:1")
    await world.sign_in(address="2001:db8:0:1::1")


async def test_who_is_signed_in_from_an_address_is_not_locked_out_by_others(world: World) -> None:
    await world.sign_in(address="192.0.2.1")
    await fail(world, 5)
    with pytest.raises(TooManyAttempts):
        await world.sign_in(address="192.0.2.2")
    await world.sign_in(address="192.0.2.1")


async def test_many_at_once_are_no_way_around(world: World) -> None:
    tries = [world.sign_in(password=WRONG, address="198.51.100.1") for _ in range(40)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, SignInFailed) for each in results) == 5
    assert sum(isinstance(each, TooManyAttempts) for each in results) == 35


async def test_a_restart_does_not_reset_the_count(world: World) -> None:
    await fail(world, 5)
    await world.again()
    with pytest.raises(TooManyAttempts):
        await world.sign_in(address="192.0.2.2")
    world.now += throttle.FORGET_SECONDS
    await world.sign_in(address="192.0.2.2")


async def test_a_clock_that_is_put_back_does_not_lock_anybody_out_for_long(world: World) -> None:
    await fail(world, 6 - 1)
    world.now -= 86_400
    with pytest.raises(TooManyAttempts) as caught:
        await world.sign_in(address="192.0.2.2")
    assert caught.value.retry_after <= 60


async def test_the_counts_have_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST", 20)
    await fail(world, 5)
    for number in range(40):
        await fail(world, 1, name=f"user{number}", address=f"203.0.113.{number}")
    assert len(world.auth.sign_in._throttle._failures) <= 21
    with pytest.raises(TooManyAttempts):  # a flood of names does not wash away the one that counts
        await world.sign_in(address="192.0.2.2")


async def test_failures_are_written_down_but_cannot_fill_the_disk(world: World) -> None:
    for number in range(30):
        await fail(world, 1, name=f"my secret passw0rd {number}", address=f"203.0.113.{number}")
        world.now += 60 if number == 24 else 3
    entries = [entry.event for entry in await world.audit() if entry.event.action == "session.refuse"]
    assert 10 <= len(entries) <= 22
    assert {event.resource for event in entries} == {"user"}  # a name that nobody has may be a password
    assert sum(event.after.get("left_out", 0) for event in entries) > 0
    assert all(event.actor.address is not None for event in entries)


async def test_a_hash_with_other_parameters_is_made_anew(world: World) -> None:
    before = await world.database.read(lambda sql: sql.row("select password_hash from users"))
    world.auth.sign_in._passwords._make = lambda: PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    world.auth.sign_in._passwords._hasher = None
    await world.sign_in()
    after = await world.database.read(lambda sql: sql.row("select password_hash from users"))
    assert before is not None
    assert after is not None
    assert ("m=8,t=1" in str(before[0]), "m=16,t=2" in str(after[0])) == (True, True)
    await world.sign_in()


async def test_too_many_at_once_are_refused_and_not_counted() -> None:
    passwords = Passwords(lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    results = await asyncio.gather(*(passwords.check(None, "x") for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(each, TooManySignIns) for each in results) == 50 - 34
    assert not (await passwords.check(None, "x")).right  # and there is room again
    passwords.stop()


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 9, "aaaaaaaaaaaa", "abababababab", "ada.lovelace", "ADA.LOVELACE", "y1z2" * 300]
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        check_strength(password, "ada.lovelace")


def test_a_made_up_password_is_long_readable_and_never_the_same() -> None:
    made = {make_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        assert len(password.replace("-", "")) * 4.95 > 80
        assert set(password) <= set("abcdefghjkmnpqrstuvwxyz23456789-")
        check_strength(password, "admin")
