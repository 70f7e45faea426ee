"""The bundler under the kernel's confinement, as the box runs it: what it may not read, it cannot even open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from v8box.features.deploy import MAX_OUTPUT_BYTES, BundleError, Bundler, Completed
from v8box.sandbox.spawner import Confinement, Spawner, SpawnSpec, runtime_paths


class ConfinedRun:
    """`Run` on a spawner."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner

    async def __call__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        read_only: Sequence[Path],
        read_write: Sequence[Path],
    ) -> Completed:
        confinement = Confinement(
            read_only=(*runtime_paths(argv[0]), *map(str, read_only)),
            read_write=tuple(map(str, read_write)),
            allow_subprocess=True,
            drop_privileges=False,
            open_files=4096,
        )
        spec = SpawnSpec(argv=tuple(argv), env=env, cwd=str(cwd), confinement=confinement)
        child = await self._spawner.spawn(spec)
        kept = bytearray()
        child.on_output(lambda data: kept.extend(data[: MAX_OUTPUT_BYTES - len(kept)]))
        try:
            status = await child.exited
            await child.output_closed
        finally:
            child.close()
        return Completed(-(status.signal or 0) if status.code is None else status.code, bytes(kept))


@pytest.fixture
async def confined() -> AsyncIterator[ConfinedRun]:
    spawner = await Spawner.start()
    if not spawner.rungs.landlock_abi:
        await spawner.stop()
        pytest.skip("this kernel has no Landlock")
    yield ConfinedRun(spawner)
    await spawner.stop()


async def test_a_confined_bundle_is_the_same_bundle(folder: Path, cache: Path, confined: ConfinedRun) -> None:
    (folder / "functions" / "a.ts").write_text('import ms from "npm:ms@2.1.3"; export default () => ms("1s");')
    (folder / "v8box.toml").write_text("")
    free = await Bundler(folder, cache, environ=os.environ).bundle("functions/a.ts")
    bound = await Bundler(folder, cache, environ=os.environ, run=confined).bundle("functions/a.ts")
    assert bound == free


async def test_a_confined_first_bundle_fetches_what_it_needs(folder: Path, confined: ConfinedRun) -> None:
    for name in ("a", "b"):
        (folder / "functions" / f"{name}.ts").write_text("export default 1;")
    bundler = Bundler(folder, folder / "data", environ=os.environ, run=confined)
    builds = await asyncio.gather(*(bundler.bundle(f"functions/{name}.ts") for name in "ab"))
    assert all(build.bundle for build in builds)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../outside.txt", "../v8box.toml", "../.env", "../data/box.db"])
async def test_the_kernel_refuses_what_lies_outside(
    folder: Path, tmp_path: Path, confined: ConfinedRun, path: str
) -> None:
    for each in (tmp_path / "outside.txt", folder / "v8box.toml", folder / ".env", folder / "data" / "box.db"):
        each.parent.mkdir(exist_ok=True)
        each.write_text("")
    (folder / "functions" / "a.ts").write_text(f'import s from "{path}" with {{ type: "text" }}; export default s;')
    bundler = Bundler(folder, folder / "data", environ=os.environ, run=confined)
    with pytest.raises(BundleError, match="Permission denied") as caught:
        await bundler.bundle("functions/a.ts")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("functions/a.ts", 1, 15)
