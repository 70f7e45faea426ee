"""What turns sources into bundles, put together: the bundler with its confined processes, and who uses it for sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from v8box.catalog.catalog import Catalog
from v8box.catalog.model import Build, Manifest, Version
from v8box.errors import NotFound
from v8box.features.deploy import MAX_OUTPUT_BYTES, Bundler, Completed
from v8box.features.pages.function_builds import FunctionBuilds
from v8box.sandbox.tools import Helpers
from v8box.settings import Settings


def build_bundler(settings: Settings, deno: str, helpers: Helpers, environ: Mapping[str, str]) -> Bundler:
    """For the workers of the box's own folder, and of those that are sent."""
    return Bundler(
        settings.directory,
        settings.data_directory,
        deno=deno,
        run=partial(_run, helpers.run_bundler),
        run_sealed=partial(_run, helpers.run_sealed),
        environ=environ,
    )


def build_function_builds(bundler: Bundler, catalog: Catalog) -> FunctionBuilds:
    """For the `functions/` of sites."""
    return FunctionBuilds(partial(_bundle_function, bundler, catalog), catalog.arrive, partial(_is_known, catalog))


class _RunHelper(Protocol):
    async def __call__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        read_only: Sequence[Path],
        read_write: Sequence[Path],
        *,
        max_output_bytes: int,
    ) -> tuple[int, bytes]: ...


async def _run(
    run: _RunHelper,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    read_only: Sequence[Path],
    read_write: Sequence[Path],
) -> Completed:
    return Completed(*await run(argv, env, cwd, read_only, read_write, max_output_bytes=MAX_OUTPUT_BYTES))


async def _bundle_function(
    bundler: Bundler, catalog: Catalog, folder: Path, project: str, worker: str, manifest: Manifest
) -> tuple[Build, Manifest]:
    """A function of a site. Its packages stay as they were, unless the site has a lock file."""
    newest = await catalog.versions.list(project, worker, limit=1)
    lock = await catalog.lock(newest[0].version) if newest else None
    own = bundler.of(folder)
    build = await own.bundle(manifest.entry, lock=lock)
    return replace(build, fingerprint={}), await own.settle(manifest, build)


async def _is_known(catalog: Catalog, version: Version) -> bool:
    try:
        await catalog.versions.get(version.project, version.worker, version.id)
    except NotFound:
        return False
    return True
