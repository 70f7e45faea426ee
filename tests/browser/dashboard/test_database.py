"""Databases in the dashboard: made, filled, asked and drawn; what rows hold is text, whatever it looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect
from tests.browser.dashboard.conftest import Dash

DATABASES = "/admin/database/databases"
DASH = "\u2013"
MARKUP = '<img src=x onerror="throw 1"> 🦆 & "quotes"'
ODD_TABLE = '<b>odd</b> 🦆 \'n "q"'


def ask(admin: httpx.Client, sql: str, *args: object) -> list[dict[str, object]]:
    answer = admin.post("/admin/database/query/shop", json={"query": sql, "args": list(args)})
    assert answer.is_success, answer.text
    rows: list[dict[str, object]] = answer.json()["data"]["rows"]
    return rows


@pytest.fixture
def shop(admin: httpx.Client) -> Iterator[str]:
    """Customers, their orders, and a table whose name is a trap."""
    admin.post(DATABASES, json={"name": "shop"}).raise_for_status()
    ask(admin, "create table customers (id integer primary key, name text not null, score real, photo blob)")
    ask(
        admin,
        "create table orders (id integer primary key, customer integer not null references customers (id),"
        " note text default 'none')",
    )
    ask(admin, "create index orders_customer on orders (customer)")
    quoted = ODD_TABLE.replace('"', '""')
    ask(admin, f'create table "{quoted}" ("<i>column</i>" text)')
    ask(admin, "insert into customers (name, score, photo) values (?, null, x'00ff10')", MARKUP)
    ask(admin, "insert into customers (name, score) values ('Ada', 7)")
    yield "shop"
    admin.delete(f"{DATABASES}/shop").raise_for_status()


def write(page: Page, text: str) -> None:
    """Replaces what is in the editor."""
    page.locator(".monaco-editor .view-lines").first.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def test_a_database_is_made_and_deleted_by_its_name(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/database")
    page.get_by_role("button", name="New database").click()
    page.get_by_label("Name").fill("crm")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="crm").click()
    expect(page.get_by_text("No table yet")).to_be_visible()
    expect(page.get_by_text("of 1 GB")).to_be_visible()
    dash.look("database-empty")
    page.get_by_role("link", name="Databases").last.click()
    expect(page.get_by_text("Databases, buckets and sites of this project take")).to_be_visible()
    dash.look("databases")
    page.get_by_role("button", name="crm: Change").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("textbox").fill("crm")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("crm is deleted")).to_be_visible()
    assert "crm" not in [each["name"] for each in admin.get(DATABASES).json()["data"]]


def test_a_table_is_made_and_filled(dash: Dash, admin: httpx.Client, shop: str) -> None:
    page = dash.open(f"/projects/default/database/{shop}")
    dash.look("database-tables")
    page.get_by_role("button", name="New table").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("reviews")
    dialog.get_by_label("Name of column 2").fill("text")
    dialog.get_by_role("button", name="Add column").click()
    dialog.get_by_label("Name of column 3").fill("customer")
    dialog.get_by_label("Type of column 3").click()
    page.get_by_role("option", name="INTEGER").click()
    dialog.get_by_label("Reference of column 3").click()
    page.get_by_role("option", name="→ customers").click()
    expect(dialog).to_contain_text('"customer" INTEGER REFERENCES "customers"')
    dash.look("database-new-table")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_text("No rows", exact=True)).to_be_visible()

    page.get_by_role("button", name="New row").click()
    dialog.get_by_label("text TEXT").fill(MARKUP)
    dash.look("database-new-row")
    dialog.get_by_role("button", name="Insert").click()
    grid = page.get_by_role("grid", name="Rows of reviews")
    expect(grid).to_contain_text(MARKUP)
    expect(grid).to_contain_text("NULL")
    assert ask(admin, "select * from reviews") == [{"id": 1, "text": MARKUP, "customer": None}]
    keys = admin.get(f"{DATABASES}/{shop}/schema").json()["data"]["tables"]
    assert next(each for each in keys if each["name"] == "reviews")["foreignKeys"][0]["table"] == "customers"


def test_rows_are_sorted_filtered_changed_and_deleted(dash: Dash, admin: httpx.Client, shop: str) -> None:
    page = dash.open(f"/projects/default/database/{shop}/tables/customers")
    grid = page.get_by_role("grid")
    expect(grid).to_contain_text(MARKUP)
    expect(grid).to_contain_text("blob, 3 B")
    dash.look("database-rows")
    grid.get_by_role("button", name="name").click()
    grid.get_by_role("button", name="name").click()
    expect(grid.get_by_role("row").nth(1)).to_contain_text("Ada")

    ada = grid.get_by_role("row").filter(has_text="Ada")
    ada.get_by_role("gridcell", name="7", exact=True).dblclick()
    page.get_by_label("Value of score").fill("8.5")
    page.keyboard.press("Enter")
    expect(ada).to_contain_text("8.5")
    assert ask(admin, "select score from customers where name = 'Ada'") == [{"score": 8.5}]

    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Column to filter by").click()
    page.get_by_role("option", name="name").click()
    page.get_by_label("How to compare").click()
    page.get_by_role("option", name="contains").click()
    page.get_by_label("Value to compare with").fill("onerror")
    page.get_by_role("button", name="Add filter").click()
    expect(ada).to_have_count(0)
    expect(page).to_have_url(re.compile("filter="))
    dash.look("database-rows-filtered")
    page.get_by_role("button", name="Remove filter").click()

    ada.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 row deleted")).to_be_visible()
    expect(ada).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(ada).to_be_visible()
    assert ask(admin, "select count(*) as n from customers") == [{"n": 2}]


def test_a_value_is_edited_where_it_stands_and_nothing_else_of_it(dash: Dash, admin: httpx.Client, shop: str) -> None:
    ask(admin, "insert into customers (id, name) values (7, ?)", "two\nlines")

    def row() -> dict[str, object]:
        return ask(admin, "select name, score, photo from customers where id = 7")[0]

    page = dash.open(f"/projects/default/database/{shop}/tables/customers")
    line = page.get_by_role("grid").get_by_role("row").filter(has_text="two")
    score = line.get_by_role("gridcell").nth(3)
    value = page.get_by_label("Value of score")
    dialog = page.get_by_role("dialog")

    # By keys alone, and nothing typed: NULL stays NULL, and the cell has the focus again.
    score.focus()
    page.keyboard.press("Enter")
    expect(value).to_be_focused()
    page.keyboard.press("Enter")
    expect(score).to_be_focused()
    assert row()["score"] is None
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")  # in front of the values a row is chosen
    expect(page.get_by_text("1 row chosen")).to_be_visible()
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(score).to_be_focused()
    page.keyboard.press("F2")
    value.fill("9")
    page.get_by_role("heading", level=1).click()  # who goes on elsewhere has meant it
    expect(score).to_have_text("9")
    assert row()["score"] == 9
    score.dblclick()
    value.fill("10")
    page.keyboard.press("Escape")
    expect(score).to_be_focused()
    score.dblclick()
    value.fill("")
    page.keyboard.press("Enter")
    expect(score).to_have_text("NULL")
    assert row() == {"name": "two\nlines", "score": None, "photo": None}

    # What has lines keeps them.
    line.get_by_role("gridcell").nth(2).dblclick()
    expect(dialog.get_by_label("Value of name")).to_have_value("two\nlines")
    dialog.get_by_label("Value of name").fill("three\nlines\nnow")
    dash.look("database-value")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("grid")).to_contain_text("three")
    assert row()["name"] == "three\nlines\nnow"

    # Somebody else was quicker: theirs stays, and is shown.
    theirs = page.get_by_role("grid").get_by_role("row").filter(has_text="three").get_by_role("gridcell").nth(3)
    theirs.dblclick()
    value.fill("1")
    ask(admin, "update customers set score = 2 where id = 7")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Somebody else has changed or deleted this row meanwhile")).to_be_visible()
    assert row()["score"] == 2
    page.keyboard.press("Escape")
    expect(theirs).to_have_text("2")

    # A blob is bytes, and may be another one.
    page.get_by_role("grid").get_by_role("row").filter(has_text="onerror").get_by_text("blob, 3 B").dblclick()
    expect(dialog.get_by_label("Value of photo")).to_contain_text("00 ff 10")
    dialog.get_by_label("Replace by a file").last.set_input_files({"name": "a", "mimeType": "a/b", "buffer": b"ab"})
    expect(dialog.get_by_label("Value of photo")).to_contain_text("61 62")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert ask(admin, "select photo from customers where id = 1") == [{"photo": {"base64": "YWI="}}]


def test_rows_that_take_others_along_say_so(dash: Dash, admin: httpx.Client, shop: str) -> None:
    ask(admin, "create table notes (id integer primary key, customer references customers (id) on delete cascade)")
    page = dash.open(f"/projects/default/database/{shop}/tables/customers")
    page.get_by_role("grid").get_by_role("row").filter(has_text="Ada").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Rows of notes that refer to them are deleted")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 row deleted")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_many_rows_come_in_pages(dash: Dash, admin: httpx.Client, shop: str) -> None:
    ask(
        admin,
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)"
        " insert into orders (customer, note) select 1, 'order ' || i from n",
    )
    page = dash.open(f"/projects/default/database/{shop}/tables/orders?from=19900")
    expect(page.get_by_text(f"19,901{DASH}20,000 of 20,000")).to_be_visible()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_text(f"19,801{DASH}19,900 of 20,000")).to_be_visible()


def test_pages_are_found_from_both_ends_of_a_long_table(dash: Dash, admin: httpx.Client, shop: str) -> None:
    ask(
        admin,
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)"
        " insert into orders (customer, note) select 1, 'order ' || i from n",
    )
    page = dash.open(f"/projects/default/database/{shop}/tables/orders")
    grid = page.get_by_role("grid")
    expect(page.get_by_text(f"1{DASH}100 of 20,000")).to_be_visible()
    page.get_by_role("button", name="Last", exact=True).click()
    expect(page.get_by_text(f"19,901{DASH}20,000 of 20,000")).to_be_visible()
    expect(grid).to_contain_text("order 20000")
    dash.look("database-rows-last")
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_text(f"19,801{DASH}19,900 of 20,000")).to_be_visible()
    expect(grid).to_contain_text("order 19801")
    page.reload()
    expect(page.get_by_text(f"19,801{DASH}19,900 of 20,000")).to_be_visible()  # the address keeps the place
    page.get_by_role("button", name="Next").click()
    expect(grid).to_contain_text("order 20000")
    page.get_by_label("Go to row").fill("12345")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"12,345{DASH}12,444 of 20,000")).to_be_visible()
    expect(grid.get_by_role("row").nth(1)).to_contain_text("12345")
    grid.get_by_role("button", name="note").click()  # no index
    expect(page.get_by_text(f"1{DASH}100 of 20,000")).to_be_visible()
    expect(grid.get_by_role("row").nth(2)).to_contain_text("order 10")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text(f"101{DASH}200 of 20,000")).to_be_visible()
    assert grid.get_by_role("row").count() == 101  # however long the table is
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("menuitem", name="CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 20_001

    # A long table that is sorted without an index says so, and what helps.
    ask(admin, "insert into orders (customer) values (1)")
    page.reload()
    expect(page.get_by_text("No index on note")).to_be_visible()
    page.get_by_role("link", name="Add index").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="note")).to_be_checked()
    dialog.get_by_role("button", name="Add index").click()
    expect(page.get_by_text("orders_note", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_text("of 20,001")).to_be_visible()
    expect(page.get_by_text("No index on note")).to_have_count(0)


CSV = 'id;name;score;zip\n1;"<b>Ada</b> 🦆";7;01234\n2;"two\nlines";;00007\n'


def test_a_file_becomes_a_table(dash: Dash, admin: httpx.Client, shop: str, tmp_path: Path) -> None:
    file = tmp_path / "people <b>2026.csv"
    file.write_text(CSV)
    page = dash.open(f"/projects/default/database/{shop}")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Choose a file").last.set_input_files(file)
    columns = dialog.get_by_role("table", name="Columns")
    expect(columns).to_contain_text("<b>Ada</b> 🦆")
    expect(dialog.get_by_label("Its name")).to_have_value("people_b_2026")
    expect(dialog.get_by_label("Separated by")).to_contain_text("semicolon")
    expect(columns.get_by_label("Type of zip")).to_contain_text("TEXT")
    columns.get_by_role("checkbox", name="Take score").uncheck()
    columns.get_by_label("Column for name").fill("full name")
    dialog.get_by_label("Primary key").click()
    page.get_by_role("option", name="id").click()
    dash.look("database-import")
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_text("2 rows are in")).to_be_visible()
    dash.look("database-imported")
    dialog.get_by_role("button", name="Open the table").click()
    expect(page.get_by_role("grid", name="Rows of people_b_2026")).to_contain_text("<b>Ada</b> 🦆")
    assert ask(admin, "select * from people_b_2026") == [
        {"id": 1, "full name": "<b>Ada</b> 🦆", "zip": "01234"},
        {"id": 2, "full name": "two\nlines", "zip": "00007"},
    ]


def test_a_refused_file_says_at_which_line(dash: Dash, admin: httpx.Client, shop: str, tmp_path: Path) -> None:
    file = tmp_path / "customers.jsonl"
    file.write_text('{"id": 70, "name": "<i>x</i>"}\n{"id": 71, "name": null}\n')
    page = dash.open(f"/projects/default/database/{shop}/tables/customers")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Choose a file").last.set_input_files(file)
    expect(dialog.get_by_label("Column for name")).to_contain_text("name")
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Line 2: NOT NULL constraint failed: customers.name")
    dash.look("database-import-refused")
    assert ask(admin, "select count(*) as n from customers") == [{"n": 2}]
    dialog.get_by_role("button", name="Back").click()
    file.write_text("{nonsense")
    dialog.get_by_label("Choose a file").last.set_input_files(file)
    expect(dialog.get_by_role("alert")).to_contain_text("Line 1: this is no JSON")
    expect(dialog.get_by_role("button", name="Import")).to_be_disabled()


def test_sql_is_completed_run_explained_kept_and_exported(dash: Dash, admin: httpx.Client, shop: str) -> None:
    page = dash.open(f"/projects/default/database/{shop}/sql")
    write(page, "select * from custo")
    page.keyboard.press("Control+Space")
    expect(page.locator(".suggest-widget")).to_contain_text("customers")
    page.keyboard.press("Escape")

    write(page, "select nothing;\nselect id, name, score from customers order by id;")
    page.keyboard.press("Control+Enter")
    result = page.get_by_role("table", name="Result")
    expect(result).to_contain_text(MARKUP)
    expect(result).to_contain_text("NULL")
    expect(page.get_by_text(re.compile(r"^2 rows · "))).to_be_visible()
    dash.look("database-sql")

    with page.expect_download() as csv:
        page.get_by_role("button", name="CSV").click()
    lines = Path(csv.value.path()).read_text().splitlines()
    assert lines[:2] == ["id,name,score", '1,"<img src=x onerror=""throw 1""> 🦆 & ""quotes""",']
    with page.expect_download() as exported:
        page.get_by_role("button", name="JSON").click()
    assert json.loads(Path(exported.value.path()).read_text())[1] == {"id": 2, "name": "Ada", "score": 7.0}

    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("SCAN customers")).to_be_visible()
    dash.look("database-explain")

    page.get_by_role("button", name="Save query").click()
    page.get_by_label("Name of the query").fill("<b>best</b>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("<b>best</b> is saved")).to_be_visible()
    address = "/api/v1/projects/default/saved-queries"
    [saved] = admin.get(address, params={"database": shop}).json()["items"]  # for all members
    assert saved["sql"].endswith("order by id;")
    page.wait_for_url(re.compile(f"query={saved['id']}"))
    write(page, "selec 1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").filter(has_text="syntax error")).to_be_visible()
    expect(page.get_by_text("not saved", exact=True)).to_be_visible()
    page.reload()
    code = page.locator(".monaco-editor .view-lines").first
    expect(code).to_contain_text("selec 1")
    page.get_by_role("button", name="Saved queries").click()
    dash.look("database-saved-queries")
    page.get_by_role("button", name="<b>best</b>").first.click()
    expect(code).to_contain_text("order by")

    # Of two who save it the second is told, and takes another name.
    write(page, "select 2")
    admin.patch(f"{address}/{saved['id']}", json={"sql": "select 'theirs'"}).raise_for_status()
    code.click()
    page.keyboard.press("ControlOrMeta+s")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("changed it meanwhile")
    dialog.get_by_label("Name of the query").fill("mine")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_have_count(0)
    listed = admin.get(address, params={"database": shop}).json()["items"]
    assert {each["name"]: each["sql"] for each in listed} == {"<b>best</b>": "select 'theirs'", "mine": "select 2"}
    page.get_by_role("button", name="Saved queries").click()
    dialog.get_by_role("button", name="Delete the query mine").click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    # What takes long is stopped.
    write(page, "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert").filter(has_text="You have stopped it")).to_be_visible()
    write(page, "select 41 + 1 as answer")
    page.keyboard.press("Control+Enter")
    expect(result).to_contain_text("42")


