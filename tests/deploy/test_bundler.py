from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from v8box.features.deploy import BundleError, Bundler, Completed, run_unconfined
from v8box.features.deploy import bundler as module
from v8box.features.deploy import run as running
from v8box.kit.sourcemap import SourceMap, map_stack
from v8box.sandbox.runtime import find_deno

DENO = find_deno()


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


async def fault(bundler: Bundler, entry: str = "functions/a.ts") -> BundleError:
    with pytest.raises(BundleError) as caught:
        await bundler.bundle(entry)
    return caught.value


def run_as_blob(bundle: bytes, tmp_path: Path, *flags: str) -> str:
    """Import a bundle as the shim does, from a blob: address with no permission, and print what its handler gives."""
    script = tmp_path / "run.mjs"
    text = json.dumps(bundle.decode())
    script.write_text(f"""
const url = URL.createObjectURL(new Blob([{text}], {{ type: "text/javascript" }}));
try {{
  const {{ default: handler }} = await import(url);
  console.log(JSON.stringify(await handler()));
}} catch (error) {{
  console.log(error.stack);
}}""")
    command = [DENO, "run", "--no-config", "--no-prompt", "--quiet", *flags, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={"NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_files_types_and_data_become_one_module(bundler: Bundler, folder: Path, tmp_path: Path) -> None:
    write(
        folder,
        "functions/a.ts",
        """
import { twice } from "../lib/again.ts";
import data from "./data.json" with { type: "json" };
import text from "./text.txt" with { type: "text" };
import type { Row } from "./types.ts";
import "./empty.ts";
export default async (): Promise<Row> => [twice(data.n), text, (await import("./later.ts")).later];
""",
    )
    write(folder, "lib/again.ts", 'export { twice } from "./twice.ts";')
    write(folder, "lib/twice.ts", "export const twice = (n: number): number => n * 2;")
    write(folder, "functions/data.json", '{"n": 21}')
    write(folder, "functions/text.txt", "text")
    write(folder, "functions/types.ts", "export type Row = unknown[];")
    write(folder, "functions/empty.ts", "// nothing")
    write(folder, "functions/later.ts", 'export const later = "later";')
    build = await bundler.bundle("functions/a.ts")
    assert run_as_blob(build.bundle, tmp_path) == '[42,"text","later"]'
    own = ["a.ts", "data.json", "empty.ts", "later.ts", "text.txt", "types.ts"]
    assert sorted(build.sources) == [*(f"functions/{name}" for name in own), "lib/again.ts", "lib/twice.ts"]
    assert build.sources["functions/data.json"] == b'{"n": 21}'
    assert set(build.fingerprint) == {*build.sources, "deno", "format"}
    assert build.lock is None
    assert names(folder) == ["functions", "lib"]


async def test_a_stack_leads_to_the_users_own_line(bundler: Bundler, folder: Path, tmp_path: Path) -> None:
    write(
        folder,
        "functions/a.ts",
        'import { f } from "./b.ts";\n\n\nexport default function handler(): never {\n  return f();\n}\n',
    )
    write(folder, "functions/b.ts", '// one\nexport function f(): never {\n  throw new TypeError("boom");\n}\n')
    build = await bundler.bundle("functions/a.ts")
    assert build.source_map is not None
    stack = map_stack(run_as_blob(build.bundle, tmp_path), SourceMap.parse(build.source_map))
    assert stack == "TypeError: boom\n    at f (functions/b.ts:3:9)\n    at handler (functions/a.ts:5:10)"


async def test_packages_come_in_and_are_frozen(bundler: Bundler, folder: Path, tmp_path: Path) -> None:
    write(folder, "deno.json", '{"imports": {"milli": "npm:ms@^2.1.0"}, "nodeModulesDir": "auto", "vendor": true}')
    write(folder, "functions/a.ts", 'import ms from "milli";\nexport default () => ms("2 days");\n')
    build = await bundler.bundle("functions/a.ts")
    assert run_as_blob(build.bundle, tmp_path) == "172800000"
    assert build.source_map is not None
    sources = json.loads(build.source_map)["sources"]
    assert "functions/a.ts" in sources
    assert all(name == "functions/a.ts" or name.startswith("npm:ms@2.") for name in sources)
    assert build.lock is not None
    assert json.loads(build.lock)["specifiers"]["npm:ms@^2.1.0"].startswith("2.")
    assert names(folder) == ["deno.json", "functions"]
    assert "deno.json" in build.fingerprint


async def test_a_package_that_asks_for_nodes_modules_loads_from_a_blob(
    bundler: Bundler, folder: Path, tmp_path: Path
) -> None:
    write(folder, "package.json", '{"dependencies": {"debug": "4.4.3"}}')
    write(folder, "functions/a.ts", 'import debug from "debug";\nexport default () => typeof debug("x");\n')
    build = await bundler.bundle("functions/a.ts")
    assert b"createRequire" in build.bundle
    assert run_as_blob(build.bundle, tmp_path, "--allow-env") == '"function"'
    assert b'"npm:debug/4.4.3/src/node.js"(exports' in build.bundle
    assert b"cache/deno" not in build.bundle  # where the box keeps its data is no worker's business
    assert names(folder) == ["functions", "package.json"]


async def test_a_lock_is_honoured_and_the_users_own_goes_first(bundler: Bundler, folder: Path) -> None:
    write(folder, "functions/a.ts", 'import ms from "npm:ms@^2.1.0";\nexport default () => ms("1 s");\n')
    newest = await bundler.bundle("functions/a.ts")
    assert newest.lock is not None
    write(folder, "pin.ts", 'import ms from "npm:ms@2.1.1";\nexport default ms;\n')
    pinned = (await bundler.bundle("pin.ts")).lock
    assert pinned is not None
    older = pinned.replace(b"npm:ms@2.1.1", b"npm:ms@^2.1.0")
    kept = await bundler.bundle("functions/a.ts", lock=older)
    assert kept.lock is not None
    assert json.loads(kept.lock)["specifiers"]["npm:ms@^2.1.0"] == "2.1.1"
    (folder / "deno.lock").write_bytes(older)
    users = await bundler.bundle("functions/a.ts", lock=newest.lock)
    assert users.lock is not None
    assert json.loads(users.lock)["specifiers"]["npm:ms@^2.1.0"] == "2.1.1"
    assert (folder / "deno.lock").read_bytes() == older
    assert "deno.lock" in users.fingerprint


async def test_a_node_modules_folder_of_the_users_is_used_and_no_script_runs(bundler: Bundler, folder: Path) -> None:
    write(folder, "package.json", '{"dependencies": {"mine": "1.2.3"}}')
    scripts = '"scripts": {"install": "touch ../../ran", "postinstall": "touch ../../ran"}'
    write(
        folder, "node_modules/mine/package.json", f'{{"name": "mine", "version": "1.2.3", "main": "i.js", {scripts}}}'
    )
    write(folder, "node_modules/mine/i.js", 'module.exports = "mine";')
    write(folder, "functions/a.ts", 'import mine from "mine";\nexport default () => mine;\n')
    build = await bundler.bundle("functions/a.ts")
    assert build.source_map is not None
    assert "npm:mine@1.2.3/i.js" in json.loads(build.source_map)["sources"]
    assert list(build.sources) == ["functions/a.ts"]
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("export default () => {", 1, 23, "SyntaxError: Expected '}', got '<eof>'"),
        ("\n\nconst x: = 1;", 3, 10, "SyntaxError"),
        ('\nimport a from "./nope.ts";\nexport default a;', 2, 15, 'Module not found "functions/nope.ts"'),
        ('\n\n\nimport { a } from "./b.ts";\nexport default () => a;', 4, 10, "No matching export"),
        ('\n\n  import a from "bare";\nexport default a;', 3, 17, 'Import "bare" not a dependency'),
        ("type A = 1;\n\nlet a = 1;\nlet a = 2;", 4, 5, '"a" has already been declared'),
        ('import a from "http://127.0.0.1:1/a.js";\nexport default a;', 1, 15, "Imports from 127.0.0.1:1 are refused"),
        ('\nimport a from "npm:ms@9999";\nexport default a;', 2, 15, "Could not find npm package 'ms' matching '9999'"),
    ],
)
async def test_an_error_has_its_place(
    bundler: Bundler, folder: Path, text: str, line: int, column: int, message: str
) -> None:
    write(folder, "functions/b.ts", "export const b = 1;")
    write(folder, "functions/a.ts", text)
    error = await fault(bundler)
    assert message in error.message
    assert (error.file, error.line, error.column) == ("functions/a.ts", line, column)
    assert str(folder) not in str(error)
    assert "\x1b" not in str(error)
    assert error.status == 400


