"""The `v8box` command as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from v8box import __version__

COMMAND = str(Path(sys.executable).parent / "v8box")


def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environ}
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, env=env)


def test_version() -> None:
    done = call("version")
    assert (done.returncode, done.stdout) == (0, f"v8box {__version__}\n")


def test_a_word_loads_what_it_needs_and_no_more() -> None:
    """A start stays short: each of these takes longer than all that `version` does."""
    code = """
import sys
from v8box.cli.main import app
try:
    app(["version"])
finally:
    heavy = {"rich", "httpx", "pydantic", "v8box.settings", "v8box.cli.db", "v8box.app"} & set(sys.modules)
    print(sorted(heavy), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_shells_complete_the_words() -> None:
    # The shell is found among the processes above, where a run of the tests may have another one or none.
    script = f"{COMMAND} --show-completion; exit $?"
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "_V8BOX_COMPLETE=complete_bash" in shown.stdout
    asked = {"_V8BOX_COMPLETE": "complete_bash", "COMP_WORDS": "v8box proj", "COMP_CWORD": "1"}
    assert call(**asked).stdout.split() == ["project"]
    asked = {"_V8BOX_COMPLETE": "complete_bash", "COMP_WORDS": "v8box key ro", "COMP_CWORD": "2"}
    assert call(**asked).stdout.split() == ["rotate"]


def test_a_word_that_is_none_is_told_with_one_that_is() -> None:
    done = call("verzion")
    assert (done.returncode, "'version'" in done.stderr) == (2, True)


def test_without_a_word_it_lists_the_words() -> None:
    done = call()
    for word in ("up", "doctor", "version"):
        assert word in done.stdout


@pytest.mark.parametrize("word", ["up", "doctor"])
def test_bad_settings_are_all_told_without_a_traceback_or_a_secret(tmp_path: Path, word: str) -> None:
    done = call(word, str(tmp_path), PORT="many", V8BOX_BLANKS="-1", S3_ENDPOINT="ftp://user:hunter2@example.com")
    told = done.stdout + done.stderr
    assert done.returncode == 1
    for name in ("PORT", "V8BOX_BLANKS", "S3_ENDPOINT"):
        assert f"{name}: must be" in told
    assert "Traceback" not in told
    assert "hunter2" not in told
    assert list(tmp_path.iterdir()) == []
