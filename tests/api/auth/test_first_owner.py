"""The first owner: there is never a default password, and ADMIN_PASSWORD is the truth."""

from __future__ import annotations

import pytest
from tests.api.auth.conftest import LOCAL, PASSWORD, World

from v8box.api.auth.accounts import PasswordFromEnvironment
from v8box.api.auth.identities import SessionEnded
from v8box.api.auth.sessions import Client
from v8box.api.auth.sign_in import SignInFailed
from v8box.api.principals import Role
from v8box.storage import Database
from v8box.telemetry.actors import ActorKind
from v8box.telemetry.audit import open_audit


@pytest.fixture
async def empty(world: World) -> World:
    """One that was never started."""
    await world.auth.stop()
    await world.database.close()
    for path in world.directory.glob("catalog.db*"):
        path.unlink()
    world.database = await Database.open(world.directory / "catalog.db")
    await open_audit(world.database)
    return world


async def test_without_a_password_one_is_made_up_once(empty: World) -> None:
    await empty.open(None)
    made = empty.auth.made_password
    assert made is not None
    assert (await empty.sign_in(password=made)).user.roles == {"*": Role.OWNER}
    await empty.again(None)
    assert empty.auth.made_password is None
    await empty.sign_in(password=made)
    kept = b"".join(path.read_bytes() for path in empty.directory.glob("catalog.db*"))
    assert made.encode() not in kept


async def test_with_one_nothing_is_made_up(world: World) -> None:
    assert world.auth.made_password is None
    await world.sign_in(password=PASSWORD)


async def test_another_one_in_the_environment_is_set_and_ends_the_sessions(world: World) -> None:
    secret = (await world.sign_in()).secret
    await world.again("hunter2hunter2")
    with pytest.raises(SignInFailed):
        await world.sign_in()
    with pytest.raises(SessionEnded):
        await world.principal(secret)
    await world.sign_in(password="hunter2hunter2")
    entries = [entry.event for entry in await world.audit() if entry.event.action == "user.password"]
    assert [(event.actor.kind, event.after) for event in entries] == [(ActorKind.SYSTEM, {"from": "ADMIN_PASSWORD"})]


async def test_the_same_one_changes_nothing(world: World) -> None:
    secret = (await world.sign_in()).secret
    before = await world.actions()
    await world.again()
    await world.principal(secret)
    assert await world.actions() == before


async def test_while_it_is_set_nothing_else_sets_it(world: World) -> None:
    user = (await world.sign_in()).user
    with pytest.raises(PasswordFromEnvironment):
        await world.auth.accounts.change_password(
            user, PASSWORD, "another horse battery", Client(address=None), LOCAL.actor
        )
    with pytest.raises(PasswordFromEnvironment):
        await world.auth.accounts.reset_password(LOCAL, "admin")
    await world.again(None)
    temporary = await world.auth.accounts.reset_password(LOCAL, "admin")
    await world.sign_in(password=temporary)


async def test_an_owner_who_was_renamed_leaves_room_for_one_with_the_password_of_the_environment(world: World) -> None:
    await world.auth.accounts.update(LOCAL, "admin", name="ada")
    await world.again()
    assert (await world.sign_in("ada")).user.id != (await world.sign_in("admin")).user.id


async def test_a_user_of_another_name_keeps_the_box_from_making_one_up(world: World) -> None:
    await world.auth.accounts.update(LOCAL, "admin", name="ada")
    await world.again(None)
    assert world.auth.made_password is None
    assert [user.name for user in await world.auth.accounts.list()] == ["ada"]
