"""Uploads in parts: broken off, taken up again, completed, given up."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
from tests.fakes.principals import signed_in, somebody
from tests.objects.conftest import World
from tests.servers.asgi import serving

from v8box.api.principals import Role

UPLOADS = "buckets/photos/uploads"
PART = 5 * 1024**2
KEY = "films/<b>ä 🦆</b> #?%.mp4"


async def begin(client: httpx.AsyncClient, key: str = KEY, **more: Any) -> str:
    answer = await client.post(UPLOADS, json={"key": key, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def send(client: httpx.AsyncClient, upload: str, number: int, content: Any, key: str = KEY) -> httpx.Response:
    return await client.put(f"{UPLOADS}/{upload}/parts/{number}", params={"key": key}, content=content)


async def send_half(world: World, address: str) -> None:
    """Over a connection that is cut in the middle of a part."""
    async with serving(signed_in(world.app)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"PUT {address} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {PART}\r\n\r\n".encode())
        writer.write(b"b" * (PART // 2))
        await writer.drain()
        writer.transport.abort()


async def parts(client: httpx.AsyncClient, upload: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{UPLOADS}/{upload}", params={"key": KEY})
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return found


async def test_an_upload_goes_on_where_it_broke_off(world: World) -> None:
    whole = b"a" * PART + b"b" * PART + b"end"

    async with world.client() as client:
        upload = await begin(client, contentType="video/mp4", metadata={"by": "Ada"})
        assert (await send(client, upload, 1, whole[:PART])).status_code == 200
        await send_half(world, f"/admin/s3/{UPLOADS}/{upload}/parts/2?key={quote(KEY, safe='')}")
        there = await parts(client, upload)
        assert [(each["number"], each["sizeBytes"]) for each in there] == [(1, PART)]
        listed = (await client.get(UPLOADS, params={"prefix": "films/"})).json()["data"]
        assert [(each["id"], each["key"]) for each in listed] == [(upload, KEY)]

        await send(client, upload, 3, whole[2 * PART :])
        await send(client, upload, 2, whole[PART : 2 * PART])
        body = {
            "key": KEY,
            "parts": [{"number": each["number"], "etag": each["etag"]} for each in await parts(client, upload)],
        }
        done = await client.post(f"{UPLOADS}/{upload}/complete", json=body)
        assert (done.status_code, done.json()["data"]["sizeBytes"]) == (200, len(whole))
        found = await client.get("buckets/photos/objects/", params={"key": KEY})
        assert (found.content, found.headers["content-type"]) == (whole, "video/mp4")
        assert found.headers["x-amz-meta-by"] == "Ada"
        assert (await client.get(UPLOADS)).json()["data"] == []


async def test_what_is_there_is_replaced_only_when_told(world: World) -> None:
    async with world.client() as client:
        await client.put("buckets/photos/objects/", params={"key": KEY}, content=b"before")
        upload = await begin(client)
        part = (await send(client, upload, 1, b"after")).json()["data"]
        body = {"key": KEY, "parts": [{"number": 1, "etag": part["etag"]}]}
        assert (await client.post(f"{UPLOADS}/{upload}/complete", json=body)).status_code == 412
        assert (await client.get("buckets/photos/objects/", params={"key": KEY})).content == b"before"
        assert (await client.post(f"{UPLOADS}/{upload}/complete", json={**body, "replace": True})).status_code == 200
        assert (await client.get("buckets/photos/objects/", params={"key": KEY})).content == b"after"


async def test_an_aborted_upload_leaves_nothing(world: World) -> None:
    async with world.client() as client:
        (await client.patch("buckets/photos", json={"quota": PART})).raise_for_status()
        upload = await begin(client)
        await send(client, upload, 1, b"x" * PART)
        other = await client.put("buckets/photos/objects/a", content=b"x")
        assert (other.status_code, other.json()["code"]) == (507, "quota_exceeded")  # parts count, too
        assert (await client.delete(f"{UPLOADS}/{upload}", params={"key": KEY})).status_code == 200
        assert (await client.put("buckets/photos/objects/a", content=b"x")).status_code == 201
        for answer in (
            await client.delete(f"{UPLOADS}/{upload}", params={"key": KEY}),
            await send(client, upload, 1, b"x"),
            await client.get(f"{UPLOADS}/{upload}", params={"key": KEY}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_upload")


async def test_bad_input_is_told(world: World) -> None:
    async with world.client() as client:
        upload = await begin(client)
        for number in (0, 10_001, -1):
            assert (await send(client, upload, number, b"x")).status_code == 400
        assert (await send(client, upload, 1, b"x", key="other")).status_code == 404
        wrong = {"key": KEY, "parts": [{"number": 1, "etag": "0" * 32}]}
        answer = await client.post(f"{UPLOADS}/{upload}/complete", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_part")
        for body in (
            {},
            {"key": ""},
            {"key": "x" * 1025},
            {"key": "a", "contentType": "a\nb"},
            {"key": "a", "metadata": {"é": "x"}},
        ):
            assert (await client.post(UPLOADS, json=body)).status_code == 400, body
        assert (await client.post("buckets/no-such/uploads", json={"key": "a"})).status_code == 404
        await send(client, upload, 1, b"small")
        await send(client, upload, 2, b"small")
        there = [{"number": each["number"], "etag": each["etag"]} for each in await parts(client, upload)]
        answer = await client.post(f"{UPLOADS}/{upload}/complete", json={"key": KEY, "parts": there})
        assert (answer.status_code, answer.json()["code"]) == (400, "part_too_small")


async def test_a_viewer_sees_and_may_not(world: World) -> None:
    async with world.client(somebody(Role.VIEWER)) as client:
        assert (await client.get(UPLOADS)).status_code == 200
        assert (await client.post(UPLOADS, json={"key": "a"})).status_code == 403
        assert (await client.put(f"{UPLOADS}/x/parts/1", params={"key": "a"}, content=b"x")).status_code == 403
        assert (await client.delete(f"{UPLOADS}/x", params={"key": "a"})).status_code == 403
