"""A worker that asks the database once for each row is found and explained, from the API and the command alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.real import Shell
from tests.e2e.box import RunningBox

ORDERS = """export default async function ({ db }: V8Box.Context, params: V8Box.Params) {
  await db.execute("create table if not exists items (id integer primary key, order_id integer, name text)");
  const names: unknown[] = [];
  for (let order = 0; order < 57; order++) {
    // the value stands in the statement, as it should not; it is nobody's to see
    const found = await db.execute(`SELECT name FROM items WHERE order_id = ${order} AND name <> 'hunter2'`);
    names.push(found.rows.length);
  }
  const until = Date.now() + Number(params.ms ?? 0);
  while (Date.now() < until);
  return names.length;
}
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("slow")
    (directory / "functions").mkdir()
    (directory / "functions" / "orders.ts").write_text(ORDERS)
    (directory / "v8box.toml").write_text("[workers.orders.observability]\nslow_ms = 300\n")
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def slow(box: RunningBox, runs: int) -> Any:
    found: list[Any] = []

    def counted() -> bool:
        found[:] = box.admin.get("/api/v1/projects/default/slow", params={"worker": "orders"}).json()["items"]
        return bool(sum(each["runs"] for each in found) >= runs)

    box.until(counted)
    [group] = found
    return group


def test_the_statement_that_is_asked_again_and_again_is_named(box: RunningBox, tmp_path: Path) -> None:
    for number in range(3):
        assert box.run(f"orders/{number}").status_code == 200
    group = slow(box, 3)
    assert (group["method"], group["pattern"]) == ("GET", "/:id")
    [repeated] = group["repeated"]
    assert repeated["what"] == "SELECT name FROM items WHERE order_id = ? AND name <> ?"
    assert (repeated["binding"], repeated["operation"], repeated["calls"]) == ("db", "execute", 3 * 57)
    assert "57 times" in repeated["text"]
    assert "batch()" in repeated["text"]
    assert group["split"]["db"] > 0
    shown = Shell(box, tmp_path / "home").call("slow", "--worker", "orders")
    assert "/:id" in shown.stdout
    assert "57 times" in shown.stderr
    assert "hunter2" not in str(group) + shown.stdout + shown.stderr


def test_a_run_over_its_workers_own_limit_is_slow(box: RunningBox) -> None:
    assert box.run("orders/8", params={"ms": "3000"}).status_code == 200
    box.until(lambda: slow(box, 1)["worst"]["duration_ms"] >= 3_000)
    worst = slow(box, 1)["worst"]
    assert worst["findings"][0]["kind"] == "slow"
    assert worst["split"]["code"] >= 2_900
