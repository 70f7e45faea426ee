"""Starts processes that the kernel confines, and holds them: output, usage, limits, kill, exit status.

`Spawner` is the gateway's end of the nursery (`nursery.py`), on the event loop, without threads. It knows nothing of
Deno or of the channel; `runtime_paths` is the one thing here that does, since what a runtime may read is confinement.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import marshal
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import v8box
from v8box.errors import V8BoxError
from v8box.kit import procfs
from v8box.sandbox.nursery import MAX_FDS, MAX_REQUEST_BYTES
from v8box.sandbox.rungs import Rungs, cgroup_controllers

START_TIMEOUT_SECONDS = 10.0
"""The nursery starts in about 30 ms; longer than this is a broken machine."""
STOP_TIMEOUT_SECONDS = 5.0
OUTPUT_CHUNK_BYTES = 64 * 1024
"""Most output read at once, and what a pipe holds when nobody reads."""

_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv.pop()); from v8box.sandbox.nursery import main; main()"


class SpawnError(V8BoxError):
    """A process could not be started."""

    code = "spawn"

    def __init__(self, step: str, number: int, program: str) -> None:
        self.step = step
        """What failed: "fork", "executable", "landlock", "seccomp", "exec" …, or "nursery" if that is gone."""
        self.errno = number
        super().__init__(f"Starting {program} failed at {step}: {os.strerror(number)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What the kernel enforces on one process. Rungs that this machine does not have are left out, see `Rungs`."""

    read_only: tuple[str, ...] = ()
    """Files and directories (with all beneath) that may be read and executed, besides the program itself. Missing ones
    are left out."""
    read_write: tuple[str, ...] = ()
    """The same, to write; nothing there may be executed. With a directory here, modes and times may be set too."""
    allow_network: bool = True
    """TCP and UDP over IPv4. Binding a TCP port and listening are refused in any case."""
    allow_ipv6: bool = False
    allow_unix: bool = True
    """Sockets with a path. File modes alone decide which; abstract ones are refused in any case."""
    allow_subprocess: bool = False
    """Without it no process is forked and no other program executed."""
    drop_privileges: bool = True
    """A uid of its own, if the box runs as root. Files the process reads must then be readable to everyone."""
    open_files: int = 256
    threads: int | None = 256
    """Only with a uid of its own: the kernel counts them per uid."""
    file_size_bytes: int | None = None
    oom_score_adj: int = 500
    """So that a machine out of memory ends workers before the box (-1000 to 1000)."""
    nice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnSpec:
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment: nothing is inherited."""
    cwd: str | None = "/"
    confinement: Confinement | None
    """None for a program of ours that needs none; it still dies with the box."""
    executable: str | None = None
    """Path of the program, argv[0] if None. Confined, it must be a binary: it is started by file descriptor."""
    stdin: int | None = None
    """File descriptor to give as standard input; /dev/null if None."""
    pass_fds: tuple[int, ...] = ()
    """File descriptors to give besides: they arrive as 3, 4, … in this order. The caller keeps its own."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    code: int | None
    """None if a signal ended it."""
    signal: int | None
    cpu_seconds: float
    max_rss_bytes: int
    """Peak resident size, files included; never under the nursery's own (about 9 MB), from which it was forked."""


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float
    private_bytes: int