async def test_an_error_names_the_file_it_is_in(bundler: Bundler, folder: Path) -> None:
    write(folder, "functions/a.ts", 'import "../lib/we ird/ä:b.ts"; export default 1')
    write(folder, "lib/we ird/ä:b.ts", "export default (")
    assert (await fault(bundler)).file == "lib/we ird/ä:b.ts"


async def test_broken_configuration_is_told(bundler: Bundler, folder: Path) -> None:
    write(folder, "functions/a.ts", "export default 1")
    write(folder, "deno.json", '{"imports": {"a" "b"}}')
    assert "deno.json" in (await fault(bundler)).message
    write(folder, "deno.json", "{}")
    write(folder, "deno.lock", "nonsense")
    assert "deno.lock" in (await fault(bundler)).message


SECRET = "the-secret-of-the-machine"


@pytest.mark.parametrize(
    "text",
    [
        'import s from "{outside}" with {{ type: "text" }}; export default () => s;',
        'export default async () => (await import("{outside}", {{ with: {{ type: "text" }} }})).default;',
        'import s from "../../secret.txt" with {{ type: "text" }}; export default () => s;',
        'import s from "../v8box.toml" with {{ type: "text" }}; export default () => s;',
        'import s from "../.env" with {{ type: "text" }}; export default () => s;',
        'import s from "../data/secret.txt" with {{ type: "text" }}; export default () => s;',
        'import s from "./link.txt" with {{ type: "text" }}; export default () => s;',
        'import s from "./hidden.txt" with {{ type: "text" }}; export default () => s;',
        'import s from "./c.cjs"; export default () => s;',
        'import s from "{data}/cache/secret.txt" with {{ type: "text" }}; export default () => s;',
    ],
)
async def test_nothing_but_the_users_files_gets_into_a_bundle(folder: Path, tmp_path: Path, text: str) -> None:
    outside = tmp_path / "secret.txt"
    data = folder / "data"
    for path in (outside, data / "secret.txt", data / "cache" / "secret.txt", folder / ".env", folder / "v8box.toml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)
    (tmp_path / "secret.json").write_text(f'"{SECRET}"')
    (folder / "functions" / "link.txt").symlink_to(outside)
    (folder / "functions" / "hidden.txt").symlink_to(folder / ".env")
    write(folder, "functions/c.cjs", f'module.exports = require("{tmp_path}/secret.json");')
    write(folder, "functions/a.ts", text.format(outside=outside, data=data))
    error = await fault(Bundler(folder, data, deno=DENO, environ=os.environ))
    assert "cannot be part of a worker" in error.message
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "entry", ["functions/none.ts", "../x.ts", "functions/link.ts", "data/a.ts", "functions/empty.ts"]
)
async def test_a_main_file_is_a_file_of_the_folder(folder: Path, tmp_path: Path, entry: str) -> None:
    (tmp_path / "x.ts").write_text("export default 1")
    (folder / "functions" / "link.ts").symlink_to(tmp_path / "x.ts")
    (folder / "functions" / "empty.ts").touch()
    write(folder, "data/a.ts", "export default 1")
    assert (await fault(Bundler(folder, folder / "data", deno=DENO, environ={}), entry)).file == entry


