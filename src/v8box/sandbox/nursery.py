"""The nursery: a small single-threaded process that starts every confined process, waits for it and outlives none.

The gateway has threads and so must not run Python between fork and exec; the nursery has none. It is told what to
start over a SOCK_SEQPACKET socket (one marshalled tuple per message, file descriptors beside it) and answers with the
pid, a pidfd, and later the exit status. `spawner.py` is the other end; nothing else imports this module. Its imports
are few on purpose: they are its start time and its memory, and every fork copies their page tables.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import fcntl
import marshal
import os
import resource
import select
import struct
import sys

from v8box.sandbox import landlock, seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_REQUEST_BYTES = 160 * 1024
"""Longest request, in bytes: below the default socket buffer (net.core.wmem_default, 208 KiB)."""
MAX_FDS = 64
"""Most file descriptors in one request."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL, _SIGUSR1, _SIGCHLD = 9, 10, 17
_PARENT_DIED = _SIGUSR1  # not KILL: the subprocesses of our children must be killed first
_ENDED = (1, 2, 3)  # CLD_EXITED CLD_KILLED CLD_DUMPED
_SIG_BLOCK, _SIG_SETMASK = 0, 2
_IGNORED = (1, 2, 3, 15)  # HUP INT QUIT TERM: the gateway says when to stop, by closing the socket
_PYTHON_IGNORES = (13, 25)  # PIPE XFSZ: a child must not inherit that
_SFD_CLOEXEC, _SFD_NONBLOCK = 0o2000000, 0o4000
_FD_STAGING = 100  # above every number a child's descriptors get, so that moving them overwrites none

_SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NANOSECONDS = 100_000  # the shortest there is; the default is about 3 ms

_libc = ctypes.CDLL(None, use_errno=True)

Confinement = dict[str, "Any"]


class StepFailed(Exception):
    """A step between fork and exec failed; args are (step, errno)."""