class Child:
    """One process. Read its output, or it blocks once the pipe is full; `close` when done with it."""

    def __init__(self, pid: int, pidfd: int, status_fd: int, output: int, has_group: bool, spawner: Spawner) -> None:
        self.pid = pid
        self.exited: asyncio.Future[ExitStatus] = spawner.loop.create_future()
        """Set once the process has ended and been waited for. Output may still be in the pipe then."""
        self.output_closed: asyncio.Future[None] = spawner.loop.create_future()
        """Set when the last byte of output has been delivered, or `close` gave up on it."""
        self._spawner = spawner
        self._pidfd = pidfd
        self._status_fd = status_fd
        self._output = output
        self._has_group = has_group
        self._on_output: Callable[[bytes], None] | None = None
        self._last_usage = Usage(0.0, 0)

    # --- output

    def on_output(self, callback: Callable[[bytes], None]) -> None:
        """Delivers stdout and stderr, in order and as one stream, from now on; `output_closed` is its end."""
        self._on_output = callback
        self.resume_output()

    def pause_output(self) -> None:
        """Stops reading: what the process writes beyond one pipe's worth (64 KiB) makes it wait."""
        if self._output >= 0:
            self._spawner.loop.remove_reader(self._output)

    def resume_output(self) -> None:
        if self._output >= 0:
            self._spawner.loop.add_reader(self._output, self._read_output)

    def close(self) -> None:
        """Ends the process if it still runs, and lets go of its output. May be called twice."""
        self.kill()
        self._close_output()

    def _read_output(self) -> None:
        try:
            data = os.read(self._output, OUTPUT_CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close_output()
        elif self._on_output is not None:
            self._on_output(data)

    def _close_output(self) -> None:
        if self._output >= 0:
            self._spawner.loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1
        if not self.output_closed.done():
            self.output_closed.set_result(None)

    # --- control

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Signals the process, never another that got its number. Its subprocesses are killed when it has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, sig)

    def _kill_group(self) -> None:
        """For when the nursery, whose task it is, is gone."""
        if self._has_group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def set_nice(self, nice: int) -> None:
        """Priority of all its threads, 19 the lowest. Raising it again needs CAP_SYS_NICE."""
        try:
            if not self.exited.done():
                os.setpriority(os.PRIO_PGRP, self.pid, nice)
        except PermissionError:
            self._spawner.act_as_child("nice", self.pid, nice)
        except ProcessLookupError:
            pass

    def demote(self) -> None:
        """Lets every other process go first, at once: as SCHED_IDLE it runs on what nobody else wants."""
        if not self._set_class(os.SCHED_IDLE):
            self.set_nice(19)

    def restore(self) -> bool:
        """Takes `demote` back. False where that needs more rights than the box has."""
        return self._set_class(os.SCHED_OTHER)

    def _set_class(self, policy: int) -> bool:
        if self.exited.done():
            return True
        try:
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                os.sched_setscheduler(int(thread), policy, os.sched_param(0))
        except (ProcessLookupError, FileNotFoundError):
            return True  # it ends, or a thread of it did
        except PermissionError:
            return False
        return True

    def limit_data_bytes(self, limit: int, most: int | None = None) -> None:
        """Bounds private writable memory (RLIMIT_DATA: reserved counts, not only used). `most` is how far the bound can
        be moved later, in a second call with the same `most`; without it, it is for good."""
        limits = (limit, limit if most is None else most)
        try:
            if not self.exited.done():
                resource.prlimit(self.pid, resource.RLIMIT_DATA, limits)
        except PermissionError:
            self._spawner.act_as_child("data", self.pid, limits)
        except ProcessLookupError:
            pass

    def usage(self) -> Usage:
        """Processor time and private memory now, or as last seen once it has ended. About 6 microseconds."""
        if self._status_fd >= 0:
            try:
                status = os.pread(self._status_fd, 4096, 0)
                self._last_usage = Usage(procfs.cpu_seconds(self.pid), procfs.private_bytes_from_status(status))
            except OSError:
                pass  # it ended, and the news of it is on its way
        return self._last_usage

    def _ended(self, status: ExitStatus) -> None:
        for fd in (self._pidfd, self._status_fd):
            if fd >= 0:
                os.close(fd)
        self._pidfd = self._status_fd = -1
        self._last_usage = Usage(status.cpu_seconds, 0)
        if not self.exited.done():
            self.exited.set_result(status)


