"""Makes the JSON Schema of a worker's export: the bundle is imported once, in a process that may do nothing.

The process is Deno without permissions, confined without network and with no files but the bundle. Whatever it prints
is taken for what it is, the word of the worker's own code: the schema is checked like one in the manifest.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from v8box.catalog import Build, Manifest
from v8box.catalog.json_schema import BadSchema, check_schema
from v8box.features.deploy.diagnostics import BundleError, in_words
from v8box.features.deploy.run import Completed, Run

_SECONDS: Final = 15.0
_HEAP_MB: Final = 256
_MARK: Final = b"\nv8box-schema "
_SCRIPT: Final = resources.files("v8box.features.deploy").joinpath("read_schema.js").read_text()


async def with_exported_schema(manifest: Manifest, build: Build, *, deno: str, folder: Path, run: Run) -> Manifest:
    """The manifest as it is kept: with the schema of the export that it names, if it names one. `folder` is where a
    folder of its own may be made. Raises `BundleError`."""
    schema = manifest.rules.schema
    if schema is None or not schema.export:
        return manifest
    work = await asyncio.to_thread(_prepare, folder, build.bundle)
    try:
        async with asyncio.timeout(_SECONDS):
            done = await run(_argv(deno, work, schema.export), _environment(work), work, [Path(deno)], [work])
    except TimeoutError:
        message = f"the export {schema.export} was not there within {_SECONDS:g} s: what does the module wait for?"
        raise BundleError(message, manifest.entry) from None
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    try:
        text = check_schema(_read(done))
    except BadSchema as error:
        raise BundleError(f"the export {schema.export}, which schema.export names, {error}", manifest.entry) from None
    return replace(manifest, rules=replace(manifest.rules, schema=replace(schema, params=text)))


def _prepare(folder: Path, bundle: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = Path(tempfile.mkdtemp(dir=folder))
    (work / "bundle.js").write_bytes(bundle)
    (work / "read.js").write_text('import * as worker from "./bundle.js";\n' + _SCRIPT, encoding="utf-8")
    return work


def _argv(deno: str, work: Path, export: str) -> list[str]:
    # The environment is empty but for what is below; many a module looks into it as it loads.
    flags = ["--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--quiet", "--allow-env"]
    return [deno, "run", *flags, f"--v8-flags=--max-old-space-size={_HEAP_MB}", str(work / "read.js"), export]


def _environment(work: Path) -> dict[str, str]:
    return {"DENO_DIR": str(work / "deno"), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"}


def _read(done: Completed) -> Any:
    """What the process found. Raises `BadSchema`."""
    _, mark, rest = done.output.rpartition(_MARK)
    if done.code != 0 or not mark:
        last = in_words(done.output.decode("utf-8", "replace").strip().split("\n")[0][:300])
        raise BadSchema(f"cannot be read: the module failed as it was imported ({last or done.code})")
    try:
        told = json.loads(rest.split(b"\n", 1)[0])
    except ValueError:
        raise BadSchema("cannot be read: its JSON Schema is no JSON") from None
    if not isinstance(told, dict) or "schema" not in told:
        raise BadSchema(str(told.get("fault", "says nothing") if isinstance(told, dict) else "says nothing")[:300])
    return told["schema"]
