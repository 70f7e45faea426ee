"""Access keys: made, listed, used, revoked; their file; and the admin API on them."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.principals import any_project, signed_in
from tests.s3_api.conftest import Box, Clock
from tests.s3_api.raw import signed

from v8box.api.app import build_api
from v8box.errors import BadRequest, NotFound
from v8box.features.s3_api import service
from v8box.features.s3_api.box_key import BoxKey, BoxKeyUnusable
from v8box.features.s3_api.routes import build_router
from v8box.features.s3_api.service import AccessKeys, TooManyKeys
from v8box.storage import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "catalog.db")
    yield opened
    await opened.close()


async def opened(database: Database, tmp_path: Path, clock: Clock) -> AccessKeys:
    return await AccessKeys.open(database, tmp_path / "keys" / "s3.key", clock=clock)


async def test_keys_outlive_the_process_and_the_file_is_private(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    keys = await opened(database, tmp_path, clock)
    key, secret = await keys.create("one", " laptop ", buckets=["b-1", "a-1"], permissions=["read"])
    assert (len(key.id), len(secret), key.label) == (20, 40, "laptop")
    file = tmp_path / "keys" / "s3.key"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert [each.name for each in file.parent.iterdir()] == ["s3.key"]
    again = await opened(database, tmp_path, clock)
    found = await again.find(key.id)
    assert found == key
    assert again.box_key.secret(key.id) == secret
    assert await again.list("one") == [key]
    assert await again.list("two") == []
    await keys.stop()
    await again.stop()


async def test_another_box_key_is_another_secret(database: Database, tmp_path: Path) -> None:
    ours, theirs = BoxKey(bytes(32)), BoxKey(bytes(31) + b"\x01")
    key_id = ours.new_id()
    assert ours.secret(key_id) != theirs.secret(key_id)
    project_id = ours.project_id("one")
    assert ours.project_of(project_id) == "one"
    assert project_id.startswith("V8BXI")
    assert ours.project_id("two") != project_id
    for wrong in (key_id, project_id[:-1], project_id + "A", project_id.lower(), "V8BXI" + "!" * 40, "V8BXI" * 50):
        assert ours.project_of(wrong) is None
    assert theirs.project_of(project_id) is None


async def test_a_damaged_key_file_is_told(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "s3.key"
    file.parent.mkdir()
    file.write_bytes(b"short")
    with pytest.raises(BoxKeyUnusable, match="damaged"):
        await opened(database, tmp_path, Clock())
    file.unlink()
    file.mkdir()
    with pytest.raises(BoxKeyUnusable, match="directory"):
        await opened(database, tmp_path, Clock())


async def test_a_lost_key_file_is_told(database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = await opened(database, tmp_path, Clock())
    key, secret = await keys.create("one", "k")
    assert caplog.records == []
    (tmp_path / "keys" / "s3.key").unlink()
    again = await opened(database, tmp_path, Clock())
    assert "is missing" in caplog.text
    assert again.box_key.secret(key.id) != secret


async def test_the_last_use_is_written_once_a_minute(box: Box) -> None:
    async def last_used() -> int | None:
        return next(key.last_used for key in await box.keys.list("one") if key.id == box.key_id)

    assert await last_used() is None
    for _ in range(3):
        assert (await signed(box, "GET", "/").send(box)).status_code == 200
    first = await last_used()
    assert first is not None
    box.clock.ahead = 30
    await signed(box, "GET", "/").send(box)
    assert await last_used() == first
    box.clock.ahead = 61
    await signed(box, "GET", "/").send(box)
    assert (await last_used() or 0) >= first + 60_000


async def test_a_key_revoked_elsewhere_ends_soon(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    here, elsewhere = await opened(database, tmp_path, clock), await opened(database, tmp_path, clock)
    key, _ = await here.create("one", "k")
    assert await here.find(key.id) is not None
    await elsewhere.revoke("one", key.id)
    clock.ahead = 31
    assert await here.find(key.id) is None
    await here.stop()
    await elsewhere.stop()


async def test_keys_are_bounded(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_KEYS", 2)
    monkeypatch.setattr(service, "_REMEMBERED", 1)
    clock = Clock()
    keys = await opened(database, tmp_path, clock)
    made = [(await keys.create("one", "k"))[0] for _ in range(2)]
    with pytest.raises(TooManyKeys):
        await keys.create("one", "k")
    await keys.create("two", "k")
    await keys.revoke("one", made[0].id)
    await keys.create("one", "k")
    assert len(await keys.list("one")) == 3
    for key in made:
        await keys.find(key.id)
    assert len(keys._known) == 1
    clock.ahead = 91 * 86_400
    await keys.revoke("one", made[1].id)
    await keys.create("one", "k")
    assert made[0].id not in {key.id for key in await keys.list("one")}
    with pytest.raises(NotFound):
        await keys.revoke("two", made[1].id)
    await keys.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": " "},
        {"label": "x" * 201},
        {"label": "a\nb"},
        {"buckets": []},
        {"buckets": ["UPPER"]},
        {"buckets": [f"b-{number}" for number in range(101)]},
        {"permissions": []},
        {"permissions": ["read", "admin"]},
        {"expires": 1},
    ],
)
async def test_wrong_keys_are_not_made(database: Database, tmp_path: Path, wrong: dict[str, object]) -> None:
    keys = await opened(database, tmp_path, Clock())
    with pytest.raises(BadRequest):
        await keys.create(**{"project": "one", "label": "k", **wrong})  # type: ignore[arg-type]
    await keys.stop()


# ---- the admin API


def admin(box: Box, project: str = "one") -> httpx.AsyncClient:
    api = signed_in(build_api([build_router(box.keys, lambda: box.endpoint)], project_exists=any_project))
    headers = {"v8box-project": project}
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost", headers=headers)


async def test_make_use_list_and_revoke(box: Box) -> None:
    here, there = admin(box), admin(box, "two")
    made = await here.post(
        "/admin/s3/keys",
        json={"label": "laptop", "buckets": ["v8box"], "permissions": ["list"], "expires_in_seconds": 60},
    )
    assert made.status_code == 201, made.text
    key = made.json()["data"]
    assert (key["endpoint"], key["region"], key["usable"]) == (box.endpoint, "us-east-1", True)
    both = {"key_id": key["id"], "secret": key["secret"]}
    assert (await signed(box, "GET", "/v8box", **both).send(box)).status_code == 200
    assert (await signed(box, "GET", "/v8box/k", **both).send(box)).status_code == 403
    listed = (await here.get("/admin/s3/keys")).json()["data"]
    assert {each["label"] for each in listed} == {"laptop", "tests"}
    assert key["secret"] not in str(listed)
    assert (await there.get("/admin/s3/keys")).json()["data"] == []
    where = f"/admin/s3/keys/{key['id']}"
    assert (await there.delete(where)).status_code == 404
    assert (await here.delete(where)).json()["success"] is True
    assert (await signed(box, "GET", "/v8box", **both).send(box)).status_code == 403
    assert [each["usable"] for each in (await here.get("/admin/s3/keys")).json()["data"]].count(False) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"label": ""},
        {"label": "k", "project": "two"},
        {"label": "k", "permissions": ["admin"]},
        {"label": "k", "permissions": []},
        {"label": "k", "buckets": []},
        {"label": "k", "buckets": ["../x"]},
        {"label": "k", "expires_in_seconds": 0},
    ],
)
async def test_wrong_requests_are_refused(box: Box, body: dict[str, object]) -> None:
    answer = await admin(box).post("/admin/s3/keys", json=body)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
