"""Makes one ES module of a worker's files and packages, with `deno bundle` in a process of its own.

The process gets a clean environment, its own cache, and through `Run` whatever confinement the box has. It never runs
the user's code, and packages' install scripts neither. It writes nothing into the user's folder: the lock file is
worked on in a copy and kept with the version.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from v8box.catalog import Build, Manifest
from v8box.features.deploy.diagnostics import BundleError, Diagnostic, in_words, read_diagnostics, read_error
from v8box.features.deploy.modules import Graph, Naming, read_graph, readable_paths
from v8box.features.deploy.run import Completed, Run, run_unconfined
from v8box.features.deploy.schema_export import with_exported_schema
from v8box.kit.files import FileHashes, is_within

MAX_BUNDLE_BYTES: Final = 16 * 1024 * 1024
_MAX_SOURCE_MAP_BYTES: Final = 8 * MAX_BUNDLE_BYTES
_AT_ONCE: Final = 2
_TIMEOUT_SECONDS: Final = 60.0  # the first bundle may have to fetch packages
_TRIES: Final = 2
_CHECK: Final = "check.ts"
_FORMAT: Final = "1"  # of what we make of the bundler's output: raise it and every worker is bundled again

CONFIG_FILES: Final = (
    "deno.json",
    "deno.jsonc",
    "package.json",
    "tsconfig.json",
    "deno.lock",
    "package-lock.json",
    ".npmrc",
    "node_modules/.package-lock.json",
)
"""Files of the served folder, beside a worker's own, that decide what its bundle is."""

_PASSED_ON: Final = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DENO_CERT", "DENO_TLS_CA_STORE"),
    *("NPM_TOKEN", "NODE_AUTH_TOKEN", "JSR_URL"),
)
_PASSED_ON_PREFIXES: Final = ("NPM_CONFIG_", "npm_config_")
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DENO_CERT")

# A package in the old CommonJS form asks for Node's modules through this line, but a worker is loaded from a blob:
# address, which createRequire refuses.
_GLUE: Final = b"__deno_internal_createRequire(import.meta.url)"
_GLUE_MENDED: Final = b'__deno_internal_createRequire("file:///worker.js")'
_NOT_SAID_WHY: Final = re.compile(r"Do not know how to load path|Could not find constraint")
_IMPORT_MAP: Final = re.compile(r'"importMap"\s*:\s*"([^"\\]+)"')