class Spawner:
    """Use `start`. One for a box; everything it started ends with it, and with the box however that ends."""

    rungs: Rungs

    def __init__(
        self, loop: asyncio.AbstractEventLoop, control: socket.socket, process: subprocess.Popen[bytes]
    ) -> None:
        self.loop = loop
        self.died: asyncio.Future[None] = loop.create_future()
        """Set if the nursery ends without having been told to. Its children are dead then; the box should stop."""
        self._control = control
        self._process = process
        self._ready: asyncio.Future[tuple[Any, ...]] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._stopping = False
        self._next_id = 0
        self._outbox: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._waiting: dict[int, tuple[asyncio.Future[Child], int, str, bool]] = {}  # id: (…, output, program, group)
        self._children: dict[int, Child] = {}
        loop.add_reader(control.fileno(), self._receive)

    @classmethod
    async def start(cls) -> Self:
        """Starts the nursery and learns what it can enforce. Call it from the main thread."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        main_thread = threading.get_native_id() == os.getpid()
        source = str(Path(v8box.__file__).parent.parent)
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid()), str(int(main_thread)), source]
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - takes 2 ms, once; our own module
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                process_group=0,  # Ctrl-C at the terminal is for the gateway; a session of its own would undo `nice`
            )
        spawner = cls(asyncio.get_running_loop(), ours, process)
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                failures, abi, (first_uid, uid_count) = await spawner._ready
        except BaseException:
            await spawner.stop()
            raise
        spawner.rungs = Rungs(
            failures=failures,
            landlock_abi=abi,
            first_uid=first_uid,
            uid_count=uid_count,
            cgroup_controllers=cgroup_controllers(),
        )
        return spawner

    @property
    def nursery_pid(self) -> int:
        return self._process.pid

    @property
    def children(self) -> tuple[Child, ...]:
        """Those that have not ended."""
        return tuple(self._children.values())

    async def spawn(self, spec: SpawnSpec) -> Child:
        """Returns once the program itself runs. SpawnError names the step that failed."""
        program = spec.executable or spec.argv[0]
        if self._stopping or self._gone.done():
            raise SpawnError("nursery", errno.EPIPE, program)
        self._next_id += 1
        request = marshal.dumps(("spawn", self._next_id, _wire_form(spec, program)))
        if len(request) > MAX_REQUEST_BYTES or len(spec.pass_fds) + 2 > MAX_FDS:
            raise SpawnError("request", errno.E2BIG, program)
        output, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        answer: asyncio.Future[Child] = self.loop.create_future()
        has_group = spec.confinement is None or spec.confinement.allow_subprocess
        self._waiting[self._next_id] = (answer, output, program, has_group)
        given = (write_end, *(() if spec.stdin is None else (spec.stdin,)), *spec.pass_fds)
        # duplicates, so that the caller may close its own while this waits in the outbox
        self._send(request, (write_end, *(os.dup(fd) for fd in given[1:])))
        return await answer

    def act_as_child(self, action: str, pid: int, value: int | tuple[int, int]) -> None:
        """For `Child`: "nice" and "data", where a uid of its own puts the child out of the gateway's reach."""
        self._send(marshal.dumps((action, pid, value)), ())

    async def stop(self) -> None:
        """Kills what is left and ends the nursery. Takes milliseconds, `STOP_TIMEOUT_SECONDS` at the very most."""
        if self._stopping:
            return
        self._stopping = True
        for child in self.children:
            child.kill()
        if left := [child.exited for child in self.children]:
            await asyncio.wait(left, timeout=STOP_TIMEOUT_SECONDS / 2)
        if not self._gone.done():
            self._control.shutdown(socket.SHUT_WR)
            await asyncio.wait([self._gone], timeout=STOP_TIMEOUT_SECONDS / 2)
        self._process.kill()
        self._nursery_gone()
        self._process.wait()  # killed or ended: there is nothing to wait for

    # --- messages

    def _send(self, data: bytes, fds: tuple[int, ...]) -> None:
        """Sends now or when there is room; closes `fds` when sent."""
        self._outbox.append((data, fds))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._outbox and not self._gone.done():
            data, fds = self._outbox[0]
            try:
                socket.send_fds(self._control, [data], list(fds)) if fds else self._control.send(data)
            except BlockingIOError:
                self.loop.add_writer(self._control.fileno(), self._flush)
                return
            except OSError:
                self._nursery_gone()
                return
            self._outbox.popleft()
            _close(fds)
        if not self._gone.done():
            self.loop.remove_writer(self._control.fileno())

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, 65536, 8, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._nursery_gone()
            return
        kind, *rest = marshal.loads(data)  # noqa: S302 - from the nursery, which runs no foreign code
        match kind:
            case "ready":
                self._ready.set_result(tuple(rest))
            case "spawned":
                self._spawned(rest[0], rest[1], *fds)
            case "failed":
                answer, output, program, _ = self._waiting.pop(rest[0])
                os.close(output)
                if not answer.done():
                    answer.set_exception(SpawnError(rest[1], rest[2], program))
            case "exited":
                pid, status, cpu_seconds, max_rss_bytes = rest
                code, number = (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)
                self._children.pop(pid)._ended(ExitStatus(code, number, cpu_seconds, max_rss_bytes))

    def _spawned(self, request_id: int, pid: int, pidfd: int, status_fd: int) -> None:
        answer, output, _, has_group = self._waiting.pop(request_id)
        child = self._children[pid] = Child(pid, pidfd, status_fd, output, has_group, self)
        if answer.done():  # whoever asked for it was cancelled
            child.close()
        else:
            answer.set_result(child)

    def _nursery_gone(self) -> None:
        if self._gone.done():
            return
        self._gone.set_result(None)
        self.loop.remove_reader(self._control.fileno())
        self.loop.remove_writer(self._control.fileno())
        self._control.close()
        for _, fds in self._outbox:
            _close(fds)
        self._outbox.clear()
        for answer, output, program, _ in self._waiting.values():
            os.close(output)
            if not answer.done():
                answer.set_exception(SpawnError("nursery", errno.EPIPE, program))
        self._waiting.clear()
        for child in self._children.values():
            child.kill()  # the kernel does so too; this is for those whose parent death signal is not available
            child._kill_group()
            child._ended(ExitStatus(None, signal.SIGKILL, child.usage().cpu_seconds, 0))
        self._children.clear()
        if not self._ready.done():
            self._ready.set_exception(SpawnError("nursery", errno.EPIPE, "the nursery"))
        if not self._stopping:
            self.died.set_result(None)