def test_a_token_is_made_and_revoked(dash: Dash, admin: httpx.Client, shop: str) -> None:
    page = dash.open("/projects/default/database")
    page.get_by_role("link", name="Database tokens").click()
    page.get_by_role("button", name="New token").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What it is for").fill("<b>laptop</b>")
    dialog.get_by_label("Databases").fill(shop)
    dialog.get_by_role("checkbox", name="May only read").check()
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_label("The token")).to_contain_text("v8db_")
    expect(dialog.get_by_label("Addresses")).to_contain_text(f"/{shop}/")
    dash.look("database-token")
    dialog.get_by_role("button").last.click()
    expect(page.get_by_role("table")).to_contain_text(f"reads · {shop}")
    dash.look("database-tokens")
    page.get_by_role("button", name="Revoke: <b>laptop</b>").click()
    dialog.get_by_role("textbox").fill("<b>laptop</b>")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("<b>laptop</b> is revoked")).to_be_visible()
    assert "<b>laptop</b>" not in admin.get("/admin/database/tokens").text


def test_the_structure_is_changed(dash: Dash, admin: httpx.Client, shop: str) -> None:
    page = dash.open(f"/projects/default/database/{shop}/tables/orders/structure")
    dash.look("database-structure")
    page.get_by_role("button", name="Add column").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of column 1").fill("it's <new>")
    dialog.get_by_label("Default of column 1").fill("o'clock")
    dialog.get_by_role("button", name="Add column").click()
    expect(page.get_by_role("table", name="Columns")).to_contain_text("it's <new>")
    page.get_by_role("button", name="Add index").click()
    dialog.get_by_role("checkbox", name="note").check()
    dialog.get_by_role("button", name="Add index").click()
    expect(page.get_by_text("orders_note", exact=True)).to_be_visible()
    page.get_by_role("button", name="Drop the column it's <new>").click()
    dialog.get_by_role("textbox").fill("it's <new>")
    dialog.get_by_role("button", name="Drop").click()
    expect(page.get_by_text("The column it's <new> is dropped")).to_be_visible()
    columns = [each["name"] for each in ask(admin, "select name from pragma_table_info('orders')")]
    assert columns == ["id", "customer", "note"]

    page.get_by_role("button", name="Drop table").click()
    dialog.get_by_role("textbox").fill("orders")
    dialog.get_by_role("button", name="Drop table").click()
    expect(page.get_by_role("table", name="Tables")).to_contain_text(ODD_TABLE)
    assert ask(admin, "select name from sqlite_schema where name = 'orders'") == []


