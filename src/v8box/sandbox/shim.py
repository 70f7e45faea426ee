"""The shim as one file: `runtime/*.ts` and the bindings' clients, bundled once per change of theirs."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import v8box
from v8box.errors import V8BoxError

_PACKAGE: Final = Path(v8box.__file__).parent
_TIMEOUT_SECONDS: Final = 120.0
"""The first bundle fetches the bundler itself."""


class ShimError(V8BoxError):
    """The runtime shim could not be built."""

    code = "shim"


def _sources() -> list[Path]:
    files = [*(_PACKAGE / "runtime").glob("*.ts"), *(_PACKAGE / "bindings").glob("*/*.ts")]
    return sorted(file for file in files if not file.name.endswith("_test.ts"))


async def build_shim(deno: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """Gives the path of the bundled shim, building it in `folder` when its sources have changed."""
    digest = hashlib.sha256(deno.encode())
    for file in _sources():
        digest.update(f"{file.relative_to(_PACKAGE)}\0".encode() + file.read_bytes())
    target = folder / f"shim-{digest.hexdigest()[:16]}.js"
    if target.exists():
        return target
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    entry = str(_PACKAGE / "runtime" / "main.ts")
    process = await asyncio.create_subprocess_exec(
        *(deno, "bundle", "--quiet", "--no-config", "--no-lock", "--output", str(draft), entry),
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ShimError(f"Bundling the runtime shim took longer than {_TIMEOUT_SECONDS:.0f} s") from None
    if process.returncode != 0 or not draft.exists():
        raise ShimError(f"Bundling the runtime shim failed:\n{output.decode(errors='replace')[-2000:]}")
    await asyncio.to_thread(_keep, draft, target)
    return target


def _keep(draft: Path, target: Path) -> None:
    """Puts the new shim in place whole, and removes those before it."""
    draft.replace(target)
    for old in target.parent.glob("shim-*.js"):
        if old != target:
            old.unlink(missing_ok=True)
