"""Personal tokens: what they open, and that those that are forged, expired or gone open nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.auth.conftest import LOCAL, World

from v8box.api.auth import tokens as module
from v8box.api.auth.identities import TokenRefused
from v8box.api.auth.sessions import Client
from v8box.api.auth.tokens import TooManyTokens
from v8box.api.principals import Forbidden, Principal, Role, Scope
from v8box.errors import BadRequest
from v8box.kit.bearers import is_whole, make_secret
from v8box.telemetry.actors import ActorKind


async def made(world: World, name: str = "admin", lasts: float | None = None, **more: object) -> str:
    user = await world.auth.accounts.get(name)
    wanted: dict[str, object] = {"label": "ci", "scopes": frozenset({Scope.DEPLOY}), "lasts_seconds": lasts, **more}
    _, text = await world.auth.tokens.create(LOCAL, user, **wanted)  # type: ignore[arg-type]
    return text


async def principal(world: World, token: str) -> Principal:
    return await world.auth.identities.of_bearer(token, Client(address="192.0.2.1"), "r1")


async def test_it_is_its_user_within_its_scopes_and_its_project(world: World) -> None:
    await world.user("ada", shop=Role.ADMIN, blog=Role.VIEWER)
    who = await principal(world, await made(world, "ada", project="shop"))
    assert (who.actor.kind, who.actor.name, who.actor.request_id) == (ActorKind.TOKEN, "ada (ci)", "r1")
    assert (who.role("shop"), who.role("blog"), who.role(None)) == (3, 0, 0)
    assert who.scopes == {Scope.DEPLOY}
    anywhere = await principal(world, await made(world, "ada"))
    assert (anywhere.role("shop"), anywhere.role("blog"), anywhere.role(None)) == (3, 1, 0)
    everything = await principal(world, await made(world, project="shop"))
    assert (everything.role("shop"), everything.role("blog"), everything.role(None)) == (4, 0, 0)


async def test_what_its_user_loses_it_loses(world: World) -> None:
    await world.user("ada", shop=Role.ADMIN)
    token = await made(world, "ada")
    await world.auth.accounts.set_role(LOCAL, "ada", "shop", Role.VIEWER)
    assert (await principal(world, token)).role("shop") == 1
    await world.auth.accounts.update(LOCAL, "ada", disabled=True)
    with pytest.raises(TokenRefused):
        await principal(world, token)
    await world.auth.accounts.delete(LOCAL, "ada")
    with pytest.raises(TokenRefused):
        await principal(world, token)


async def test_one_that_is_altered_expired_or_gone_opens_nothing(world: World) -> None:
    token = await made(world, lasts=60)
    swapped = token[:-1] + ("a" if token[-1] != "a" else "b")
    other = await made(world)
    mixed = "_".join([*token.split("_")[:3], other.split("_")[3]])
    for bad in (swapped, token[:-1], token + "x", token.upper(), f" {token}", mixed, token.replace("_", "-"), ""):
        with pytest.raises(TokenRefused):
            await principal(world, bad)
    await principal(world, token)
    world.now += 60
    with pytest.raises(TokenRefused):
        await principal(world, token)
    user = await world.auth.accounts.get("admin")
    for each in await world.auth.tokens.list(user):
        await world.auth.tokens.delete(each, user, LOCAL.actor)
    with pytest.raises(TokenRefused):
        await principal(world, other)


async def test_only_a_hash_is_kept_and_the_last_use_is_noted(world: World) -> None:
    token = await made(world)
    user = await world.auth.accounts.get("admin")
    assert (await world.auth.tokens.list(user))[0].used_at is None
    await principal(world, token)
    used = world.now
    await world.again()
    world.now += 30
    await principal(world, token)
    await world.again()
    assert (await world.auth.tokens.list(user))[0].used_at == used
    kept = b"".join(path.read_bytes() for path in world.directory.glob("catalog.db*"))
    assert token.split("_")[3].encode() not in kept
    text = str([entry.event for entry in await world.audit()])
    assert ("token.create" in text, token in text) == (True, False)


async def test_a_token_makes_none_and_none_is_without_scopes(world: World) -> None:
    who = await principal(world, await made(world, scopes=frozenset(Scope)))
    user = await world.auth.accounts.get("admin")
    with pytest.raises(Forbidden):
        await world.auth.tokens.create(who, user, label="more", scopes=frozenset({Scope.READ}))
    with pytest.raises(BadRequest):
        await made(world, scopes=frozenset())


async def test_there_are_only_so_many_and_old_ones_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PER_USER", 2)
    await made(world, lasts=1)
    await made(world)
    with pytest.raises(TooManyTokens):
        await made(world)
    world.now += module.KEEP_SECONDS + 2
    await made(world)


@given(st.text(max_size=80))
def test_no_text_passes_for_a_whole_secret_by_chance(text: str) -> None:
    assert not is_whole(text)
    secret = make_secret()
    assert is_whole(secret)
    assert not is_whole(secret[1:] + secret[0]) or secret == secret[0] * len(secret)
