"""Hrana over HTTP on real databases: requests, streams, transactions, batches, cursors."""

from __future__ import annotations

from typing import Any

from tests.hrana.conftest import World


def outcome(result: Any) -> str:
    return "ok" if result["type"] == "ok" else str(result["error"].get("code"))


async def test_versions_need_no_token(world: World) -> None:
    for path, status in {"/v2": 200, "/v3": 200, "/v3-protobuf": 404, "/crm/v2": 200, "/": 404}.items():
        assert (await world.http.get(path)).status_code == status, path


async def test_a_statement_with_values_of_every_kind(world: World) -> None:
    token = await world.token("crm")
    args = [
        {"type": "null"},
        {"type": "integer", "value": "-9223372036854775808"},
        {"type": "float", "value": 1},
        {"type": "text", "value": "žluť 🐎"},
        {"type": "blob", "base64": "AAECAw"},
    ]
    stmt = {"sql": "select ? as a, ?, ?, ?, ?", "args": args}
    (result,) = (await world.pipeline(token, {"type": "execute", "stmt": stmt}))["results"]
    args[4]["base64"] = "AAECAw=="
    assert result["response"]["type"] == "execute"
    told = result["response"]["result"]
    assert told["cols"][0] == {"name": "a", "decltype": None}
    assert told["affected_row_count"] == 0
    got = told["rows"][0]
    got[4]["base64"] += "=" * (-len(got[4]["base64"]) % 4)
    assert got == args
