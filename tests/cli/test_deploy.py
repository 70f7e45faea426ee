"""`v8box deploy`: a file, a folder, a folder of workers; what goes and what stays; what is refused, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.real import Shell

from v8box.cli.bundle_files import only_workers
from v8box.cli.exits import CommandFailed


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def word(text: str) -> str:
    return f"export default {{ fetch: () => new Response('{text}') }};\n"


def deploy(shell: Shell, path: Path, *words: str) -> list[str]:
    """What went live, as `name vN`."""
    done = shell.data("deploy", str(path), *words)
    assert done["milliseconds"] >= 0
    return [f"{each['name']} v{each['number']}" for each in done["workers"]]


def test_a_folder_goes_to_staging_is_promoted_and_is_the_same_version_again(shell: Shell, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "dgreet",
        {
            "main.ts": "import { word } from './lib/word.ts';\nexport default { fetch: () => new Response(word) };\n",
            "lib/word.ts": "export const word = 'from a folder';\n",
            "v8box.toml": "[limits]\nwall_ms = 1234\n",
            ".env": "SECRET=1",
            "node_modules/x/index.js": "nothing",
        },
    )
    assert shell.data("deploy", str(folder), "--dry-run")["files"] == ["lib/word.ts", "main.ts", "v8box.toml"]
    assert deploy(shell, folder, "--env", "staging", "-m", "first") == ["dgreet v1"]
    assert shell.box.run("dgreet@staging").text == "from a folder"
    assert shell.box.run("dgreet").status_code == 404
    shown = shell.data("show", "dgreet", "v1")
    assert (shown["message"], shown["manifest"]["limits"]["wall_ms"]) == ("first", 1234)
    assert deploy(shell, folder, "--env", "staging") == ["dgreet v1"]
    shell.data("promote", "dgreet")
    assert shell.box.run("dgreet").text == "from a folder"
    told = shell.call("deploy", str(folder), "--env", "staging")
    assert f"http://localhost:{shell.box.port}/run/dgreet@staging" in told.stdout
    assert "v8box promote dgreet --from staging" in told.stderr
    shell.call("delete", "dgreet", "--yes")


def test_a_file_goes_with_what_it_imports_and_nothing_else_of_its_folder(shell: Shell, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "single.ts": "import { word } from './used.ts';\nexport default { fetch: () => new Response(word) };\n",
            "used.ts": "export const word = 'from a file';\n",
            "unused.ts": "export const secret = 1;\n",
            "diary.txt": "private",
        },
    )
    assert shell.data("deploy", str(tmp_path / "single.ts"), "--dry-run")["files"] == ["single.ts", "used.ts"]
    assert deploy(shell, tmp_path / "single.ts", "--env", "preview-1") == ["single v1"]
    assert shell.box.run("single@preview-1").text == "from a file"
    named = shell.data("deploy", str(tmp_path / "single.ts"), "--name", "other", "--dry-run")
    assert (named["worker"], named["files"]) == ("other", ["main.ts", "used.ts"])
    write(tmp_path, {"up/w.ts": "import { word } from '../used.ts';\nexport default () => word;\n"})
    assert "not in its folder" in shell.fails(1, "deploy", str(tmp_path / "up" / "w.ts"))
    shell.call("delete", "single", "--yes")


def test_a_folder_of_workers_goes_whole_without_the_boxs_settings(shell: Shell, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "many",
        {
            "functions/done.ts": word("one"),
            "functions/dtwo/main.ts": word("two"),
            "v8box.toml": '[box]\nadmin_password = "hunter2-hunter2"\n\n[workers.done.limits]\nwall_ms = 77\n',
            "data/catalog.db": "state",
        },
    )
    assert deploy(shell, folder, "--project", "default", "-e", "staging") == ["done v1", "dtwo v1"]
    assert shell.box.run("dtwo@staging").text == "two"
    shown = shell.data("show", "done", "v1")
    assert shown["manifest"]["limits"]["wall_ms"] == 77
    assert "hunter2" not in str(shown)
    assert deploy(shell, folder / "functions" / "done.ts", "-e", "staging") == ["done v1"]
    for name in ("done", "dtwo"):
        shell.call("delete", name, "--yes")


def test_what_is_wrong_is_told_with_its_place_and_nothing_goes_live(shell: Shell, tmp_path: Path) -> None:
    folder = write(tmp_path / "dbad", {"main.ts": "export default () => {\n  return oh no;\n};\n"})
    assert "main.ts:2:" in shell.fails(1, "deploy", str(folder), "-e", "staging")
    write(folder, {"main.ts": word("x"), "v8box.toml": "[limits]\n\nwall_msec = 5\n"})
    assert "v8box.toml:3" in shell.fails(1, "deploy", str(folder), "-e", "staging")
    write(folder, {"main.ts": "export default () => { const n: number = 'x'; return n; };\n", "v8box.toml": ""})
    told = shell.fails(1, "deploy", str(folder), "-e", "staging", "--check")
    assert "main.ts:1:30" in told
    assert "nothing was sent" in told
    shell.fails(3, "show", "dbad")
    many = write(tmp_path / "m", {"functions/dfine.ts": word("fine"), "functions/dwrong.ts": "export default oh no"})
    assert "dwrong.ts:1:" in shell.fails(1, "deploy", str(many), "-e", "staging")
    shell.fails(3, "show", "dfine")


def test_a_worker_of_the_served_folder_is_edited_there(shell: Shell, tmp_path: Path) -> None:
    folder = write(tmp_path / "echo", {"main.ts": word("not me")})
    assert "folder" in shell.fails(5, "deploy", str(folder))


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (3, ("deploy", "nope"), "v8box init"),
        (1, ("deploy", "{good}", "-e", "No Such"), ""),
        (1, ("deploy", "{empty}"), "nothing to deploy"),
        (6, ("deploy", "{good}", "--url", "http://127.0.0.1:1"), "No box answers"),
        (4, ("deploy", "{good}", "--token", "v8b_pat_nonsense"), ""),
    ],
)
def test_mistakes_are_told(shell: Shell, tmp_path: Path, code: int, words: tuple[str, ...], told: str) -> None:
    good = write(tmp_path / "dgood", {"main.ts": word("x")})
    (tmp_path / "empty").mkdir()
    assert told in shell.fails(code, *(each.format(good=good, empty=tmp_path / "empty") for each in words))


def test_only_workers_tables_are_sent_on_their_lines() -> None:
    text = '# mine\n[box]\nadmin_password = "x"\n\n[ workers . a ]\nnet = 1\n[logs]\nx = 3\n["workers".b.limits]\nx = 2'
    kept = only_workers(text, Path("v8box.toml")).decode()
    assert kept == '\n\n\n\n[ workers . a ]\nnet = 1\n\n\n["workers".b.limits]\nx = 2'


@pytest.mark.parametrize(
    "text",
    [
        'workers = { a = { net = "none" } }\n[box]\nx = 1',
        '[workers.a]\ntext = """\n[box]\n"""\n',
        "[box",
    ],
)
def test_what_cannot_be_told_apart_is_not_sent(text: str) -> None:
    with pytest.raises(CommandFailed):
        only_workers(text, Path("v8box.toml"))
