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


def test_a_manifest_may_stand_in_a_deno_json(folder: Path) -> None:
    put(folder, "functions/a/main.ts", "functions/b/main.ts", "functions/c/main.ts")
    put(folder, "functions/a/deno.json", text='{\n // of a\n "v8box": { "limits": { "wall_ms": 5 } } }')
    put(folder, "functions/b/deno.jsonc", text='{ "imports": {} }')
    put(folder, "functions/c/deno.json", text='{ "v8box": {\n "limit": {} } }')
    seen = look(folder)
    assert seen.workers["a"].limits.wall_ms == 5
    assert "b" in seen.workers
    assert str(seen.failed["c"]) == "functions/c/deno.json:2: limit is not known; did you mean limits?"
    put(folder, "functions/a/v8box.toml", text="")
    assert str(look(folder).failed["a"]) == (
        "functions/a/v8box.toml:1: a has a manifest here and another in functions/a/deno.json"
    )


def test_files_that_a_manifest_names_are_read_beside_it_and_nowhere_else(folder: Path, tmp_path: Path) -> None:
    put(folder, "functions/a/main.ts", "functions/b.ts")
    put(folder, "functions/a/v8box.toml", text='errors.404 = "page.html"')
    put(folder, "functions/a/page.html", text="<h1>a</h1>")
    put(folder, "v8box.toml", text='[workers.b.errors]\n404 = "functions/a/page.html"')
    seen = look(folder)
    assert [seen.workers[name].rules.error_pages["404"].text for name in "ab"] == ["<h1>a</h1>"] * 2
    (tmp_path / "secret.html").write_text("secret")
    (folder / "functions/a/page.html").unlink()
    (folder / "functions/a/page.html").symlink_to(tmp_path / "secret.html")
    told = {name: str(failed) for name, failed in look(folder).failed.items()}
    assert told["a"].endswith("errors.404 names page.html, a link that leads out of the served folder")
    assert told["b"].startswith("v8box.toml:2: errors.404 names functions/a/page.html, a link")
    (folder / "functions/a/page.html").unlink()
    assert str(look(folder).failed["a"]).endswith("names page.html, and there is no such file")
    put(folder, "data/keys/x.html", text="of the box")
    put(folder, "functions/a/v8box.toml", text='errors.404 = "data/x.html"')
    (folder / "functions/a/data").symlink_to(folder / "data/keys")
    assert "leads out" in str(look(folder).failed["a"])
