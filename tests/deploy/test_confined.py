"""The bundler under the kernel's confinement, as the box runs it: what it may not read, it cannot even open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from v8box.features.deploy import MAX_OUTPUT_BYTES, BundleError, Bundler, Completed, Run
from v8box.sandbox.runtime import find_deno
from v8box.sandbox.spawner import Spawner
from v8box.sandbox.tools import Helpers

DENO = find_deno()


@pytest.fixture
async def confined() -> AsyncIterator[Run]:
    spawner = await Spawner.start()
    if not spawner.rungs.landlock_abi:
        await spawner.stop()
        pytest.skip("this kernel has no Landlock")
    helpers = Helpers(spawner, DENO)

    async def run(
        argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
    ) -> Completed:
        return Completed(
            *await helpers.run_bundler(argv, env, cwd, read_only, read_write, max_output_bytes=MAX_OUTPUT_BYTES)
        )

    yield run
    await spawner.stop()


async def test_a_confined_bundle_is_the_same_bundle(folder: Path, cache: Path, confined: Run) -> None:
    (folder / "functions" / "a.ts").write_text('import ms from "npm:ms@2.1.3"; export default () => ms("1s");')
    (folder / "v8box.toml").write_text("")
    free = await Bundler(folder, cache, deno=DENO, environ=os.environ).bundle("functions/a.ts")
    bound = await Bundler(folder, cache, deno=DENO, environ=os.environ, run=confined).bundle("functions/a.ts")
    assert bound == free


async def test_a_confined_first_bundle_fetches_what_it_needs(folder: Path, confined: Run) -> None:
    for name in ("a", "b"):
        (folder / "functions" / f"{name}.ts").write_text("export default 1;")
    bundler = Bundler(folder, folder / "data", deno=DENO, environ=os.environ, run=confined)
    builds = await asyncio.gather(*(bundler.bundle(f"functions/{name}.ts") for name in "ab"))
    assert all(build.bundle for build in builds)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../outside.txt", "../v8box.toml", "../.env", "../data/box.db"])
async def test_the_kernel_refuses_what_lies_outside(folder: Path, tmp_path: Path, confined: Run, path: str) -> None:
    for each in (tmp_path / "outside.txt", folder / "v8box.toml", folder / ".env", folder / "data" / "box.db"):
        each.parent.mkdir(exist_ok=True)
        each.write_text("")
    (folder / "functions" / "a.ts").write_text(f'import s from "{path}" with {{ type: "text" }}; export default s;')
    bundler = Bundler(folder, folder / "data", deno=DENO, environ=os.environ, run=confined)
    with pytest.raises(BundleError, match="Permission denied") as caught:
        await bundler.bundle("functions/a.ts")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("functions/a.ts", 1, 15)


async def test_a_worker_of_many_files_is_bundled(folder: Path, cache: Path, confined: Run) -> None:
    """What `deno info` lists of it is more than 256 KB."""
    deep = folder / "lib" / ("a-folder-with-a-long-name/" * 6)
    deep.mkdir(parents=True)
    count = 700
    for number in range(count):
        after = f'import "./part{number + 1}.ts";' if number + 1 < count else ""
        (deep / f"part{number}.ts").write_text(f"{after} export const n = {number};")
    (folder / "functions" / "a.ts").write_text(f'import "../{deep.relative_to(folder)}/part0.ts"; export default 1;')
    sizes: list[int] = []

    async def measured(
        argv: Sequence[str], env: Mapping[str, str], cwd: Path, read_only: Sequence[Path], read_write: Sequence[Path]
    ) -> Completed:
        done = await confined(argv, env, cwd, read_only, read_write)
        sizes.append(len(done.output))
        return done

    bundler = Bundler(folder, cache, deno=DENO, environ=os.environ, run=measured)
    build = await bundler.bundle("functions/a.ts")
    assert len(build.sources) == count + 1
    assert max(sizes) > 256 * 1024


async def test_output_beyond_the_bound_is_dropped() -> None:
    spawner = await Spawner.start()
    try:
        helpers = Helpers(spawner, DENO)
        command = [DENO, "eval", "await Deno.stdout.write(new Uint8Array(500_000).fill(120))"]
        env = {"DENO_DIR": "/dev/null/none", "NO_COLOR": "1"}
        bound = 300_001
        assert await helpers.run_bundler(command, env, Path("/"), [], [], max_output_bytes=bound) == (0, b"x" * bound)
    finally:
        await spawner.stop()
