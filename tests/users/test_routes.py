"""Users and their roles over HTTP: who may do what to whom."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.api.auth.conftest import LOCAL, PASSWORD, Site, World, ok, problem, site, world

from v8box.api.principals import Role

__all__ = ["site", "world"]  # fixtures


async def staff(world: World) -> None:
    """admin owns the box; bob is admin of it, eve of the shop only, dan develops there."""
    await world.user("bob", all=Role.ADMIN)
    await world.user("eve", shop=Role.ADMIN)
    await world.user("dan", shop=Role.DEVELOPER)


async def test_a_user_comes_changes_and_goes(site: Site) -> None:
    admin = await site.signed_in()
    made = ok(await admin.post("/api/v1/users", json={"name": "Ada", "email": "ada@example.com"}), 201)
    assert (made["name"], made["roles"], made["disabled"], made["password_is_temporary"]) == ("ada", {}, False, True)
    assert len(made["temporary_password"].split("-")) == 5
    where = f"/api/v1/users/{made['id']}"
    read = await admin.get(where)
    assert ok(read) == {name: value for name, value in made.items() if name != "temporary_password"}
    assert ok(await admin.get("/api/v1/users/ADA")) == read.json()
    renamed = ok(await admin.patch(where, json={"name": "lovelace", "email": None}))
    assert (renamed["name"], renamed["email"]) == ("lovelace", None)
    ok(await admin.patch(where, json={"disabled": True}))
    assert [each["name"] for each in ok(await admin.get("/api/v1/users"))["items"]] == ["admin", "lovelace"]
    assert (await admin.delete(where)).status_code == 204
    problem(await admin.get(where), 404, "user_not_found")
    problem(await admin.delete(where), 404, "user_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_request"),
        ({"name": ""}, 400, "bad_request"),
        ({"name": "a b"}, 400, "bad_request"),
        ({"name": "../x"}, 400, "bad_request"),
        ({"name": "-x"}, 400, "bad_request"),
        ({"name": "usr_0123456789abcdef"}, 400, "bad_request"),
        ({"name": "x" * 64}, 400, "bad_request"),
        ({"name": "\u0430da"}, 400, "bad_request"),  # a Cyrillic letter that looks like ours
        ({"name": "ADMIN"}, 409, "user_exists"),
        ({"name": "ada", "password": "short"}, 400, "weak_password"),
        ({"name": "ada", "email": "x"}, 400, "bad_request"),
        ({"name": "ada", "email": "a@b\r\nbcc: x"}, 400, "bad_request"),
        ({"name": "ada", "roles": {"shop": "king"}}, 400, "bad_request"),
        ({"name": "ada", "roles": {"nowhere": "viewer"}}, 404, "project_not_found"),
        ({"name": "ada", "id": "usr_1"}, 400, "bad_request"),
    ],
)
async def test_what_is_no_user(site: Site, body: object, status: int, code: str) -> None:
    problem(await site.local().post("/api/v1/users", json=body), status, code)


async def test_users_come_in_pages(site: Site, world: World) -> None:
    for name in ("bob", "ada", "cid"):
        await world.auth.accounts.create(LOCAL, name, password=PASSWORD, email=None, roles={})
    admin = await site.signed_in()
    first = ok(await admin.get("/api/v1/users?limit=3"))
    assert [each["name"] for each in first["items"]] == ["ada", "admin", "bob"]
    rest = ok(await admin.get(f"/api/v1/users?limit=3&cursor={first['next_cursor']}"))
    assert ([each["name"] for each in rest["items"]], rest["next_cursor"]) == (["cid"], None)


async def test_two_who_edit_the_same_user_lose_nothing(site: Site, world: World) -> None:
    await world.user("ada")
    admin = await site.signed_in()
    etag = (await admin.get("/api/v1/users/ada")).headers["etag"]
    first = await admin.patch("/api/v1/users/ada", json={"email": "a@b.c"}, headers={"if-match": etag})
    ok(first)
    problem(
        await admin.patch("/api/v1/users/ada", json={"email": "x@y.z"}, headers={"if-match": etag}),
        412,
        "precondition_failed",
    )
    fresh = {"if-match": first.headers["etag"]}
    ok(await admin.patch("/api/v1/users/ada", json={"email": "x@y.z"}, headers=fresh))


async def test_nobody_gives_or_takes_a_role_above_their_own(site: Site, world: World) -> None:
    await staff(world)
    bob, eve = await site.signed_in("bob"), await site.signed_in("eve")
    problem(await bob.post("/api/v1/users", json={"name": "x", "roles": {"*": "owner"}}), 403, "forbidden")
    problem(await bob.put("/api/v1/users/dan/roles/*", json={"role": "owner"}), 403, "forbidden")
    problem(await bob.put("/api/v1/users/dan/roles/shop", json={"role": "owner"}), 403, "forbidden")
    problem(await bob.put("/api/v1/users/bob/roles/*", json={"role": "owner"}), 403, "forbidden")
    problem(await eve.put("/api/v1/users/eve/roles/shop", json={"role": "owner"}), 403, "forbidden")
    ok(await bob.put("/api/v1/users/dan/roles/*", json={"role": "admin"}))
    for who, role in ((bob, "viewer"), (bob, "admin")):
        problem(await who.put("/api/v1/users/admin/roles/*", json={"role": role}), 403, "forbidden")
    problem(await bob.delete("/api/v1/users/admin/roles/*"), 403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"disabled": True}),
        ("PATCH", "", {"name": "mallory"}),
        ("DELETE", "", None),
        ("POST", "/password", None),
        ("POST", "/totp/remove", None),
    ],
)
async def test_nobody_touches_somebody_above_them(
    site: Site, world: World, method: str, path: str, body: object
) -> None:
    await staff(world)
    await world.auth.accounts.set_role(LOCAL, "dan", "shop", Role.OWNER)  # above an admin of the box, in the shop
    bob = await site.signed_in("bob")
    for name in ("admin", "dan"):
        problem(await bob.request(method, f"/api/v1/users/{name}{path}", json=body), 403, "forbidden")


async def test_the_last_owner_stays(site: Site, world: World) -> None:
    await world.user("bob", all=Role.OWNER)
    await world.auth.accounts.update(LOCAL, "bob", disabled=True)  # who cannot sign in does not count
    for who in (await site.signed_in(), site.local()):
        problem(await who.delete("/api/v1/users/admin"), 409, "last_owner")
        problem(await who.patch("/api/v1/users/admin", json={"disabled": True}), 409, "last_owner")
        problem(await who.put("/api/v1/users/admin/roles/*", json={"role": "admin"}), 409, "last_owner")
        problem(await who.delete("/api/v1/users/admin/roles/*"), 409, "last_owner")
    await world.auth.accounts.update(LOCAL, "bob", disabled=False)
    ok(await site.local().patch("/api/v1/users/admin", json={"disabled": True}))
    problem(await site.local().delete("/api/v1/users/bob"), 409, "last_owner")


async def test_two_owners_who_remove_each_other_at_once_leave_one(site: Site, world: World) -> None:
    await world.user("bob", all=Role.OWNER)
    admin, bob = await site.signed_in(), await site.signed_in("bob")
    answers = await asyncio.gather(admin.delete("/api/v1/users/bob"), bob.delete("/api/v1/users/admin"))
    assert sorted(each.status_code for each in answers)[0] == 204
    assert len(await world.auth.accounts.list()) == 1


async def test_an_admin_of_a_project_manages_its_members_and_nothing_else(site: Site, world: World) -> None:
    await staff(world)
    await world.user("ada", blog=Role.OWNER)
    eve = await site.signed_in("eve")
    given = ok(await eve.put("/api/v1/users/ada/roles/shop", json={"role": "viewer"}))
    assert (given["name"], given["roles"], given["email"]) == ("ada", {"shop": "viewer"}, None)
    members = await world.auth.accounts.members("shop")
    assert [(each.name, each.role.word) for each in members] == [
        ("ada", "viewer"),
        ("dan", "developer"),
        ("eve", "admin"),
    ]
    assert [each.name for each in await world.auth.accounts.members("shop", "ada", 1)] == ["dan"]
    assert (await eve.delete("/api/v1/users/ada/roles/shop")).status_code == 204
    for answer in (
        await eve.put("/api/v1/users/ada/roles/blog", json={"role": "viewer"}),
        await eve.put("/api/v1/users/ada/roles/*", json={"role": "viewer"}),
        await eve.get("/api/v1/users"),
        await eve.post("/api/v1/users", json={"name": "x"}),
        await eve.patch("/api/v1/users/ada", json={"disabled": True}),
    ):
        problem(answer, 403, "forbidden")
    problem(await eve.put("/api/v1/users/nobody/roles/shop", json={"role": "viewer"}), 404, "user_not_found")
    problem(
        await site.local().put("/api/v1/users/ada/roles/nowhere", json={"role": "viewer"}), 404, "project_not_found"
    )


async def test_a_forgotten_password_and_a_lost_phone_are_an_admins_to_mend(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.VIEWER)
    admin = await site.signed_in()
    temporary = ok(await admin.post("/api/v1/users/ada/password"))["temporary_password"]
    refused = await site.client().post("/api/v1/session", json={"username": "ada", "password": PASSWORD})
    problem(refused, 401, "sign_in_failed")
    await site.signed_in("ada", temporary)
    problem(await admin.post("/api/v1/users/ada/totp/remove"), 409, "second_factor_missing")
    await world.auth.second_factor.enrol(await world.auth.accounts.get("ada"), LOCAL.actor)
    assert (await admin.post("/api/v1/users/ada/totp/remove")).status_code == 204


async def test_every_change_is_written_down_and_no_secret_with_it(site: Site, world: World) -> None:
    admin: httpx.AsyncClient = await site.signed_in()
    made = ok(await admin.post("/api/v1/users", json={"name": "ada", "roles": {"shop": "viewer"}}), 201)
    ok(await admin.put("/api/v1/users/ada/roles/shop", json={"role": "admin"}))
    await admin.delete("/api/v1/users/ada/roles/shop")
    ok(await admin.patch("/api/v1/users/ada", json={"disabled": True}))
    reset = ok(await admin.post("/api/v1/users/ada/password"))
    await admin.delete("/api/v1/users/ada")
    entries = [entry.event for entry in await world.audit() if entry.event.actor.name == "admin"]
    assert [(event.action, event.resource, event.project) for event in entries] == [
        ("session.create", "user/admin", None),
        ("user.create", "user/ada", None),
        ("role.set", "user/ada", "shop"),
        ("role.delete", "user/ada", "shop"),
        ("user.update", "user/ada", None),
        ("user.password_reset", "user/ada", None),
        ("user.delete", "user/ada", None),
    ]
    assert (entries[2].before, entries[2].after) == ("viewer", "admin")
    text = str(entries)
    assert made["temporary_password"] not in text
    assert reset["temporary_password"] not in text
    assert "$argon2" not in text