def runtime_paths(deno_path: str) -> tuple[str, ...]:
    """What a Deno process may read: the runtime, libraries, what name resolution needs, CA certificates, nothing else.

    Found by leaving out one at a time. Deno also asks for files below /proc and /sys, its cache directory, ~/.npmrc and
    /dev/urandom, and goes on without: `Deno.memoryUsage().rss` is 0 then, and the processors are those of the machine,
    not of the cgroup. Two things make it wait 150 ms when its DENO_DIR cannot be written: a script in TypeScript, whose
    transpiled form it insists on storing, and the code cache; so start a .js file, with --no-code-cache.
    """
    return (
        os.path.realpath(deno_path),  # it opens its own file, for the snapshot within
        *("/lib", "/lib64", "/usr/lib", "/usr/lib64"),  # libc and friends, and those it loads to resolve names
        "/etc/ld.so.cache",  # without it the loader searches the standard directories: slower, and fewer
        *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"),
        *("/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"),  # Debian's place, Fedora's two
    )


def _wire_form(spec: SpawnSpec, program: str) -> dict[str, object]:
    confinement = spec.confinement
    return {
        "argv": spec.argv,
        "env": dict(spec.env),
        "cwd": spec.cwd,
        "executable": program,
        "stdin": spec.stdin is not None,
        "confinement": confinement and {f.name: getattr(confinement, f.name) for f in fields(confinement)},
    }


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
