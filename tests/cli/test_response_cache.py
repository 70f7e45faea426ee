"""`v8box cache` against a real box: what is shown, what a purge throws out, and what it leaves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.cli.real import Shell

from v8box.cli.exits import Exit

KEPT = """
let runs = 0;
export default {
  fetch(request: Request) {
    const tag = new URL(request.url).pathname.slice(1);
    return new Response(`${++runs}`, { headers: { "cache-control": "max-age=600", "cache-tag": tag } });
  },
};
"""


@pytest.fixture(scope="module")
def cached(shell: Shell) -> Iterator[Shell]:
    folder = shell.box.directory / "functions" / "kept"
    folder.mkdir()
    mark = shell.box.mark()
    (folder / "v8box.toml").write_text("[cache]\nenabled = true\n")
    (folder / "main.ts").write_text(KEPT)
    shell.box.wait_line("kept is live", mark)
    yield shell
    shutil.rmtree(folder)


def asked(shell: Shell, *paths: str) -> list[str]:
    return [shell.box.run(f"kept/{path}").text for path in paths]


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (("--tag", "a"), {"a"}),
        (("--tag", "a", "--tag", "b/1"), {"a", "b/1"}),
        (("--path", "/b/1"), {"b/1"}),
        (("--prefix", "/b/"), {"b/1", "b/2"}),
        (("--prefix", "/b/", "--worker", "nobody"), set()),
        (("--worker", "kept"), {"a", "b/1", "b/2"}),
        (("--worker", "nobody"), set()),
        (("--site", "kept"), set()),
        (("--everything",), {"a", "b/1", "b/2"}),
    ],
)
def test_a_purge_throws_out_what_it_names_and_nothing_else(
    cached: Shell, words: tuple[str, ...], gone: set[str]
) -> None:
    paths = ("a", "b/1", "b/2")
    before = asked(cached, *paths)
    assert asked(cached, *paths) == before
    done = cached.call("cache", "purge", *words)
    assert done.returncode == 0, done.stderr
    assert "Purged" in done.stderr
    after = asked(cached, *paths)
    assert {path for path, old, new in zip(paths, before, after, strict=True) if old != new} == gone


def test_what_is_kept_is_shown_by_worker(cached: Shell) -> None:
    asked(cached, "a")
    (was,) = [each for each in cached.data("cache", "show") if each["name"] == "kept"]
    asked(cached, "new", "new", "newer")
    (now,) = [each for each in cached.data("cache", "show") if each["name"] == "kept"]
    assert (now["kind"], now["entries"] - was["entries"]) == ("worker", 2)
    assert (now["hit"] - was["hit"], now["miss"] - was["miss"]) == (1, 2)
    assert now["bytes"] > was["bytes"]
    lines = cached.call("cache", "show").stdout.splitlines()
    assert "revalidated" in lines[0]
    assert any("kept" in line for line in lines[1:])


def test_a_purge_that_names_nothing_is_refused(cached: Shell) -> None:
    (kept,) = asked(cached, "a")
    assert "--everything" in cached.fails(Exit.USAGE, "cache", "purge")
    assert "paths" in cached.fails(Exit.FAILED, "cache", "purge", "--path", "no-slash")
    assert cached.fails(Exit.FAILED, "cache", "purge", "--everything", "--tag", "a")
    assert asked(cached, "a") == [kept]


def test_a_purge_of_another_project_leaves_this_one(cached: Shell) -> None:
    (kept,) = asked(cached, "a")
    cached.call("project", "create", "other-cache")
    assert cached.call("cache", "purge", "--everything", "--project", "other-cache").returncode == 0
    assert asked(cached, "a") == [kept]
