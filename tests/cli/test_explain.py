"""`v8box explain` against a real box: from the host to the policies, or to why there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.real import Shell


def test_a_url_is_followed_to_the_policies(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "explained"
    folder.mkdir()
    (folder / "main.ts").write_text("export default { fetch: () => new Response('in') };\n")
    (folder / "v8box.toml").write_text('[auth]\napi_key = "required"\n')
    shell.data("deploy", str(folder), "-e", "staging")
    url = f"http://localhost:{shell.box.port}/run/explained@staging/a/b"
    found = shell.data("explain", url)
    assert (found["leads_to"], found["worker"], found["environment"]) == ("worker", "explained", "staging")
    [version] = found["versions"]
    assert any(each["on"] and "key" in each["policy"] for each in version["policies"])
    shown = shell.call("explain", "/run/explained@staging/a/b", "-X", "post").stdout
    assert "v1 (" in shown
    assert "POST" in shown
    assert "wall_ms" in shown
    shell.call("delete", "explained", "--yes")


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (3, ("/run/nope",), ""),
        (1, ("nonsense://x",), "url"),
        (1, ("/run/echo", "-X", "G T"), ""),
        (6, ("/run/echo", "--url", "http://127.0.0.1:1"), "No box answers"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "explain", *words)


def test_nowhere_says_why(shell: Shell) -> None:
    assert "why" in shell.call("explain", "/run/nope").stdout
