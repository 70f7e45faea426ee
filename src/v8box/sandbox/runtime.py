"""Makes sandboxes: the command line, the environment and the confinement of a Deno process, and its socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
from pathlib import Path
from typing import Final, cast

from v8box.errors import StopReason, V8BoxError
from v8box.kit.addresses import SPECIAL_IPV4, own_ipv4
from v8box.sandbox.deno import DenoSandbox
from v8box.sandbox.interface import CallServer, Death, Profile, SandboxObserver
from v8box.sandbox.spawner import Confinement, Spawner, SpawnSpec, runtime_paths
from v8box.sandbox.ticks import FLAGS as TICK_FLAGS

START_TIMEOUT_SECONDS: Final = 10.0
"""A process is a blank after about 25 ms; longer than this is a broken machine."""

_V8_FLAGS = "--v8-flags=--max-old-space-size={},--single-threaded-gc,--expose-gc,--max-semi-space-size=4"
_SO_PEERCRED = struct.Struct("3i")


class DenoRuntime:
    """Starts Deno sandboxes. `start` it once; it keeps one listening socket, whose peers are known by their pid."""

    def __init__(
        self, spawner: Spawner, deno: str, calls: CallServer, observer: SandboxObserver, *, allow_ipv6: bool
    ) -> None:
        self._spawner = spawner
        self._deno = deno
        self._calls = calls
        self._observer = observer
        self._allow_ipv6 = allow_ipv6
        self._shim = Path()
        self._socket = Path()
        self._server: asyncio.AbstractServer | None = None
        self._expected: dict[int, DenoSandbox] = {}
        self._early: dict[int, _Peer] = {}
        self._denied = ",".join((*SPECIAL_IPV4, *own_ipv4(), "localhost"))
        self._confinement = Confinement()

    async def start(self, shim: Path, folder: Path) -> None:
        """Puts the shim into `folder`, where every sandbox may read it (others may pass through it), and listens."""
        self._shim = folder / "shim.js"
        shutil.copyfile(shim, self._shim)
        self._shim.chmod(0o644)
        self._socket = folder / "channel"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Peer(self), str(self._socket), backlog=256)
        # Under a uid of its own a sandbox needs the right to connect; who it is, the kernel tells.
        self._socket.chmod(0o666)
        self._confinement = Confinement(
            read_only=(*runtime_paths(self._deno), str(self._shim)),
            allow_ipv6=self._allow_ipv6,
            nice=2,
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def start_sandbox(self, profile: Profile) -> DenoSandbox:
        """A blank of this profile. Raises `StartupFailed` or `SpawnError`."""
        sandbox = DenoSandbox(profile, self._calls, self._observer)
        child = await self._spawner.spawn(
            SpawnSpec(
                argv=self._argv(profile),
                env={"NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1", "DENO_DIR": "/dev/null/none", "LANG": "C.UTF-8"},
                executable=self._deno,
                confinement=self._confinement,
            )
        )
        sandbox.attach(child)
        early = self._early.pop(child.pid, None)
        if early is not None:
            early.join(sandbox)
        else:
            self._expected[child.pid] = sandbox

        def forget(_: object) -> None:
            self._expected.pop(child.pid, None)
            child.close()

        sandbox.stopped.add_done_callback(forget)
        try:
            await sandbox.hello(START_TIMEOUT_SECONDS)
        except BaseException:
            sandbox.kill(Death(reason=StopReason.STARTUP, detail="the start was given up"))
            raise
        return sandbox

    def _argv(self, profile: Profile) -> tuple[str, ...]:
        channel = f"unix:{self._socket}"  # the shim gives it back once it is connected
        if profile.net == "public":
            allowed = ""
        else:
            allowed = "=" + ",".join((channel, *(profile.net if profile.net != "none" else ())))
        v8_flags = _V8_FLAGS.format(profile.memory_mb)
        if profile.ticks_us:
            v8_flags += f",{TICK_FLAGS.format(profile.ticks_us)}"
        return (
            "deno",
            "run",
            "--quiet",
            "--no-prompt",
            "--no-config",
            "--no-lock",
            "--no-remote",
            "--no-npm",
            "--no-check",
            "--no-code-cache",
            _V8_FLAGS.format(profile.memory_mb)
            + ("," + TICK_FLAGS.format(profile.ticks_us) if profile.ticks_us else ""),
            f"--allow-read={self._socket}",
            f"--allow-write={self._socket}",
            f"--allow-net{allowed}",
            f"--deny-net={self._denied}",
            str(self._shim),
            str(self._socket),
        )

    def arrived(self, peer: _Peer, pid: int) -> None:
        """A process has connected: it is the one we started, or it is turned away."""
        sandbox = self._expected.pop(pid, None)
        if sandbox is not None:
            peer.join(sandbox)
        elif len(self._early) < 64:
            self._early[pid] = peer  # the nursery's word about this pid is still under way
            asyncio.get_running_loop().call_later(1.0, self._expire, pid, peer)
        else:
            peer.refuse()

    def _expire(self, pid: int, peer: _Peer) -> None:
        if self._early.get(pid) is peer:
            del self._early[pid]
            peer.refuse()


class _Peer(asyncio.Protocol):
    """A connection until it is known whose it is; then the sandbox's channel takes its place."""

    def __init__(self, runtime: DenoRuntime) -> None:
        self._runtime = runtime
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, with the same methods
        raw = self._transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _SO_PEERCRED.size
        )
        self._runtime.arrived(self, _SO_PEERCRED.unpack(raw)[0])

    def join(self, sandbox: DenoSandbox) -> None:
        """Hands the connection over."""
        channel = sandbox.channel
        if self._transport is not None:
            self._transport.set_protocol(channel)
            channel.connection_made(self._transport)
        if self._early:
            channel.data_received(bytes(self._early))
            self._early.clear()

    def refuse(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > 4096:
            self.refuse()


def find_deno() -> str:
    """The `deno` binary: that of the wheel this package depends on, else the one on PATH. Raises `V8BoxError`."""
    try:
        from deno import find_deno_bin  # type: ignore[import-untyped]

        found: str | None = os.fsdecode(find_deno_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("deno")
    if found is None:
        raise V8BoxError("Deno is not installed: `pip install deno` brings it, or put a deno on PATH")
    return os.path.realpath(found)
