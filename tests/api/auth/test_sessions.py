"""Sessions end when they should, and never open anything after."""

from __future__ import annotations

import pytest
from tests.api.auth.conftest import LOCAL, PASSWORD, World

from v8box.api.auth import sessions
from v8box.api.auth.identities import SessionEnded
from v8box.api.auth.sessions import Client, SessionNotFound
from v8box.api.principals import Role

HOUR = 3600


async def ended(world: World, secret: str) -> bool:
    try:
        await world.principal(secret)
    except SessionEnded:
        return True
    return False


async def test_one_that_is_not_used_ends(world: World) -> None:
    secret = (await world.sign_in()).secret
    world.now += 168 * HOUR - 1
    await world.principal(secret)
    await world.again()  # which is no use of it
    world.now += 168 * HOUR - 61
    assert not await ended(world, secret)
    world.now += 168 * HOUR
    assert await ended(world, secret)


async def test_none_outlives_its_whole_time_however_much_it_is_used(world: World) -> None:
    secret = (await world.sign_in()).secret
    for _ in range(7):
        world.now += 100 * HOUR
        assert not await ended(world, secret)
        await world.again()
    world.now += 20 * HOUR
    assert await ended(world, secret)


async def test_they_outlive_a_restart(world: World) -> None:
    secret = (await world.sign_in()).secret
    await world.again()
    assert (await world.principal(secret)).user is not None


async def test_one_is_ended_and_all(world: World) -> None:
    first, second, third = [await world.sign_in() for _ in range(3)]
    user = first.user
    assert {each.id for each in await world.auth.sessions.list(user)} == {
        each.session.id for each in (first, second, third)
    }
    await world.auth.sessions.end(user, first.session.id, LOCAL.actor)
    assert [await ended(world, each.secret) for each in (first, second)] == [True, False]
    with pytest.raises(SessionNotFound):
        await world.auth.sessions.end(user, first.session.id, LOCAL.actor)
    await world.auth.sessions.end_all(user, LOCAL.actor, but=second.session.id)
    assert [await ended(world, each.secret) for each in (second, third)] == [False, True]


async def test_nobody_ends_a_session_of_somebody_else_by_its_id(world: World) -> None:
    await world.user("ada")
    ada = await world.auth.accounts.get("ada")
    admins = await world.sign_in()
    with pytest.raises(SessionNotFound):
        await world.auth.sessions.end(ada, admins.session.id, LOCAL.actor)
    assert not await ended(world, admins.secret)


async def test_there_are_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_PER_USER", 3)
    made = []
    for _ in range(5):
        made.append(await world.sign_in())
        world.now += 1
    assert [await ended(world, each.secret) for each in made] == [True, True, False, False, False]


async def test_those_that_ended_are_forgotten(world: World) -> None:
    await world.sign_in()
    world.now += 1000 * HOUR
    await world.sign_in()
    assert await world.database.read(lambda sql: sql.rows("select count(*) from sessions")) == [(1,)]


@pytest.mark.parametrize("change", ["disable", "delete", "demote", "remove", "reset"])
async def test_what_takes_something_away_ends_them(world: World, change: str) -> None:
    accounts = world.auth.accounts
    await world.user("ada", all=Role.ADMIN)
    secret = (await world.sign_in("ada")).secret
    match change:
        case "disable":
            await accounts.update(LOCAL, "ada", disabled=True)
        case "delete":
            await accounts.delete(LOCAL, "ada")
        case "demote":
            await accounts.set_role(LOCAL, "ada", "*", Role.VIEWER)
        case "remove":
            await accounts.remove_role(LOCAL, "ada", "*")
        case "reset":
            await accounts.reset_password(LOCAL, "ada")
    assert await ended(world, secret)
    if change == "disable":
        await accounts.update(LOCAL, "ada", disabled=False)
        assert await ended(world, secret)  # it does not come back


async def test_a_promotion_does_not_end_them_and_counts_at_once(world: World) -> None:
    who = await world.user("ada", shop=Role.VIEWER)
    secret = (await world.sign_in("ada")).secret
    await world.auth.accounts.set_role(LOCAL, "ada", "shop", Role.ADMIN)
    assert (who.role("shop"), (await world.principal(secret)).role("shop")) == (1, 3)


async def test_another_password_ends_all_and_begins_a_new_one(world: World) -> None:
    await world.user("ada")
    before = await world.sign_in("ada")
    after = await world.auth.accounts.change_password(
        before.user, PASSWORD, "another horse battery", Client(address="192.0.2.1"), LOCAL.actor
    )
    assert await ended(world, before.secret)
    assert (await world.principal(after.secret)).user == before.user.id