async def test_the_process_gets_a_clean_environment(folder: Path, cache: Path) -> None:
    seen: list[Mapping[str, str]] = []

    async def spy(
        argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
    ) -> Completed:
        seen.append(env)
        assert cwd == folder
        assert not any(path.name in ("data", "v8box.toml", ".env", ".git") for path in read_only)
        assert folder / "functions" in read_only
        return await run_unconfined(argv, env, cwd, read_only, read_write)

    for name in (".env", "v8box.toml", ".git/x", "data/x"):
        write(folder, name, "x")
    write(folder, "functions/a.ts", "export default 1")
    environ = {
        "ADMIN_PASSWORD": SECRET,
        "S3_SECRET_KEY": SECRET,
        "HTTPS_PROXY": "",
        "NPM_CONFIG_X": "y",
        "LD_PRELOAD": "",
    }
    await Bundler(folder, folder / "data", deno=DENO, environ=os.environ | environ, run=spy).bundle("functions/a.ts")
    assert len(seen) == 2
    for env in seen:
        assert SECRET not in env.values()
        assert "LD_PRELOAD" not in env
        assert env["NPM_CONFIG_X"] == "y"


async def test_a_refused_address_says_what_to_do_instead(bundler: Bundler, folder: Path) -> None:
    write(folder, "functions/a.ts", '\nimport x from "https://example.com/x.ts"; export default x;')
    error = await fault(bundler)
    assert (error.file, error.line, error.column) == ("functions/a.ts", 2, 15)
    assert error.message.startswith("Imports from example.com are refused: ")
    assert "npm:" in error.message
    assert "--allow-import" not in error.message


