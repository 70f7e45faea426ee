"""`v8box canary` against a real box: one that goes through, one that is taken back, one that is given up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.cli.real import Shell

GOOD = "export default { fetch: () => new Response('good') };\n"
BAD = "export default { fetch: () => { throw new Error('bad'); } };\n"


_numbers = count(1)


@pytest.fixture
def bird(shell: Shell, tmp_path: Path) -> Iterator[str]:
    """A worker with v1 live, v2 the same but newer, and v3 that fails. Numbers are not given again, so it is a new one
    for each test."""
    name = f"bird-{next(_numbers)}"
    main = tmp_path / name / "main.ts"
    main.parent.mkdir()
    for text in (GOOD, f"{GOOD}// newer\n", BAD):
        main.write_text(text)
        shell.data("deploy", str(main.parent), "-e", "staging")
    shell.data("split", name, "v1=100")
    yield name
    shell.call("delete", name, "--yes")


def test_a_canary_that_does_well_gets_everything(shell: Shell, bird: str) -> None:
    words = ("canary", "start", bird, "v2", "--steps", "50,100", "--every", "1s", "--min-requests", "0", "--watch")
    done = shell.call(*words)
    assert done.returncode == 0, done.stderr
    assert "v2 has 50% of the requests" in done.stderr
    assert shell.data("canary", "status", bird)["state"] == "succeeded"
    assert "succeeded" in shell.call("canary", "status", bird).stdout
    assert "production v2" in shell.call("list").stdout


def test_one_that_is_given_up_gives_everything_back(shell: Shell, bird: str) -> None:
    started = shell.data("canary", "start", bird, "v3", "--steps", "10,100", "--max-errors", "2%", "--max-p95", "250")
    assert (started["state"], started["weight"]) == ("running", 10)
    assert (started["guards"]["max_error_rate"], started["guards"]["max_p95_ms"]) == (0.02, 250)
    shell.fails(5, "canary", "start", bird, "v2")
    assert shell.data("canary", "pause", bird)["state"] == "paused"
    assert shell.data("canary", "resume", bird)["state"] == "running"
    assert shell.data("canary", "abort", bird)["state"] == "aborted"
    assert shell.box.run(bird).text == "good"
    assert shell.call("canary", "status", bird, "--watch").returncode == 1


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("start", "bird", "v1", "--steps", "a,b"), "1,10,50,100"),
        (2, ("start", "bird", "v1", "--max-errors", "few"), "5%"),
        (2, ("start", "bird", "v1", "--every", "soon"), "30d"),
        (3, ("start", "nope", "v1"), ""),
        (3, ("status", "nope"), ""),
        (3, ("abort", "nope"), ""),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "canary", *words)