class Nursery:
    def __init__(self, control: int, gateway_pid: int) -> None:
        self._control = _socket.socket(fileno=control)
        self._gateway_pid = gateway_pid
        self._machine = os.uname().machine
        self._pid = os.getpid()
        self._facts: dict[str, int] = {}
        self._filters: dict[tuple[object, ...], seccomp.Filter] = {}
        self._children: dict[int, tuple[int | None, bool]] = {}  # pid: (uid of its own, has subprocesses)
        self._uids = _uid_range()

    def run(self) -> None:
        os.set_inheritable(self._control.fileno(), False)
        for number in _IGNORED:
            _libc.signal(number, ctypes.c_void_p(1))
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        signals = _signalfd()
        self._facts = self._probe()
        self._send(("ready", self._facts, landlock.supported_abi(), self._uids), ())
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(signals, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == signals:
                    os.read(signals, 128 * 16)
                    self._reap()
                    if os.getppid() != self._gateway_pid:
                        self._kill_all()
                        return
                elif not self._serve_one():
                    self._kill_all()
                    return

    # --- requests

    def _serve_one(self) -> bool:
        try:
            data, ancillary, _, _ = self._control.recvmsg(
                MAX_REQUEST_BYTES, _socket.CMSG_SPACE(MAX_FDS * 4), _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionError:  # the gateway died with answers of ours unread
            return False
        if not data:
            return False
        fds = [fd for _, kind, raw in ancillary if kind == _socket.SCM_RIGHTS for fd in memoryview(raw).cast("i")]
        request = marshal.loads(data)  # noqa: S302 - from the gateway, which is the one that started this process
        try:
            if request[0] == "spawn":
                self._spawn(request[1], request[2], fds)
            else:
                self._act_as_child(request[1], request[0], request[2])
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _spawn(self, request_id: int, spec: dict[str, Any], fds: list[int]) -> None:
        confinement: Confinement | None = spec["confinement"]
        uid = self._free_uid() if confinement and confinement["drop_privileges"] and self._works("uid") else None
        if confinement and self._works("seccomp"):
            self._filter(confinement, _open_files(confinement))  # compiled here and kept, for every fork to inherit
        status_read, status_write = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(status_read)
            os.close(status_write)
            self._send(("failed", request_id, "fork", error.errno or errno.EAGAIN), ())
            return
        if pid == 0:
            self._become(spec, fds, uid, status_write)
        os.close(status_write)
        failure = os.read(status_read, 4096)  # ends at exec, which closes the other end
        os.close(status_read)
        if failure:
            os.waitpid(pid, 0)
            step, code = marshal.loads(failure)  # noqa: S302 - from our own fork, before any foreign code
            self._send(("failed", request_id, step, code), ())
            return
        self._children[pid] = (uid, confinement is None or confinement["allow_subprocess"])
        handles = [os.pidfd_open(pid), os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)]
        self._send(("spawned", request_id, pid), handles)
        for handle in handles:
            os.close(handle)

    def _act_as_child(self, pid: int, action: str, value: Any) -> None:
        """Does to a child what the gateway may not, because the child has a uid of its own: as that uid."""
        uid = self._children.get(pid, (None, False))[0]
        if pid not in self._children or os.fork() != 0:
            return
        try:
            if uid is not None:
                _take_uid(uid)
            if action == "nice":
                os.setpriority(os.PRIO_PGRP, pid, value)
            elif action == "data":
                resource.prlimit(pid, resource.RLIMIT_DATA, value)
        finally:
            os._exit(0)

    # --- children

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:
                return
            if ended is None:
                return
            known = self._children.pop(ended.si_pid, None)
            if known and known[1]:
                _kill_group(ended.si_pid)  # before the leader is reaped: until then nobody else can have its number
            if ended.si_code not in _ENDED:
                os.kill(ended.si_pid, _SIGKILL)  # it asked to be traced, by us; a stopped process would stay for ever
            pid, status, usage = os.wait4(ended.si_pid, 0)
            while os.WIFSTOPPED(status):
                pid, status, usage = os.wait4(ended.si_pid, 0)
            if known:
                self._send(("exited", pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024), ())

    def _kill_all(self) -> None:
        for pid in self._children:
            _kill_group(pid)

    def _free_uid(self) -> int | None:
        first, count = self._uids
        taken = {uid for uid, _ in self._children.values()}
        for _ in range(4 * count):
            uid = first + int.from_bytes(os.urandom(4), "little") % count
            if uid not in taken:
                return uid
        return None

    def _send(self, message: tuple[Any, ...], fds: list[int] | tuple[()]) -> None:
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, b"".join(fd.to_bytes(4, "little") for fd in fds))]
        try:
            self._control.sendmsg([marshal.dumps(message)], rights if fds else [])
        except OSError:
            pass  # the gateway is gone; the end of its socket says so next

    # --- in the child, between fork and exec

    def _become(self, spec: dict[str, Any], fds: list[int], uid: int | None, status_write: int) -> None:
        try:
            self._exec(spec, fds, uid, status_write)
        except StepFailed as failure:
            os.write(status_write, marshal.dumps(failure.args))
        finally:
            os._exit(127)

    def _exec(self, spec: dict[str, Any], fds: list[int], uid: int | None, status_write: int) -> None:
        confinement: Confinement | None = spec["confinement"]
        argv, env, executable = spec["argv"], spec["env"], spec["executable"]
        if confinement is not None:
            confinement["read_only"] += (executable,)
        with _Step("process group"):
            os.setpgid(0, 0)
        with _Step("executable"):
            program = os.open(executable, os.O_PATH | os.O_CLOEXEC)
        with _Step("cwd"):
            if spec["cwd"] is not None:
                os.chdir(spec["cwd"])
        with _Step("file descriptors"):
            staged = [_dup_above(fd) for fd in fds]
            numbers = (1, 0) if spec["stdin"] else (1,)
            for number, fd in zip((*numbers, *range(3, 3 + len(fds) - len(numbers))), staged, strict=True):
                os.dup2(fd, number, inheritable=True)
            os.dup2(1, 2, inheritable=True)
        for number in (*_IGNORED, *_PYTHON_IGNORES):
            _libc.signal(number, ctypes.c_void_p(0))
        _set_signal_mask(_SIG_SETMASK, 0)
        if confinement is None:
            self._die_with_nursery()
            with _Step("exec"):
                os.execve(executable, argv, env)  # noqa: S606 - this is what the module is for
        exec_fd = _open_files(confinement)  # the first number that the limit on open files forbids
        with _Step("executable"):
            os.dup2(program, exec_fd, inheritable=False)
        for step, action in self._steps(confinement, uid):
            if self._facts.get(step, 0) == 0:
                with _Step(step):
                    action()
        with _Step("exec"):
            os.execve(exec_fd, argv, env)  # noqa: S606

    def _steps(self, confinement: Confinement, uid: int | None) -> list[tuple[str, Callable[[], object]]]:
        """The rungs in the order in which each still leaves the right to take the next."""
        abi = landlock.supported_abi()
        exec_fd = _open_files(confinement)  # before the limit on it is set
        network = confinement["allow_network"]
        ruleset = -1

        def prepare_landlock() -> None:
            nonlocal ruleset
            if abi == 0:
                raise OSError(errno.ENOSYS, "no Landlock")
            ruleset = landlock.create_ruleset(
                abi, confinement["read_only"], confinement["read_write"], allow_network=network
            )

        def take_uid() -> None:
            if uid is not None:
                _take_uid(uid)
            elif self._facts and confinement["drop_privileges"] and self._works("uid"):
                raise OSError(errno.EAGAIN, "no free uid")

        return [
            ("limits", lambda: _set_limits(confinement, exec_fd, uid is not None)),
            ("oom score", lambda: _write("/proc/self/oom_score_adj", str(confinement["oom_score_adj"]))),
            ("nice", lambda: self._yield_readily(confinement["nice"])),
            ("landlock", prepare_landlock),
            ("uid", take_uid),
            ("capabilities", self._drop_capabilities),
            ("no_new_privs", lambda: _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))),
            ("landlock", lambda: landlock.restrict(ruleset)),
            ("parent death signal", self._die_with_nursery),
            ("seccomp", lambda: self._filter(confinement, exec_fd).install()),
        ]

    def _yield_readily(self, nice: int) -> None:
        """Sets the priority and, from Linux 6.12 on, a short time slice: who wakes beside a busy child waits less."""
        os.nice(nice)
        number = _SYS_SCHED_SETATTR.get(self._machine)
        if number is not None:
            attributes = struct.pack("<IIQiIQQQ", 48, 0, 0, nice, 0, _SLICE_NANOSECONDS, 0, 0)
            _libc.syscall(number, 0, attributes, 0)  # an older kernel ignores the slice, or refuses: no harm either way

    def _filter(self, confinement: Confinement, exec_fd: int) -> seccomp.Filter:
        flags = ("allow_network", "allow_ipv6", "allow_unix", "allow_subprocess")
        options = {flag: bool(confinement[flag]) for flag in flags}
        options["allow_file_metadata"] = any(os.path.isdir(path) for path in confinement["read_write"])
        key = (*options.values(), exec_fd)
        if key not in self._filters:
            if self._machine not in _SYS_CAPSET:
                raise OSError(errno.ENOSYS, "no filter for this machine")
            self._filters[key] = seccomp.Filter(seccomp.compile_filter(self._machine, exec_fd=exec_fd, **options))
        return self._filters[key]

    def _drop_capabilities(self) -> None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        _check(_libc.syscall(_SYS_CAPSET[self._machine], header, (ctypes.c_uint32 * 6)()))

    def _die_with_nursery(self) -> None:
        # after every change of uid, for that clears it
        _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))
        if os.getppid() != self._pid:
            os._exit(127)

    def _works(self, rung: str) -> bool:
        return self._facts.get(rung) == 0

    # --- what this machine gives

    def _probe(self) -> dict[str, int]:
        """Takes every rung in a fork and says how each went: {step: errno, 0 if taken}."""
        read, write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            results: dict[str, int] = {}
            try:
                _set_signal_mask(_SIG_SETMASK, 0)
                uid = self._uids[0] if os.geteuid() == 0 else None
                for step, action in self._steps(PROBE_CONFINEMENT, uid):
                    try:
                        action()
                    except OSError as error:
                        results[step] = results.get(step) or error.errno or errno.EPERM
                    else:
                        results.setdefault(step, 0)
                if uid is None:
                    results["uid"] = errno.EPERM
                os.write(write, marshal.dumps(results))
            finally:
                os._exit(0)
        os.close(write)
        raw = b""
        while chunk := os.read(read, 4096):
            raw += chunk
        os.close(read)
        facts: dict[str, int] = marshal.loads(raw) if raw else {"probe": errno.EIO}  # noqa: S302 - from our own fork
        try:
            os.kill(pid, 0)
        except PermissionError:  # no CAP_KILL: neither we nor the parent death signal could end a child of another uid
            facts["uid"] = errno.EPERM
        os.waitpid(pid, 0)
        return facts