async def test_a_bundle_that_is_too_large_is_refused(
    bundler: Bundler, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUNDLE_BYTES", 1_048_576)
    write(folder, "functions/a.ts", 'import t from "./t.txt" with { type: "text" }; export default () => t;')
    write(folder, "functions/t.txt", "x" * 1_200_000)
    assert (await fault(bundler)).message == "the bundle is 1.1 MB; the limit is 1 MB"


async def test_a_bundler_that_hangs_is_killed(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[asyncio.subprocess.Process] = []
    create = asyncio.create_subprocess_exec

    async def noted(*argv: str, **options: Any) -> asyncio.subprocess.Process:
        started.append(await create(*argv, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)

    async def hang(
        argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
    ) -> Completed:
        return await run_unconfined(["sleep", "60"], env, cwd, read_only, read_write)

    write(folder, "functions/a.ts", "export default 1")
    error = await fault(Bundler(folder, cache, deno=DENO, environ={}, run=hang, timeout_seconds=0.5))
    assert "took longer than 0.5 s" in error.message
    assert [process.returncode for process in started] == [-signal.SIGKILL]
    assert list((cache / "cache" / "bundles").iterdir()) == []


async def test_output_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_OUTPUT_BYTES", 1000)
    done = await run_unconfined([sys.executable, "-c", "print('x' * 10_000_000)"], {}, tmp_path, [], [])
    assert done == Completed(0, b"x" * 1000)


@pytest.mark.parametrize("code", ["import os; os.kill(os.getpid(), 9)", "import sys; sys.exit(3)"])
async def test_a_bundler_that_dies_is_an_error(folder: Path, cache: Path, code: str) -> None:
    async def die(
        argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
    ) -> Completed:
        return await run_unconfined([sys.executable, "-c", code], env, cwd, read_only, read_write)

    write(folder, "functions/a.ts", "export default 1")
    message = (await fault(Bundler(folder, cache, deno=DENO, environ={}, run=die))).message
    assert message in ("the bundler was ended by SIGKILL", "the bundler failed and did not say why")


async def test_first_bundles_at_once(folder: Path, tmp_path: Path) -> None:
    fresh = Bundler(folder, tmp_path / "fresh", deno=DENO, environ=os.environ)
    for i in range(4):
        write(folder, f"functions/w{i}.ts", f"export default {i}")
    builds = await asyncio.gather(*(fresh.bundle(f"functions/w{i}.ts") for i in range(4)))
    assert len({build.bundle for build in builds}) == 4
