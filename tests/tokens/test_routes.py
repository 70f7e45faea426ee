"""Personal tokens over HTTP."""

from __future__ import annotations

import pytest
from tests.api.auth.conftest import LOCAL, Site, World, ok, problem, site, world

from v8box.api.principals import Role, Scope

__all__ = ["site", "world"]  # fixtures


async def test_make_use_list_and_delete(site: Site) -> None:
    admin = await site.signed_in()
    body = {"label": "ci", "scopes": ["deploy", "read"], "project": "shop", "expires_in_seconds": 60}
    answer = await admin.post("/api/v1/tokens", json=body)
    made = ok(answer, 201)
    assert answer.headers["location"] == f"/api/v1/tokens/{made['id']}"
    assert (made["scopes"], made["project"], made["used_at"]) == (["deploy", "read"], "shop", None)
    assert made["expires_at"] > made["created_at"]
    program = site.client(made["token"])
    me = ok(await program.get("/api/v1/session"))
    assert (me["kind"], me["user"]["name"], me["scopes"], me["projects"]) == (
        "token",
        "admin",
        ["deploy", "read"],
        ["shop"],
    )
    [listed] = ok(await admin.get("/api/v1/tokens"))["items"]
    assert made["token"] not in str(listed)
    assert listed["id"] == made["id"]
    assert (await admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
    problem(await program.get("/api/v1/session"), 401, "token_refused")
    problem(await admin.delete(f"/api/v1/tokens/{made['id']}"), 404, "token_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_request"),
        ({"label": "x"}, 400, "bad_request"),
        ({"label": "x", "scopes": []}, 400, "bad_request"),
        ({"label": "x", "scopes": ["root"]}, 400, "bad_request"),
        ({"label": "", "scopes": ["read"]}, 400, "bad_request"),
        ({"label": "x", "scopes": ["read"], "expires_in_seconds": 0}, 400, "bad_request"),
        ({"label": "x", "scopes": ["read"], "project": "nowhere"}, 404, "project_not_found"),
        ({"label": "x", "scopes": ["read"], "user": "admin"}, 403, "forbidden"),
    ],
)
async def test_what_is_no_token(site: Site, body: object, status: int, code: str) -> None:
    problem(await (await site.signed_in()).post("/api/v1/tokens", json=body), status, code)


async def test_a_project_that_one_has_no_role_in_is_not_there(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.VIEWER)
    ada = await site.signed_in("ada")
    body = {"label": "x", "scopes": ["read"]}
    problem(await ada.post("/api/v1/tokens", json={**body, "project": "blog"}), 404, "project_not_found")
    ok(await ada.post("/api/v1/tokens", json={**body, "project": "shop"}), 201)


async def test_tokens_of_others_are_for_admins_of_the_box(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.ADMIN)
    await world.user("bob", all=Role.ADMIN)
    ada, bob = await site.signed_in("ada"), await site.signed_in("bob")
    body = {"label": "x", "scopes": ["read"]}
    adas = ok(await ada.post("/api/v1/tokens", json=body), 201)
    bobs = ok(await bob.post("/api/v1/tokens", json=body), 201)
    admins = ok(await (await site.signed_in()).post("/api/v1/tokens", json=body), 201)
    problem(await ada.get("/api/v1/tokens?user=bob"), 403, "forbidden")
    problem(await ada.delete(f"/api/v1/tokens/{bobs['id']}"), 404, "token_not_found")
    problem(await bob.delete(f"/api/v1/tokens/{admins['id']}"), 404, "token_not_found")  # an owner's
    assert [each["id"] for each in ok(await bob.get("/api/v1/tokens?user=ada"))["items"]] == [adas["id"]]
    assert (await bob.delete(f"/api/v1/tokens/{adas['id']}")).status_code == 204


async def test_a_token_may_end_itself_but_makes_and_ends_no_other(site: Site) -> None:
    admin = await site.signed_in()
    every = [scope.value for scope in Scope]
    first = ok(await admin.post("/api/v1/tokens", json={"label": "a", "scopes": ["read"]}), 201)
    second = ok(await admin.post("/api/v1/tokens", json={"label": "b", "scopes": every}), 201)
    leaked = site.client(first["token"])
    problem(await leaked.delete(f"/api/v1/tokens/{second['id']}"), 404, "token_not_found")
    problem(await leaked.post("/api/v1/tokens", json={"label": "c", "scopes": every}), 403, "forbidden")
    powerful = site.client(second["token"])
    problem(await powerful.post("/api/v1/tokens", json={"label": "c", "scopes": ["read"]}), 403, "forbidden")
    assert (await leaked.delete(f"/api/v1/tokens/{first['id']}")).status_code == 204
    problem(await leaked.get("/api/v1/session"), 401, "token_refused")


async def test_a_token_of_one_project_reaches_no_other_and_not_the_box(site: Site, world: World) -> None:
    admin = await site.signed_in()
    every = [scope.value for scope in Scope]
    made = ok(await admin.post("/api/v1/tokens", json={"label": "a", "scopes": every, "project": "shop"}), 201)
    program = site.client(made["token"])
    await world.user("ada")
    ok(await program.put("/api/v1/users/ada/roles/shop", json={"role": "viewer"}))
    problem(await program.put("/api/v1/users/ada/roles/blog", json={"role": "viewer"}), 403, "forbidden")
    problem(await program.get("/api/v1/users"), 403, "forbidden")
    problem(await program.put("/api/v1/users/admin/roles/*", json={"role": "viewer"}), 403, "forbidden")


async def test_the_local_operator_makes_tokens_for_whom_it_says(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.VIEWER)
    local = site.local()
    body = {"label": "x", "scopes": ["read"]}
    admins = ok(await local.post("/api/v1/tokens", json=body), 201)
    adas = ok(await local.post("/api/v1/tokens", json={**body, "user": "ada"}), 201)
    assert ok(await site.client(admins["token"]).get("/api/v1/session"))["user"]["name"] == "admin"
    assert ok(await site.client(adas["token"]).get("/api/v1/session"))["user"]["name"] == "ada"


async def test_a_token_goes_with_its_user_and_with_its_project(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.VIEWER)
    ada = await site.signed_in("ada")
    body = {"label": "x", "scopes": ["read"]}
    shops = ok(await ada.post("/api/v1/tokens", json={**body, "project": "shop"}), 201)
    anys = ok(await ada.post("/api/v1/tokens", json=body), 201)
    await world.auth.accounts.forget_project("shop")
    problem(await site.client(shops["token"]).get("/api/v1/session"), 401, "token_refused")
    assert ok(await site.client(anys["token"]).get("/api/v1/session"))["roles"] == {}
    await world.auth.accounts.delete(LOCAL, "ada")
    problem(await site.client(anys["token"]).get("/api/v1/session"), 401, "token_refused")
