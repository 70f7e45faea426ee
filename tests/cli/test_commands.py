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
