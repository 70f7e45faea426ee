"""Tables as files: what goes out comes in the same, in pieces, whatever it is called."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import quote

import httpx
import pytest
from tests.database.test_paging import ask, filled

from v8box.features.database import exports

TABLE = '<b>t 🦆 "q"'
MARKUP = '=cmd|"x"!A1, <img src=x>\r\nline'


async def test_a_table_goes_out_in_pieces(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE", 2)
    await filled(client, "plain")
    whole = await ask(client, "select * from plain order by id")
    base = "databases/default/tables/plain/export"
    assert (await client.get(base, params={"format": "json"})).json() == whole
    lines = (await client.get(base, params={"format": "jsonl"})).text.splitlines()
    assert [json.loads(each) for each in lines] == whole
    answer = await client.get(
        base, params={"where": "id > ? and w = ?", "whereArgs": '[3, "w2"]', "orderBy": "id", "order": "desc"}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [each["id"] for each in found] == [
        str(each["id"]) for each in reversed(whole) if each["w"] == "w2" and int(str(each["id"])) > 3
    ]


async def test_odd_names_and_values(client: httpx.AsyncClient) -> None:
    name = TABLE.replace('"', '""')
    await ask(client, f'create table "{name}" ("<i>a</i>" text, b blob)')
    base = f"databases/default/tables/{quote(TABLE, safe='')}/export"
    empty = await client.get(base, params={"format": "json"})
    assert (empty.json(), (await client.get(base)).text) == ([], "<i>a</i>,b\r\n".replace("<i>a</i>", "rowid,<i>a</i>"))
    await ask(client, f"insert into \"{name}\" values (?, x'00ff'), (null, null)", MARKUP)
    answer = await client.get(base)
    assert answer.headers["content-disposition"].startswith('attachment; filename="_b_t____q_.csv"; filename*=')
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [
        ["rowid", "<i>a</i>", "b"], ["1", MARKUP, "AP8="], ["2", "", ""],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query", [{"where": "a = ("}, {"whereArgs": "x"}, {"whereArgs": "{}"}, {"format": "xml"}, {"orderBy": "nope"}]
)
async def test_what_cannot_be_exported(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    await ask(client, "create table t (a)")
    answer = await client.get("databases/default/tables/t/export", params={"where": "1 = 1", **query})
    assert answer.status_code in (400, 404)
    assert (await client.get("databases/default/tables/none/export")).status_code == 404
