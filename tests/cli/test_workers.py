"""What is deployed, from the command: looked at, compared, tagged, split, promoted, rolled back, deleted."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.real import Shell

SOURCE = "export default {{ fetch: () => new Response('{word}') }};\n"


def save(shell: Shell, name: str, word: str) -> None:
    mark = shell.box.mark()
    (shell.box.directory / "functions" / f"{name}.ts").write_text(SOURCE.format(word=word))
    shell.box.wait_line(f"{name} is live", mark)


@pytest.fixture(scope="module")
def tale(shell: Shell) -> Iterator[Shell]:
    """A worker with the versions v1 and v2; v2 is live."""
    save(shell, "tale", "one")
    save(shell, "tale", "two")
    yield shell
    (shell.box.directory / "functions" / "tale.ts").unlink(missing_ok=True)


def test_a_worker_is_listed_and_shown(tale: Shell) -> None:
    listed = {each["name"]: each for each in tale.data("list")}
    assert listed["tale"]["source"] == "folder"
    assert "production v2" in tale.call("list").stdout
    shown = tale.call("show", "tale").stdout
    assert f"http://localhost:{tale.box.port}/run/tale" in shown
    assert tale.data("show", "tale", "v1")["files"][0]["path"] == "functions/tale.ts"
    assert tale.call("show", "tale", "v1", "--file", "functions/tale.ts").stdout == SOURCE.format(word="one")
    assert [each["number"] for each in tale.data("versions", "tale")] == [2, 1]
    assert [each["number"] for each in tale.data("versions", "tale", "--limit", "1")] == [2]


def test_workers_are_tagged_and_found_by_it(tale: Shell) -> None:
    save(tale, "teller", "x")
    assert "--add" in tale.fails(2, "worker", "tag", "tale")
    assert "nope" in tale.fails(3, "worker", "tag", "tale", "nope", "--add", "shop")
    assert "fits" in tale.call("list", "--tag", "shop").stderr
    assert tale.call("worker", "tag", "tale", "teller", "--add", "shop", "--add", "eu").returncode == 0
    assert tale.call("worker", "tag", "teller", "--remove", "eu").returncode == 0
    assert [each["name"] for each in tale.data("worker", "list", "--tag", "shop")] == ["tale", "teller"]
    assert [each["name"] for each in tale.data("list", "--tag", "shop", "--tag", "eu")] == ["tale"]
    assert [each["name"] for each in tale.data("worker", "tell")] == ["teller"]
    assert tale.data("worker", "tags") == [{"tag": "eu", "workers": 1}, {"tag": "shop", "workers": 2}]
    assert "eu, shop" in tale.call("show", "tale").stdout
    assert tale.call("delete", "teller", "--yes", "--files").returncode == 0


def test_a_diff_shows_lines(tale: Shell) -> None:
    done = tale.call("diff", "tale", "v1", "v2")
    assert "-export default { fetch: () => new Response('one') };" in done.stdout
    assert "+export default { fetch: () => new Response('two') };" in done.stdout
    assert tale.data("diff", "tale", "v1", "v2")["files"][0]["added"] == 1
    assert "the same" in tale.call("diff", "tale", "v1", "v1").stderr


def test_sources_are_downloaded(tale: Shell, tmp_path: Path) -> None:
    target = str(tmp_path / "tale.zip")
    assert tale.call("download", "tale", "v1", "-o", target).returncode == 0
    content = (tmp_path / "tale.zip").read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["functions/tale.ts"]
    assert "already" in tale.fails(5, "download", "tale", "v1", "-o", target)
    assert "one" in tale.call("download", "tale", "v1", "--bundle", "-o", "-").stdout


def test_tags_name_a_version_and_move(tale: Shell) -> None:
    assert tale.data("tag", "tale", "v1", "good", "old", "--pin", "-m", "the first")["tags"] == ["good", "old"]
    assert tale.data("tag", "tale", "v2", "good")["tags"] == ["good"]
    assert tale.data("tag", "tale", "v1", "--remove", "nope")["tags"] == ["old"]
    assert tale.data("show", "tale", "good")["number"] == 2
    shown = tale.data("tag", "tale", "old", "--remove", "old", "--unpin")
    assert (shown["tags"], shown["pinned"], shown["message"]) == ([], False, "the first")


def test_split_promote_and_roll_back(tale: Shell) -> None:
    def answers(environment: str = "production") -> set[str]:
        suffix = "" if environment == "production" else f"@{environment}"
        return set(Counter(tale.box.run(f"tale{suffix}").text for _ in range(60)))

    split = tale.data("split", "tale", "v1=50", "v2=50", "-m", "try")
    assert [(each["number"], each["weight"]) for each in split["versions"]] == [(1, 50), (2, 50)]
    assert answers() == {"one", "two"}
    assert tale.box.run("tale", headers={"v8box-version": "tale=v1"}).text == "one"
    assert tale.data("split", "tale", "v1=100", "--env", "staging")["environment"] == "staging"
    assert answers("staging") == {"one"}
    done = tale.call("promote", "tale")
    assert "production v1" in done.stdout
    assert "ms" in done.stdout
    assert answers() == {"one"}
    assert tale.data("rollback", "tale", "--to", "v2")["versions"][0]["number"] == 2
    assert answers() == {"two"}
    newest, before = tale.data("history", "tale", "--limit", "2")
    assert (newest["change"], before["change"]) == ("rolled_back", "promoted")
    assert tale.call("delete", "tale", "--env", "staging").returncode == 0


def test_only_who_says_its_name_deletes_a_worker(shell: Shell) -> None:
    save(shell, "gone", "x")
    assert "--yes" in shell.fails(1, "delete", "gone")
    assert "folder" in shell.fails(5, "delete", "gone", "--yes")
    assert shell.call("delete", "gone", "--yes", "--files").returncode == 0
    assert not (shell.box.directory / "functions" / "gone.ts").exists()
    shell.fails(3, "show", "gone")


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (3, ("show", "nope"), "no worker called nope"),
        (3, ("show", "tale", "v99"), ""),
        (3, ("versions", "nope"), ""),
        (3, ("diff", "tale", "v1", "nope"), ""),
        (3, ("rollback", "tale", "--env", "nowhere"), ""),
        (3, ("promote", "tale", "--from", "nowhere"), ""),
        (2, ("split", "tale", "v1"), "v3=90"),
        (1, ("split", "tale", "v1=50", "v2=40"), "100"),
        (2, ("tag", "tale", "v1"), "--pin"),
        (1, ("tag", "tale", "v1", "v2"), ""),
        (2, ("show", "tale", "--file", "x"), "v3"),
        (2, ("versions", "tale", "--limit", "0"), ""),
        (3, ("show", "../../x"), ""),
    ],
)
def test_mistakes_are_told(tale: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in tale.fails(code, *words)