def test_the_diagram_shows_relations_and_leads_to_tables(dash: Dash, shop: str) -> None:
    page = dash.open(f"/projects/default/database/{shop}/diagram")
    drawing = page.get_by_role("group", name="Tables and their relations")
    expect(drawing.locator("path")).to_have_count(1)
    expect(drawing.locator("title")).to_have_text("orders.customer → customers")
    expect(drawing.get_by_role("link")).to_have_count(3)
    expect(drawing.get_by_role("link", name=ODD_TABLE)).to_contain_text("<i>column</i>")
    dash.look("database-diagram")
    page.get_by_role("checkbox", name="Keys only").check()
    expect(drawing).not_to_contain_text("score")
    expect(drawing.get_by_role("link", name="customers")).to_contain_text("3 more")
    expect(drawing.locator("path")).to_have_count(1)
    page.get_by_label("Find a table").fill("ORD")
    expect(drawing.get_by_role("link", name="orders").locator("rect")).to_have_attribute("stroke-width", "3")
    page.get_by_label("Find a table").fill("")
    page.get_by_role("checkbox", name="Keys only").uncheck()
    page.get_by_role("button", name="Larger").click()
    drawing.get_by_role("link", name=ODD_TABLE).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=ODD_TABLE)).to_be_visible()
    page.get_by_role("link", name="Rows", exact=True).click()
    expect(page.get_by_text("No rows", exact=True)).to_be_visible()  # its slash is a part of the name