class Bundler:
    """Bundles workers of one folder; `of` gives one for another folder, with which it takes turns."""

    def __init__(
        self,
        directory: Path,
        data_directory: Path,
        *,
        deno: str,
        run: Run = run_unconfined,
        run_sealed: Run = run_unconfined,
        environ: Mapping[str, str],
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._directory = Path(os.path.realpath(directory))
        self._data_directory = Path(os.path.realpath(data_directory))
        self._private = self._data_directory
        """What lies here is no source."""
        self._deno = deno
        self._deno_dir = self._data_directory / "cache" / "deno"
        self._work = self._data_directory / "cache" / "bundles"
        self._run = run
        self._run_sealed = run_sealed
        self._environ = environ
        self._timeout_seconds = timeout_seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._first = asyncio.Lock()

    def of(self, staged: Path) -> Bundler:
        """A bundler of a folder that lies below the data directory and holds nothing but what was sent."""
        other = copy.copy(self)
        other._directory = Path(os.path.realpath(staged))
        other._private = other._directory / ".private"
        return other

    async def check(self, entry: str) -> Sequence[Diagnostic]:
        """What the type checker says of the worker whose main file is `entry`. Raises `BundleError` when it cannot
        say."""
        async with self._turns, self._in_time("checking its types"):
            work = await asyncio.to_thread(self._prepare, entry, None)
            try:
                job = _Job(self._directory, work, self._directory / entry)
                await asyncio.to_thread(_write_check, job)
                done = await self._execute(job, job.check_argv(self._deno))
                if done.code < 0:
                    raise self._explain(done, None)
                return () if done.code == 0 else read_diagnostics(_text(done), self._directory, self._deno_dir)
            finally:
                await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def bundle(self, entry: str, *, lock: bytes | None = None) -> Build:
        """Bundle the worker whose main file is `entry`. Raises `BundleError`.

        `lock` is the lock file of the version before, so that a save does not move its packages; a deno.lock in the
        served folder goes first.
        """
        async with self._turns, self._alone_if_first(), self._in_time("bundling"):
            for _ in range(_TRIES):
                build, settled = await self._attempt(entry, lock)
                if settled:
                    break
            return build

    async def settle(self, manifest: Manifest, build: Build) -> Manifest:
        """The manifest as it is kept with a build: what it takes from the worker's code is in it. Raises
        `BundleError`."""
        async with self._turns:
            return await with_exported_schema(manifest, build, deno=self._deno, folder=self._work, run=self._run_sealed)

    @contextlib.asynccontextmanager
    async def _in_time(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except TimeoutError:
            seconds = f"{self._timeout_seconds:g} s"
            raise BundleError(f"{what} took longer than {seconds}; can the package registry be reached?") from None

    @contextlib.asynccontextmanager
    async def _alone_if_first(self) -> AsyncIterator[None]:
        """Deno fetches the bundler behind `deno bundle` at its first use, and two at once get into each other's way."""
        if any(self._deno_dir.glob("dl/esbuild-*/esbuild-*")):
            yield
            return
        async with self._first:
            yield

    async def _attempt(self, entry: str, lock: bytes | None) -> tuple[Build, bool]:
        """One bundle, and whether its files held still meanwhile."""
        started_ns = time.time_ns()
        work = await asyncio.to_thread(self._prepare, entry, lock)
        try:
            job = _Job(self._directory, work, self._directory / entry)
            done = await self._execute(job, job.bundle_argv(self._deno))
            graph = await self._graph(job) if done.code == 0 or _NOT_SAID_WHY.search(_text(done)) else None
            if done.code != 0 or graph is None:
                raise self._explain(done, graph)
            return await asyncio.to_thread(self._collect, job, graph, started_ns)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    def _prepare(self, entry: str, lock: bytes | None) -> Path:
        path = self._directory / entry
        if not is_within(path, self._directory) or is_within(path, self._private):
            raise BundleError("the main file lies outside the served folder", entry)
        if not path.is_file():
            raise BundleError("there is no such file", entry)
        if path.stat().st_size > MAX_BUNDLE_BYTES:
            raise BundleError(f"the file is larger than {MAX_BUNDLE_BYTES // 1_048_576} MB", entry)
        if path.stat().st_size == 0:
            raise BundleError("the file is empty", entry)  # an editor may be about to write it
        (self._deno_dir / "dl").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._work.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = Path(tempfile.mkdtemp(dir=self._work))
        users = self._directory / "deno.lock"
        if users.is_file() and is_within(users, self._directory):
            shutil.copyfile(users, work / "deno.lock")
        elif lock is not None:
            (work / "deno.lock").write_bytes(lock)
        return work

    async def _execute(self, job: _Job, argv: Sequence[str]) -> Completed:
        env = self._environment(job.work)
        readable = [Path(self._deno), *readable_paths(self._directory, self._private)]
        readable += [Path(env[name]) for name in _CERTIFICATES if name in env]
        readable += [Path(env["HOME"]) / ".npmrc"] if "HOME" in env else []
        readable.append(self._deno_dir / "dl")  # the bundler behind deno bundle is kept there, and executed
        return await self._run(argv, env, self._directory, readable, [self._deno_dir, job.work])

    def _environment(self, work: Path) -> dict[str, str]:
        passed = {
            name: value
            for name, value in self._environ.items()
            if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
        }
        if home := self._environ.get("HOME"):
            passed["HOME"] = home  # for ~/.npmrc
        return passed | {
            "DENO_DIR": str(self._deno_dir),
            "DENO_NO_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
            "TMPDIR": str(work),
            "PATH": "/usr/bin:/bin",
        }

    async def _graph(self, job: _Job) -> Graph:
        done = await self._execute(job, job.info_argv(self._deno))
        try:
            return read_graph(_text(done))
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"its modules cannot be listed: {_text(done)[:500]}") from error

    def _explain(self, done: Completed, graph: Graph | None) -> BundleError:
        if done.code < 0:
            return BundleError(f"the bundler was ended by {signal.Signals(-done.code).name}")
        error = read_error(_text(done), self._directory, self._deno_dir)
        if graph is not None and graph.errors:
            why = in_words(graph.errors[0].split("\n")[0].replace(f"file://{self._directory}/", ""))
            return BundleError(why, error.file, error.line, error.column)
        return error

    def _collect(self, job: _Job, graph: Graph, started_ns: int) -> tuple[Build, bool]:
        """Read what was made, name it, check it. In a thread: it reads files."""
        naming = Naming(self._directory, self._private, self._deno_dir, graph, entry=job.entry)
        bundle = self._mend(_read_at_most(job.bundle, MAX_BUNDLE_BYTES, "the bundle"))
        raw_map: dict[str, Any] = json.loads(_read_at_most(job.source_map, _MAX_SOURCE_MAP_BYTES, "its source map"))
        names = [naming.source(source, job.work) for source in raw_map["sources"]]
        for path in graph.files:
            naming.name(path)
        sources: dict[str, bytes] = {}
        settled = True
        for name in sorted(naming.own):
            path = self._directory / name
            try:
                sources[name] = path.read_bytes()
                settled = settled and path.stat().st_mtime_ns < started_ns
            except OSError:
                raise BundleError("the file went away while it was bundled", name) from None
        lock = job.lock.read_bytes() if job.lock.is_file() else None
        hashed = {name: hashlib.sha256(text).hexdigest() for name, text in sources.items()}
        build = Build(
            bundle=bundle,
            source_map=_source_map(raw_map, names),
            sources=sources,
            lock=lock,
            fingerprint=config_fingerprint(self._directory, FileHashes()) | hashed,
        )
        return build, settled

    def _mend(self, bundle: bytes) -> bytes:
        """Nothing on the lines that this changes is mapped beyond its first column, so the source map stays true."""
        packages = os.path.relpath(self._deno_dir / "npm", self._directory)
        named = re.compile(rb'^(// |[ ]*")' + re.escape(packages.encode()) + rb"/[^/\n]+/", re.MULTILINE)
        return named.sub(rb"\1npm:", bundle.replace(_GLUE, _GLUE_MENDED, 1))


class _Job:
    """The files and command lines of one bundle."""

    def __init__(self, directory: Path, work: Path, entry: Path) -> None:
        self.work = work
        self.entry = entry
        self.bundle = work / "bundle.js"
        self.source_map = work / "bundle.js.map"
        self.lock = work / "deno.lock"
        self._flags = [*_config_flags(directory), "--vendor=false", f"--lock={self.lock}"]

    def bundle_argv(self, binary: str) -> list[str]:
        made = ["--sourcemap=external", f"--output={self.bundle}"]
        return [binary, "bundle", "--quiet", *self._flags, *made, str(self.entry)]

    def check_argv(self, binary: str) -> list[str]:
        return [binary, "check", "--quiet", *self._flags, str(self.work / _CHECK)]

    def info_argv(self, binary: str) -> list[str]:
        return [binary, "info", "--quiet", "--json", *self._flags, str(self.entry)]


def _write_check(job: _Job) -> None:
    """A module that loads the worker among the types of what the box gives it."""
    types = files("v8box") / "runtime" / "types" / "v8box.d.ts"
    (job.work / "v8box.d.ts").write_bytes(types.read_bytes())
    text = f'/// <reference types="./v8box.d.ts" />\nimport {json.dumps(job.entry.as_uri())};\n'
    (job.work / _CHECK).write_text(text, encoding="utf-8")


def _config_flags(directory: Path) -> list[str]:
    """Only the served folder's own configuration counts, never one that lies above it.

    Packages come from the box's cache. A node_modules folder that the user filled is used as it is; none is ever made,
    and install scripts run only where one is made.
    """
    config = next((directory / name for name in ("deno.json", "deno.jsonc") if (directory / name).is_file()), None)
    has_package = (directory / "package.json").is_file()
    modules = "manual" if has_package and (directory / "node_modules").is_dir() else "none"
    if config is not None:
        return [f"--config={config}", f"--node-modules-dir={modules}"]
    return [*([] if has_package else ["--no-config"]), f"--node-modules-dir={modules}"]


def config_fingerprint(directory: Path, hashes: FileHashes) -> dict[str, str]:
    """What every worker's bundle depends on besides its own files: the configuration, and the tools."""
    found = {"deno": _deno_version(), "format": _FORMAT}
    names = [*CONFIG_FILES]
    for name in ("deno.json", "deno.jsonc"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            names += _IMPORT_MAP.findall((directory / name).read_text(encoding="utf-8"))[:1]
    for name in names:
        if (digest := hashes.of(directory / name)) is not None:
            found[name] = digest
    return found


def _deno_version() -> str:
    try:
        return metadata.version("deno")
    except metadata.PackageNotFoundError:
        return "from PATH"  # a new one is noticed only when a worker changes


def _source_map(raw: dict[str, Any], names: list[str]) -> bytes:
    """The map with our names. The texts are left out: the user's are kept as sources, the packages' are on npm."""
    raw = {key: value for key, value in raw.items() if key not in ("sourcesContent", "sourceRoot")}
    return json.dumps(raw | {"sources": names}, separators=(",", ":")).encode()


def _read_at_most(path: Path, limit: int, what: str) -> bytes:
    size = path.stat().st_size
    if size > limit:
        raise BundleError(f"{what} is {size / 1_048_576:.1f} MB; the limit is {limit // 1_048_576} MB")
    return path.read_bytes()


def _text(done: Completed) -> str:
    return done.output.decode("utf-8", "replace")
