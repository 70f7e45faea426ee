"""Signing in and out over HTTP, as a browser, a cookie client and a program do; one's own account."""

from __future__ import annotations

import logging

import httpx
import pyotp
import pytest
from tests.api.auth.conftest import LOCAL, PASSWORD, Site, World, ok, problem, site, world

from v8box.api.principals import Role

__all__ = ["site", "world"]  # fixtures

LOGIN = "/admin/login"


def envelope(response: httpx.Response, status: int = 200) -> object:
    body = response.json()
    assert (response.status_code, body["success"]) == (status, status == 200), body
    return body.get("data", body.get("code"))


# ---- /admin/login and /admin/logout


@pytest.mark.parametrize(
    "options",
    [
        {"data": {"password": PASSWORD}},
        {"data": {"password": PASSWORD, "username": "Admin", "submit": "Go"}},
        {"files": {"password": (None, PASSWORD)}},
        {"json": {"password": PASSWORD}},
        {"json": {"password": PASSWORD, "username": "admin", "code": None}},
    ],
)
async def test_a_password_is_taken_as_a_form_and_as_json(site: Site, options: dict[str, object]) -> None:
    client = site.client()
    answer = await client.post(LOGIN, **options)  # type: ignore[arg-type]
    assert envelope(answer) == {"user": "admin", "roles": {"*": "owner"}, "must_change_password": False}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("v8box_session=")
    assert "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert ok(await client.get("/api/v1/session"))["user"]["name"] == "admin"
    assert envelope(await client.post("/admin/logout")) is None
    assert not client.cookies
    problem(await client.get("/api/v1/session"), 401, "sign_in_needed")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": {"password": "wrong horse"}}, 401),
        ({"data": {}}, 400),
        ({"json": {}}, 400),
        ({"json": []}, 400),
        ({"json": {"password": 1}}, 400),
        ({"json": {"password": None}}, 400),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"\xff", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b""}, 400),
        ({"files": {"password": ("a.txt", b"correct horse battery")}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=a"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"data": {"password": "x" * 20_000}}, 413),
    ],
)
async def test_what_does_not_sign_in(site: Site, options: dict[str, object], status: int) -> None:
    answer = await site.client().post(LOGIN, **options)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["success"]) == (status, False), answer.text
    assert "set-cookie" not in answer.headers