def test_migrations_are_listed_and_rolled_back(dash: Dash, admin: httpx.Client, shop: str) -> None:
    migrations = [{"number": 1, "name": "tags", "sql": "create table tags (t)", "down": "drop table tags"}]
    admin.post(f"{DATABASES}/{shop}/migrations", json={"migrations": migrations}).raise_for_status()
    page = dash.open(f"/projects/default/database/{shop}/migrations")
    dash.look("database-migrations")

    # Files are tried on a copy, then applied; what the database has seen has to be among them.
    def choose(**files: str) -> None:
        chosen: list[FilePayload] = [
            {"name": f"{name}.sql", "mimeType": "text/plain", "buffer": text.encode()} for name, text in files.items()
        ]
        page.get_by_label("Choose files").last.set_input_files(chosen)

    page.get_by_role("button", name="Apply files").click()
    dialog = page.get_by_role("dialog")
    choose(notes="x")
    expect(dialog.get_by_role("alert")).to_contain_text("None of the files is a migration")
    choose(**{"0002_more": "create table more (m)"})
    expect(dialog.get_by_role("alert")).to_contain_text("migration 1 (tags) is applied, but its file is not there")
    known = {"0001_tags": "create table tags (t)", "0001_tags.down": "drop table tags"}
    choose(**known, **{"0002_more": "create table more (m)", "0002_more.down": "drop table more"})
    expect(dialog).to_contain_text("table more: created")
    assert ask(admin, "select name from sqlite_schema where name = 'more'") == []
    dash.look("database-migrations-apply")
    dialog.get_by_role("button", name="Apply 1 migration").click()
    expect(page.get_by_text("1 migration is applied")).to_be_visible()
    assert ask(admin, "select name from sqlite_schema where name = 'more'") == [{"name": "more"}]
    expect(page.get_by_role("table", name="Migrations").locator("tbody tr")).to_have_count(2)
    undo = {"steps": 1, "dryRun": False}
    admin.post(f"{DATABASES}/{shop}/migrations/rollback", json=undo).raise_for_status()
    page.reload()
    page.get_by_role("button", name="Roll back the newest").click()
    expect(dialog).to_contain_text("table tags: dropped")
    dialog.get_by_role("textbox").fill("tags")
    dialog.get_by_role("button", name="Roll back the newest").click()
    expect(page.get_by_text("No migration was applied")).to_be_visible()
    assert ask(admin, "select name from sqlite_schema where name = 'tags'") == []


def test_a_viewer_sees_and_may_not(visitor: Callable[[str], Dash], shop: str) -> None:
    page = visitor("viewer").open(f"/projects/default/database/{shop}/tables/customers")
    expect(page.get_by_role("grid")).to_contain_text("Ada")
    expect(page.get_by_role("button", name="New row")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("link", name="SQL").click()
    expect(page.get_by_role("button", name="Run")).to_have_attribute("aria-disabled", "true")
