"""Presigned links: whoever has one needs no sign-in, for one object and until it expires."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from tests.fakes.principals import somebody
from tests.objects.conftest import World

from v8box.api.principals import Role, Scope

LINKS = "buckets/photos/links"
KEYS = ["a.png", "/b//c/", "<b>ä 🦆</b> #?%&+.txt", " ", "x" * 1024]


def outside() -> httpx.AsyncClient:
    """Somebody without an account."""
    return httpx.AsyncClient(timeout=30, trust_env=False)


async def link(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(LINKS, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


@pytest.mark.parametrize("key", KEYS)
async def test_a_link_downloads_whatever_the_key_is(world: World, key: str) -> None:
    async with world.client() as client, outside() as anybody:
        await client.put("buckets/photos/objects/", params={"key": key}, content=b"hello")
        made = await link(client, key=key)
        answer = await anybody.get(made["url"])
        assert (answer.status_code, answer.content, made["method"]) == (200, b"hello", "GET")


async def test_a_link_expires_and_is_for_one_object_and_method(world: World) -> None:
    async with world.client() as client, outside() as anybody:
        await client.put("buckets/photos/objects/a", content=b"hello")
        await client.put("buckets/photos/objects/b", content=b"secret")
        url = (await link(client, key="a", expiresInSeconds=60))["url"]
        assert (await anybody.get(url)).content == b"hello"
        assert (await anybody.get(url.replace("/a?", "/b?"))).status_code == 403
        assert (await anybody.put(url, content=b"x")).status_code == 403
        assert (await anybody.get(url.replace("Expires=60", "Expires=6000"))).status_code == 403
        world.ahead[0] = 59.0
        assert (await anybody.get(url)).status_code == 200
        world.ahead[0] = 62.0
        assert (await anybody.get(url)).status_code == 403


async def test_a_link_uploads_what_it_is_for(world: World) -> None:
    async with world.client() as client, outside() as anybody:
        made = await link(client, key="new/in.png", method="PUT", contentType="image/png")
        assert made["headers"] == {"content-type": "image/png"}
        assert (await anybody.put(made["url"], content=b"x", headers={"content-type": "text/html"})).status_code == 403
        assert (await anybody.put(made["url"], content=b"x", headers=made["headers"])).status_code == 200
        assert (await anybody.get(made["url"])).status_code == 403
        found = await client.get("buckets/photos/objects/new/in.png")
        assert (found.content, found.headers["content-type"]) == (b"x", "image/png")


async def test_a_page_behind_a_link_runs_nothing_on_the_admins_origin(world: World) -> None:
    async with world.client() as client, outside() as anybody:
        for key, kind in (("a.html", "text/html"), ("a.svg", "image/svg+xml")):
            await client.put(f"buckets/photos/objects/{key}", content=b"<script>", headers={"content-type": kind})
            answer = await anybody.get((await link(client, key=key))["url"])
            assert (answer.headers["content-type"], answer.headers["content-security-policy"]) == (kind, "sandbox")
            saved = await anybody.get((await link(client, key=key, download=True))["url"])
            assert saved.headers["content-disposition"] == f'attachment; filename="{key}"'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "nothing"}, 404),
        ({"key": ""}, 400),
        ({"key": "x" * 1025}, 400),
        ({"key": "b/../c", "method": "PUT"}, 400),
        ({"key": "ä" * 600}, 400),
        ({}, 400),
        ({"key": "a", "method": "DELETE"}, 400),
        ({"key": "a", "expiresInSeconds": 0}, 400),
        ({"key": "a", "expiresInSeconds": 604_801}, 400),
        ({"key": "a", "expiresInSeconds": "soon"}, 400),
        ({"key": "a", "contentType": "text/html\r\nx: y"}, 400),
        ({"key": "a", "other": 1}, 400),
    ],
)
async def test_no_link_is_made_of_what_cannot_be(world: World, body: dict[str, Any], status: int) -> None:
    async with world.client() as client:
        await client.put("buckets/photos/objects/a", content=b"hello")
        assert (await client.post(LINKS, json=body)).status_code == status
        answer = await client.post("buckets/no-such/links", json={"key": "a", "method": "PUT"})
        assert answer.status_code == 404


async def test_who_may_not_write_makes_no_link(world: World) -> None:
    for who in (somebody(Role.VIEWER), somebody(Role.OWNER, scopes=frozenset({Scope.DEPLOY}))):
        async with world.client(who) as client:
            assert (await client.post(LINKS, json={"key": "a", "method": "PUT"})).status_code == 403


async def test_no_log_has_a_link(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "v8box")
    async with world.client() as client, outside() as anybody:
        await client.put("buckets/photos/objects/a", content=b"hello")
        url = (await link(client, key="a"))["url"]
        await anybody.get(url)
        await anybody.get(url + "0")
    signature = url.rpartition("=")[2]
    assert not [each for each in caplog.records if each.name.startswith("v8box") and signature in each.getMessage()]