PROBE_CONFINEMENT: Confinement = {
    "read_only": ("/usr",),
    "read_write": (),
    "allow_network": True,
    "allow_ipv6": False,
    "allow_unix": True,
    "allow_subprocess": False,
    "drop_privileges": True,
    "open_files": 256,
    "threads": None,
    "file_size_bytes": None,
    "oom_score_adj": 500,
    "nice": 0,
}


class _Step:
    """Names what was being done when an OSError came up. A class, since contextlib would be one import more."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            raise StepFailed(self._name, error.errno or errno.EIO) from error
        if isinstance(error, (ValueError, TypeError, OverflowError)):
            raise StepFailed(self._name, errno.EINVAL) from error


def _uid_range() -> tuple[int, int]:
    """Where children's uids come from: (first, count). Both ranges are those that systemd's table of uids leaves free.

    The large one, unless this is a user namespace that maps less; then what Linux distributions leave free below 2^16.
    """
    large = (0x70000000, 0x0F000000)
    with open("/proc/self/uid_map") as file:
        mapped = [tuple(map(int, line.split())) for line in file]
    if any(first <= large[0] and large[0] + large[1] <= first + count for first, _, count in mapped):
        return large
    return (60578, 606)


def _take_uid(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _open_files(confinement: Confinement) -> int:
    wanted: int = confinement["open_files"]
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1)


def _set_limits(confinement: Confinement, open_files: int, own_uid: bool) -> None:
    limits: dict[int, int | None] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_FSIZE: confinement["file_size_bytes"],
    }
    if own_uid:  # it counts the threads of a whole uid
        limits[resource.RLIMIT_NPROC] = confinement["threads"]
    for limit, value in limits.items():
        if value is not None:
            hard = resource.getrlimit(limit)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (value, value))


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _dup_above(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FD_STAGING)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, _SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _set_signal_mask(how: int, mask: int) -> ctypes.Array[ctypes.c_uint64]:
    signals = (ctypes.c_uint64 * 16)(mask)  # sigset_t: 128 bytes, bit n-1 for signal n
    _check(_libc.sigprocmask(how, signals, None))
    return signals


def _signalfd() -> int:
    mask = _set_signal_mask(_SIG_SETMASK, 1 << (_SIGCHLD - 1) | 1 << (_PARENT_DIED - 1))
    fd: int = _libc.signalfd(-1, mask, _SFD_CLOEXEC | _SFD_NONBLOCK)
    return _check(fd)


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def main() -> None:
    """Arguments: the socket's file descriptor, the gateway's pid, and 1 if the gateway's main thread started this."""
    control, gateway_pid, from_main_thread = (int(argument) for argument in sys.argv[1:4])
    if from_main_thread:  # or it would come when that thread ends; the end of the socket tells in any case
        _set_signal_mask(_SIG_BLOCK, 1 << (_PARENT_DIED - 1))
        _libc.prctl(_PR_SET_PDEATHSIG, _PARENT_DIED, 0, 0, 0)
        if os.getppid() != gateway_pid:
            return
    Nursery(control, gateway_pid).run()


if __name__ == "__main__":
    main()
