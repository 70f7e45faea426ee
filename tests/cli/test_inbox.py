"""`v8box inbox` against a real box: what wants attention, here and everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.real import Shell


@pytest.fixture(scope="module")
def thrower(shell: Shell) -> Iterator[Shell]:
    file = shell.box.directory / "functions" / "thrower.ts"
    mark = shell.box.mark()
    file.write_text("export default () => { throw new TypeError('\\x1b[2Jno cart'); };\n")
    shell.box.wait_line("thrower is live", mark)
    assert shell.box.run("thrower").status_code == 500
    yield shell
    file.unlink()


def test_what_wants_attention_is_listed_and_where_there_is_more(thrower: Shell) -> None:
    thrower.box.until(lambda: any(each["worker"] == "thrower" for each in thrower.data("inbox")["items"]))
    [notice] = [each for each in thrower.data("inbox")["items"] if each["worker"] == "thrower"]
    assert (notice["kind"], notice["project"]) == ("error", "default")
    shown = thrower.call("inbox")
    assert "thrower: TypeError" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "More of the newest:" in shown.stderr
    assert notice["id"] in {each["id"] for each in thrower.data("inbox", "--all")["items"]}
    assert thrower.call("errors", "resolve", notice["id"]).returncode == 0
    assert notice["id"] not in {each["id"] for each in thrower.data("inbox")["items"]}


def test_nothing_of_another_project_is_told(thrower: Shell) -> None:
    assert thrower.call("project", "create", "quiet").returncode == 0
    told = thrower.call("inbox", "--project", "quiet")
    assert "Nothing wants attention here" in told.stderr
    assert thrower.data("inbox", "--project", "quiet") == {"items": [], "running": 0}
