"""The admin API for tokens, and that what it gives opens the database."""

from __future__ import annotations

import httpx
import pytest
from tests.fakes.principals import any_project, signed_in
from tests.hrana.conftest import World

from v8box.api.app import build_api
from v8box.features.hrana.routes import build_router, client_url


@pytest.fixture
def admin(world: World) -> httpx.AsyncClient:
    return _admin(world, "one")


def _admin(world: World, project: str) -> httpx.AsyncClient:
    routes = build_router(world.tokens, world.databases, lambda: f"http://127.0.0.1:{world.port}")
    app = signed_in(build_api([routes], project_exists=any_project))
    headers = {"v8box-project": project}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers)


async def test_make_use_list_and_delete(world: World, admin: httpx.AsyncClient) -> None:
    body = {"label": "laptop", "access": "read", "databases": ["crm"], "expires_in_seconds": 60}
    made = await admin.post("/admin/database/tokens", json=body)
    assert made.status_code == 201, made.text
    token = made.json()["data"]
    assert token["urls"] == {"crm": f"libsql://127.0.0.1:{world.port}/crm/?tls=0"}
    assert token["last_used_at"] is None
    assert await world.value(token["token"], "select 'in'") == "in"

    (listed,) = (await admin.get("/admin/database/tokens")).json()["data"]
    assert listed["last_used_at"] is not None
    assert "token" not in listed
    assert token["token"] not in str(listed)
    assert {**listed, "last_used_at": None} == {name: value for name, value in token.items() if name != "token"}
    other = _admin(world, "two")
    assert (await other.get("/admin/database/tokens")).json()["data"] == []

    where = f"/admin/database/tokens/{token['id']}"
    assert (await other.delete(where)).status_code == 404
    assert (await admin.delete(where)).json()["success"] is True
    assert (await admin.delete(where)).status_code == 404
    assert (await world.post("/v2/pipeline", {"requests": []}, token["token"])).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"databases": ["nowhere"]}, 404),
        ({"databases": ["../crm"]}, 400),
        ({"databases": ["scratch-1"]}, 400),
        ({"databases": []}, 400),
        ({"access": "admin"}, 400),
        ({"expires_in_seconds": 0}, 400),
        ({"label": "x" * 101}, 400),
        ({"unknown": 1}, 400),
    ],
)
async def test_what_is_no_token(admin: httpx.AsyncClient, body: object, status: int) -> None:
    answer = await admin.post("/admin/database/tokens", json=body)
    assert answer.status_code == status, answer.text


def test_urls_for_clients() -> None:
    assert client_url("https://db.example.com", "crm") == "libsql://db.example.com/crm/"
    assert client_url("http://db.localhost:8000", "crm") == "libsql://db.localhost:8000/crm/?tls=0"
    assert client_url("http://127.0.0.1:8000/db", "default") == "libsql://127.0.0.1:8000/db/default/?tls=0"
    assert client_url("http://db.box.lan", "crm") == "http://db.box.lan/crm/"
