from __future__ import annotations

import os
from pathlib import Path

import pytest

from v8box.catalog import Limits, Permissions
from v8box.features.deploy.discovery import Discovery, Seen


def look(folder: Path) -> Seen:
    return Discovery(folder, folder / "data").look()


def put(folder: Path, *paths: str, text: str = "export default 1") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def entries(seen: Seen) -> dict[str, str]:
    return {name: manifest.entry for name, manifest in seen.workers.items()}


def test_files_and_folders_with_a_main_are_workers(folder: Path) -> None:
    put(folder, *(f"functions/{name}" for name in ("a.ts", "b.js", "c.tsx", "d.jsx", "e.mts", "f.mjs", "0_x-y.ts")))
    put(folder, "functions/g/main.ts", "functions/g/other.ts", "functions/h/main.mjs")
    put(folder, "functions/no/module.ts", "functions/_shared.ts", "functions/.hidden.ts", "functions/types.d.ts")
    put(
        folder,
        "functions/readme.md",
        "functions/a.ts~",
        "functions/.a.ts.swp",
        "functions/a.py",
        "functions/_x/main.ts",
    )
    seen = look(folder)
    files = {"a": "a.ts", "b": "b.js", "c": "c.tsx", "d": "d.jsx", "e": "e.mts", "f": "f.mjs", "0_x-y": "0_x-y.ts"}
    files |= {"g": "g/main.ts", "h": "h/main.mjs"}
    assert entries(seen) == {name: f"functions/{file}" for name, file in files.items()}
    assert not seen.problems
    assert not seen.failed


def test_an_empty_or_missing_folder_has_no_workers(folder: Path, tmp_path: Path) -> None:
    assert look(folder) == Seen()
    assert look(tmp_path / "missing") == Seen()


@pytest.mark.parametrize(
    "name", ["Hello.ts", "a b.ts", "a.test.ts", "é.ts", "-a.ts", "x" * 64 + ".ts", "a\n.ts", "A/main.ts"]
)
def test_bad_names_are_told_and_hurt_nobody(folder: Path, name: str) -> None:
    put(folder, f"functions/{name}", "functions/good.ts")
    seen = look(folder)
    assert list(seen.workers) == ["good"]
    assert len(seen.problems) == 1
    assert seen.problems[0].place.file.startswith("functions/")
    assert str(seen.problems[0]).isprintable()


def test_a_name_that_is_no_text(folder: Path) -> None:
    with open(os.fsencode(folder / "functions") + b"/\xff\xfe.ts", "w"):
        pass
    (problem,) = look(folder).problems
    assert str(problem).encode()


def test_two_that_claim_one_name(folder: Path) -> None:
    put(
        folder,
        "functions/a.ts",
        "functions/a.js",
        "functions/b.ts",
        "functions/b/main.ts",
        "functions/c/main.ts",
        "functions/c/main.js",
    )
    seen = look(folder)
    assert seen.workers == {}
    assert sorted(seen.failed) == ["a", "b", "c"]
    assert "functions/a.js and functions/a.ts both claim the name a" in str(seen.failed["a"])


def test_links_out_of_the_folder_are_refused_and_links_within_are_not(folder: Path, tmp_path: Path) -> None:
    put(tmp_path, "outside.ts", "outside/main.ts")
    put(folder, "lib/inside.ts", "data/secret.ts")
    functions = folder / "functions"
    (functions / "out.ts").symlink_to(tmp_path / "outside.ts")
    (functions / "outdir").symlink_to(tmp_path / "outside")
    (functions / "data.ts").symlink_to(folder / "data" / "secret.ts")
    (functions / "in.ts").symlink_to(folder / "lib" / "inside.ts")
    (functions / "dangling.ts").symlink_to(folder / "nowhere.ts")
    (functions / "loop.ts").symlink_to(functions / "loop.ts")
    seen = look(folder)
    assert list(seen.workers) == ["in"]
    assert {problem.place.file for problem in seen.problems} == {
        "functions/out.ts",
        "functions/outdir/main.ts",
        "functions/data.ts",
    }


def test_what_is_no_file_is_no_worker(folder: Path) -> None:
    os.mkfifo(folder / "functions" / "pipe.ts")
    (folder / "functions" / "dir.ts").mkdir()
    put(folder, "functions/ok.ts")
    seen = look(folder)
    assert list(seen.workers) == ["ok"]


def test_manifests_from_both_places(folder: Path) -> None:
    put(folder, "functions/a.ts", "functions/b/main.ts", "src/c.ts")
    put(folder, "v8box.toml", text='[workers.a]\nlimits.wall_ms = 5\n[workers.c]\nentry = "src/c.ts"\n')
    put(folder, "functions/b/v8box.toml", text='[permissions]\nnet = "none"\n')
    seen = look(folder)
    assert entries(seen) == {"a": "functions/a.ts", "b": "functions/b/main.ts", "c": "src/c.ts"}
    assert seen.workers["a"].limits == Limits(wall_ms=5)
    assert seen.workers["b"].permissions == Permissions(net="none")


def test_faults_of_manifests_name_file_and_line(folder: Path) -> None:
    put(folder, "functions/a.ts", "functions/b/main.ts", "functions/ok.ts", "functions/d/main.ts")
    put(
        folder,
        "v8box.toml",
        text='[workers.a]\nlimits.x = 5\n[workers.b]\n[workers.c]\nentry = "no.ts"\n[workers."D D"]\n[workers.e]\n',
    )
    put(folder, "functions/b/v8box.toml", text="")
    put(folder, "functions/d/v8box.toml", text="x = = 1")
    seen = look(folder)
    assert list(seen.workers) == ["ok"]
    told = {name: str(failed) for name, failed in seen.failed.items()}
    assert told["a"] == "v8box.toml:2: limits.x is not known"
    assert told["b"] == "v8box.toml:3: b has a manifest here and another in functions/b/v8box.toml"
    assert told["c"] == "v8box.toml:5: there is no file no.ts"
    assert told["d"].startswith("functions/d/v8box.toml:1: ")
    assert told["e"].startswith("v8box.toml:7: entry is missing")
    assert str(seen.problems[0]).startswith("v8box.toml:6: ")


def test_a_broken_box_file_unsettles_no_worker(folder: Path) -> None:
    put(folder, "functions/a.ts")
    put(folder, "v8box.toml", text='[workers.a.permissions]\nnet = "none"\n')
    discovery = Discovery(folder, folder / "data")
    assert discovery.look().workers["a"].permissions.net == "none"
    put(folder, "v8box.toml", text="[workers.a")
    seen = discovery.look()
    assert seen.workers["a"].permissions.net == "none"
    assert str(seen.problems[0]).startswith("v8box.toml:1: ")
    fresh = look(folder)  # nothing is known of what the file would deny
    assert fresh.workers == {}
    assert list(fresh.failed) == ["a"]
    (folder / "v8box.toml").unlink()
    assert discovery.look().workers["a"].permissions.net == "public"
