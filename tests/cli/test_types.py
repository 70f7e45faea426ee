"""`v8box types` against a real box."""

from __future__ import annotations

from pathlib import Path

from tests.cli.real import Shell


def test_the_types_of_a_projects_tables_are_written(shell: Shell, tmp_path: Path) -> None:
    shell.call("db", "query", "CREATE TABLE order_items (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
    shell.call("types", "-o", str(tmp_path / "v8box.d.ts"))
    written = (tmp_path / "v8box.d.ts").read_text()
    assert "interface OrderItems {" in written
    assert "declare namespace V8Box {" in written
    assert written.strip() in shell.call("types", "-o", "-").stdout