async def test_a_browsers_form_is_sent_on(site: Site) -> None:
    headers = {"accept": "text/html", "origin": "http://localhost", "sec-fetch-site": "same-origin"}
    answer = await site.client().post(LOGIN, data={"password": PASSWORD}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert "v8box_session=" in answer.headers["set-cookie"]


async def test_over_tls_the_cookie_is_the_hosts_own(site: Site) -> None:
    client = site.client(base_url="https://localhost")
    answer = await client.post(LOGIN, data={"password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-v8box_session=")
    assert answer.headers["set-cookie"].endswith("Path=/; HttpOnly; SameSite=Lax; Secure")
    ok(await client.get("/api/v1/session"))
    cleared = (await client.post("/admin/logout")).headers["set-cookie"]
    assert cleared.startswith("__Host-v8box_session=; Max-Age=0;")


async def test_signing_in_in_the_open_is_warned_of_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            envelope(await site.client(address="127.0.0.1").post(LOGIN, data={"password": PASSWORD}))
        assert caplog.records == []
        envelope(await site.client().post(LOGIN, data={"password": PASSWORD}))
        await site.signed_in()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert PASSWORD not in caplog.text


async def test_another_pages_form_signs_nobody_in(site: Site) -> None:
    for origin in ("http://evil.localhost", "http://localhost:9", "null"):
        answer = await site.client().post(LOGIN, data={"password": PASSWORD}, headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_who_has_a_stale_cookie_can_sign_in_again(site: Site, world: World) -> None:
    client = await site.signed_in()
    world.now += 10_000_000
    stale = await client.get("/api/v1/session", headers={"cookie": f"v8box_session={client.cookies['v8box_session']}"})
    problem(stale, 401, "session_ended")
    assert "Max-Age=0" in stale.headers["set-cookie"]
    envelope(await client.post(LOGIN, data={"password": PASSWORD}))
    ok(await client.get("/api/v1/session"))


async def test_too_many_failures_say_when_to_come_back(site: Site) -> None:
    for _ in range(5):
        envelope(await site.client().post(LOGIN, json={"password": "wrong horse"}), 401)
    answer = await site.client().post(LOGIN, json={"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "too_many_attempts", "1")


# ---- /api/v1/session


async def test_who_am_i(site: Site, world: World) -> None:
    problem(await site.client().get("/api/v1/session"), 401, "sign_in_needed")
    me = ok(await (await site.signed_in()).get("/api/v1/session"))
    assert (me["kind"], me["roles"], me["projects"]) == ("user", {"*": "owner"}, ["default", "shop", "blog"])
    assert me["session"]["current"] is True
    assert me["session"]["address"] == "192.0.2.1"
    await world.auth.accounts.create(
        LOCAL, "ada", password=PASSWORD, email="ada@example.com", roles={"shop": Role.VIEWER, "gone": Role.OWNER}
    )
    ada = ok(await (await site.signed_in("ada")).get("/api/v1/session"))
    assert (ada["user"]["email"], ada["projects"]) == ("ada@example.com", ["shop"])
    local = ok(await site.local().get("/api/v1/session"))
    assert (local["kind"], local["user"], local["session"], local["roles"]) == ("local", None, None, {"*": "owner"})


async def test_signing_out_ends_the_session_and_not_only_the_cookie(site: Site) -> None:
    client = await site.signed_in()
    kept = client.cookies["v8box_session"]
    assert (await client.delete("/api/v1/session")).status_code == 204
    problem(await site.client(cookies={"v8box_session": kept}).get("/api/v1/session"), 401, "session_ended")
    problem(await site.local().delete("/api/v1/session"), 400, "bad_request")


async def test_one_sees_and_ends_ones_own_sessions(site: Site) -> None:
    here, there = await site.signed_in(), await site.signed_in()
    items = ok(await here.get("/api/v1/sessions"))["items"]
    assert sorted(each["current"] for each in items) == [False, True]
    other = next(each["id"] for each in items if not each["current"])
    assert (await here.delete(f"/api/v1/sessions/{other}")).status_code == 204
    problem(await there.get("/api/v1/session"), 401, "session_ended")
    problem(await here.delete(f"/api/v1/sessions/{other}"), 404, "session_not_found")
    there = await site.signed_in()
    assert (await here.delete("/api/v1/sessions?keep_current=true")).status_code == 204
    problem(await there.get("/api/v1/session"), 401, "session_ended")
    ok(await here.get("/api/v1/session"))
    assert (await here.delete("/api/v1/sessions")).status_code == 204
    assert not here.cookies


async def test_only_an_admin_of_the_box_sees_sessions_of_others(site: Site, world: World) -> None:
    await world.user("ada", shop=Role.ADMIN)
    await world.user("bob", all=Role.ADMIN)
    ada, bob = await site.signed_in("ada"), await site.signed_in("bob")
    for method in ("GET", "DELETE"):
        problem(await ada.request(method, "/api/v1/sessions?user=bob"), 403, "forbidden")
        problem(await ada.request(method, "/api/v1/sessions?user=nobody"), 403, "forbidden")
    assert len(ok(await bob.get("/api/v1/sessions?user=ada"))["items"]) == 2
    problem(await bob.delete("/api/v1/sessions?user=admin"), 403, "forbidden")  # an owner is above
    assert (await bob.delete("/api/v1/sessions?user=ada")).status_code == 204
    problem(await ada.get("/api/v1/session"), 401, "session_ended")
    problem(await site.local().get("/api/v1/sessions"), 400, "bad_request")
    assert len(ok(await site.local().get("/api/v1/sessions?user=bob"))["items"]) == 2


# ---- password and second factor


async def test_a_changed_password_ends_every_session_but_the_answers_own(site: Site, world: World) -> None:
    await world.user("ada")
    here, there = await site.signed_in("ada"), await site.signed_in("ada")
    old = here.cookies["v8box_session"]
    wanted = {"present": PASSWORD, "password": "another horse battery"}
    problem(await here.put("/api/v1/session/password", json={**wanted, "present": "x"}), 403, "password_wrong")
    problem(await here.put("/api/v1/session/password", json={**wanted, "password": "short"}), 400, "weak_password")
    assert (await here.put("/api/v1/session/password", json=wanted)).status_code == 204
    ok(await here.get("/api/v1/session"))
    problem(await there.get("/api/v1/session"), 401, "session_ended")
    problem(await site.client(cookies={"v8box_session": old}).get("/api/v1/session"), 401, "session_ended")
    await site.signed_in("ada", "another horse battery")


async def test_a_password_is_not_guessed_by_whoever_has_stolen_a_session(site: Site, world: World) -> None:
    await world.user("ada")
    thief = await site.signed_in("ada")
    codes = [
        (await thief.put("/api/v1/session/password", json={"present": "x", "password": "y"})).json()["code"]
        for _ in range(12)
    ]
    assert codes[:10] == ["password_wrong"] * 10
    assert codes[10:] == ["too_many_attempts"] * 2


async def test_a_temporary_password_has_to_be_changed_first(site: Site) -> None:
    made = ok(await site.local().post("/api/v1/users", json={"name": "ada", "roles": {"*": "admin"}}), 201)
    ada = await site.signed_in("ada", made["temporary_password"])
    assert ok(await ada.get("/api/v1/session"))["must_change_password"] is True
    problem(await ada.get("/api/v1/users"), 403, "password_change_needed")
    problem(await ada.post("/api/v1/tokens", json={"label": "x", "scopes": ["read"]}), 403, "password_change_needed")
    problem(await ada.get("/api/v1/sessions?user=admin"), 403, "forbidden")
    password = {"password": made["temporary_password"]}
    problem(await ada.post("/api/v1/session/totp", json=password), 403, "password_change_needed")
    wanted = {"present": made["temporary_password"], "password": "another horse battery"}
    assert (await ada.put("/api/v1/session/password", json=wanted)).status_code == 204
    ok(await ada.get("/api/v1/users"))


async def test_a_second_factor_from_beginning_to_end(site: Site, world: World) -> None:
    client = await site.signed_in()
    base = "/api/v1/session/totp"
    assert ok(await client.get(base)) == {"active": False, "recovery_codes_left": 0}
    problem(await client.post(base, json={"password": "x"}), 403, "password_wrong")
    problem(await client.post(f"{base}/confirm", json={"code": "000000"}), 409, "second_factor_missing")
    made = ok(await client.post(base, json={"password": PASSWORD}), 201)
    assert made["uri"].startswith("otpauth://totp/V8Box:admin%40localhost?secret=")
    problem(await client.post(f"{base}/confirm", json={"code": "000000"}), 403, "code_wrong")
    code = pyotp.TOTP(made["secret"]).generate_otp(int(world.now // 30))
    codes = ok(await client.post(f"{base}/confirm", json={"code": code}))["recovery_codes"]
    assert ok(await client.get(base)) == {"active": True, "recovery_codes_left": 10}
    assert ok(await client.get("/api/v1/session"))["second_factor"] is True

    given = {"username": "admin", "password": PASSWORD}
    fresh = site.client()
    problem(await fresh.post("/api/v1/session", json=given), 401, "code_needed")
    problem(await fresh.post("/api/v1/session", json={**given, "code": code}), 401, "sign_in_failed")  # replayed
    ok(await fresh.post("/api/v1/session", json={**given, "code": codes[0]}), 201)
    envelope(await site.client().post(LOGIN, data={"password": PASSWORD, "code": codes[1]}))
    renewed = ok(await client.post(f"{base}/recovery-codes", json={"password": PASSWORD}))["recovery_codes"]
    assert not set(renewed) & set(codes)
    assert (await client.post(f"{base}/remove", json={"password": PASSWORD})).status_code == 204
    await site.signed_in()


async def test_a_token_and_the_local_operator_have_no_account_to_change(site: Site) -> None:
    client = await site.signed_in()
    scopes = ["read", "deploy", "data", "secrets", "admin"]
    token = ok(await client.post("/api/v1/tokens", json={"label": "t", "scopes": scopes}), 201)["token"]
    change = {"present": PASSWORD, "password": "another horse battery"}
    for who in (site.client(token), site.local()):
        problem(await who.put("/api/v1/session/password", json=change), 403, "session_needed")
        problem(await who.post("/api/v1/session/totp", json={"password": PASSWORD}), 403, "session_needed")


async def test_a_secret_is_not_kept_for_a_repeated_request(site: Site, world: World) -> None:
    client = await site.signed_in()
    headers = {"idempotency-key": "a-key-of-some-length"}
    given = {"username": "admin", "password": PASSWORD}
    again = await client.post("/api/v1/session", json=given, headers={"idempotency-key": "another-key"})
    assert again.cookies["v8box_session"].encode() not in b"".join(
        path.read_bytes() for path in world.directory.glob("catalog.db*")
    )
    body = {"label": "ci", "scopes": ["read"]}
    made = ok(await client.post("/api/v1/tokens", json=body, headers=headers), 201)
    again = await client.post("/api/v1/tokens", json=body, headers=headers)
    assert made["token"] not in again.text
    assert len(ok(await client.get("/api/v1/tokens"))["items"]) == 1
    kept = b"".join(path.read_bytes() for path in world.directory.glob("catalog.db*"))
    assert made["token"].split("_")[3].encode() not in kept
