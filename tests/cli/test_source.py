"""What a PATH is: a served folder, a worker of it, a worker by itself, or nothing of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from v8box.cli.exits import CommandFailed, Exit
from v8box.cli.source import Source, find_source


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "functions" / "api").mkdir(parents=True)
    for name in ("functions/hello.ts", "functions/api/main.ts", "functions/api/notes.ts", "lib.ts"):
        (tmp_path / name).write_text("export default () => 1;")
    return tmp_path


def test_a_folder_with_functions_is_served_whole(box: Path) -> None:
    assert find_source(box) == Source(box)


def test_an_empty_folder_is_served_too(tmp_path: Path) -> None:
    assert find_source(tmp_path) == Source(tmp_path)


@pytest.mark.parametrize("path", ["functions/api", "functions/api/main.ts"])
def test_a_folder_in_functions_is_a_worker_of_the_served_folder(box: Path, path: str) -> None:
    assert find_source(box / path) == Source(box, "api", "functions/api/main.ts")


def test_a_file_in_functions_is_a_worker_of_the_served_folder(box: Path) -> None:
    assert find_source(box / "functions" / "hello.ts") == Source(box, "hello", "functions/hello.ts")


def test_any_other_file_is_a_worker_by_itself(box: Path) -> None:
    assert find_source(box / "lib.ts") == Source(box, "lib", "lib.ts", alone=True)
    assert find_source(box / "lib.ts", "other") == Source(box, "other", "lib.ts", alone=True)


def test_a_folder_with_a_main_file_is_a_worker_called_like_it(tmp_path: Path) -> None:
    folder = tmp_path / "greet"
    folder.mkdir()
    (folder / "main.tsx").write_text("export default () => 1;")
    expected = Source(folder, "greet", "main.tsx", alone=True)
    assert find_source(folder) == find_source(folder / "main.tsx") == expected


@pytest.mark.parametrize(
    ("make", "path", "name", "code", "told"),
    [
        ([], "nope", None, Exit.NOT_FOUND, "v8box init"),
        (["notes.txt"], "notes.txt", None, Exit.USAGE, ".ts"),
        (["v8box.d.ts"], "v8box.d.ts", None, Exit.USAGE, ".ts"),
        (["My Worker.ts"], "My Worker.ts", None, Exit.USAGE, "--name"),
        (["a.ts"], "a.ts", "../b", Exit.USAGE, "a-z"),
        (["w/main.ts", "w/main.js"], "w", None, Exit.USAGE, "main.ts and main.js"),
        (["functions/a.ts"], ".", "a", Exit.USAGE, "many workers"),
    ],
)
def test_what_is_none_is_told(
    tmp_path: Path, make: list[str], path: str, name: str | None, code: Exit, told: str
) -> None:
    for each in make:
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text("export default () => 1;")
    with pytest.raises(CommandFailed, match=told.replace(".", r"\.")) as failed:
        find_source(tmp_path / path, name)
    assert failed.value.exit_code is code
