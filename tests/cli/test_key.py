"""`v8box key` against a real box: a key opens what it says, as often as it says, until it is changed or deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.real import Shell


@pytest.fixture(scope="module")
def guarded(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A worker that asks for a key."""
    folder = tmp_path_factory.mktemp("guarded") / "guarded"
    folder.mkdir()
    (folder / "main.ts").write_text("export default { fetch: () => new Response('in') };\n")
    (folder / "v8box.toml").write_text('[auth]\napi_key = "required"\n')
    shell.data("deploy", str(folder))
    yield shell
    shell.call("delete", "guarded", "--yes")


def test_a_key_opens_a_worker_until_it_is_deleted(guarded: Shell) -> None:
    guarded.fails(4, "run", "guarded")
    made = guarded.data("key", "create", "shop", "--worker", "guarded", "--method", "get", "--expires", "1h")
    assert made["methods"] == ["GET"]
    assert guarded.data("run", "guarded", "--key", made["key"])["body"] == "in"
    guarded.fails(4, "run", "guarded", "--key", made["key"], "-X", "POST")
    listed = guarded.call("key", "list").stdout
    assert "shop" in listed
    assert made["key"] not in listed
    assert guarded.data("key", "show", made["id"])["name"] == "shop"
    assert guarded.data("key", "change", made["id"], "--name", "shop 2", "--worker", "other")["name"] == "shop 2"
    guarded.fails(4, "run", "guarded", "--key", made["key"])
    assert "--yes" in guarded.fails(1, "key", "delete", made["id"])
    assert guarded.call("key", "delete", made["id"], "--yes").returncode == 0
    guarded.fails(3, "key", "show", made["id"])


def test_a_rotated_key_overlaps_and_a_rate_is_kept(guarded: Shell) -> None:
    made = guarded.data("key", "create", "often", "--rate", "100/m")
    assert made["rate_limit"]["window_seconds"] == 60
    again = guarded.data("key", "rotate", made["id"], "--overlap", "1h")
    for key in (made["key"], again["key"]):
        assert guarded.data("run", "guarded", "--key", key)["body"] == "in"
    assert guarded.data("key", "rotate", made["id"])["previous_valid_until"] is None
    guarded.fails(4, "run", "guarded", "--key", again["key"])
    guarded.call("key", "delete", made["id"], "--yes")


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("create", "x", "--rate", "often"), "100/m"),
        (2, ("create", "x", "--expires", "soon"), "30d"),
        (1, ("create", "x", "--path", "no-slash"), ""),
        (1, ("create", "x", "--from", "everywhere"), ""),
        (2, ("change", "nope"), "what to change"),
        (3, ("change", "nope", "--name", "y"), ""),
        (3, ("rotate", "nope"), ""),
        (3, ("create", "x", "-p", "nope"), "nope"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "key", *words)
