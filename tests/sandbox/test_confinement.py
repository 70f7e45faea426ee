"""What a hostile worker can do once Deno's own permissions do not stand in its way any more: nothing.

Deno runs with -A, and Python makes raw system calls. Every attempt is made without confinement first: a refusal only
counts where the same attempt succeeds then.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from v8box.sandbox import seccomp
from v8box.sandbox.spawner import Confinement, ExitStatus, Spawner, SpawnSpec, runtime_paths

DENO = os.path.join(os.path.dirname(sys.executable), "deno")
DEADLINE = 60.0
DENO_ENV = {"DENO_DIR": "/dev/null/nowhere", "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}

DENO_ATTEMPTS = r"""
const given = JSON.parse(Deno.args[0]);
const attempts = {
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read the project": () => Deno.readTextFileSync(given.project),
  "list the root": () => [...Deno.readDirSync("/")],
  "list /proc": () => [...Deno.readDirSync("/proc")],
  "read its own environment": () => Deno.readFileSync("/proc/self/environ"),
  "read the gateway's command": () => Deno.readFileSync(`/proc/${given.gateway}/cmdline`),
  "write to a directory of all": () => Deno.writeTextFileSync(given.writable + "/new", "x"),
  "write to an open file": () => Deno.writeTextFileSync(given.writable + "/old", "x"),
  "truncate a file": () => Deno.truncateSync(given.writable + "/old"),
  "remove a file": () => Deno.removeSync(given.writable + "/gone"),
  "change a mode": () => Deno.chmodSync(given.writable + "/mine-" + given.who, 0o600),
  "change a time": () => Deno.utimeSync(given.writable + "/mine-" + given.who, 1, 1),
  "connect to an abstract socket": () => Deno.connect({ transport: "unix", path: "\0" + given.abstract }),
  "open an IPv6 socket": () => Deno.connect({ hostname: "::1", port: given.port6 }),
  "listen for TCP": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  "listen on a Unix socket": () => Deno.listen({ transport: "unix", path: given.writable + "/socket-" + given.who }),
  "run a program": () => new Deno.Command("/bin/true").outputSync(),
  "signal the gateway": () => Deno.kill(given.gateway, "SIGURG"),
  "watch a directory": () => Deno.watchFs(given.writable),
  "connect to a public address by name": () => Deno.connect({ hostname: "localhost", port: given.port4 }),
  "read the script itself": () => Deno.readTextFileSync(new URL(import.meta.url)),
};
const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    results[name] = "done";
  } catch (error) {
    results[name] = String(error);
  }
}
console.log(JSON.stringify(results));
Deno.exit(0);
"""
ALLOWED = {"connect to a public address by name", "read the script itself"}
REFUSED = (
    "read /etc/passwd",
    "read the project",
    "list the root",
    "list /proc",
    "read its own environment",
    "read the gateway's command",
    "write to a directory of all",
    "write to an open file",
    "truncate a file",
    "remove a file",
    "change a mode",
    "change a time",
    "connect to an abstract socket",
    "open an IPv6 socket",
    "listen for TCP",
    "listen on a Unix socket",
    "run a program",
    "signal the gateway",
    "watch a directory",
)


def spawn_all(*specs: SpawnSpec) -> list[tuple[ExitStatus, bytes]]:
    async def run(spawner: Spawner, spec: SpawnSpec) -> tuple[ExitStatus, bytes]:
        child = await spawner.spawn(spec)
        output = bytearray()
        child.on_output(output.extend)
        async with asyncio.timeout(DEADLINE):
            await child.output_closed
            return await child.exited, bytes(output)

    async def main() -> list[tuple[ExitStatus, bytes]]:
        spawner = await Spawner.start()
        try:
            return [await run(spawner, spec) for spec in specs]
        finally:
            await spawner.stop()

    return asyncio.run(main())


@pytest.fixture(scope="module")
def open_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that anyone may enter, unlike pytest's."""
    path = Path("/tmp") / f"v8box-test-{os.getpid()}"
    path.mkdir()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def results_of(output: tuple[ExitStatus, bytes]) -> dict[str, Any]:
    status, text = output
    try:
        results: dict[str, Any] = json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        pytest.fail(f"{status}: {text.decode()}")
    return results


@pytest.fixture(scope="module")
def deno_results(open_directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What the attempts came to: (without confinement, with it)."""
    script = open_directory / "attempts.js"
    script.write_text(DENO_ATTEMPTS)
    abstract = f"v8box-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as server6,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind("\0" + abstract)
        listener.listen()
        specs = []
        confinement = Confinement(read_only=(*runtime_paths(DENO), str(open_directory / "attempts.js")))
        # the third runs under our own uid, so that file modes and owners refuse nothing that the kernel's rules do not
        for who, applied in enumerate((None, confinement, replace(confinement, drop_privileges=False))):
            writable = open_directory / f"writable-{who}"
            writable.mkdir()
            writable.chmod(0o777)
            for name in ("old", "gone", f"mine-{who}"):
                (writable / name).write_text("x")
                (writable / name).chmod(0o666)
            given = {
                "project": __file__,
                "gateway": os.getpid(),
                "writable": str(writable),
                "abstract": abstract,
                "port4": server4.getsockname()[1],
                "port6": server6.getsockname()[1],
                "who": who,
            }
            argv = (DENO, "run", "-A", "--no-config", "--no-code-cache", str(script), json.dumps(given))
            specs.append(SpawnSpec(argv=argv, env=DENO_ENV, confinement=applied))
        free, confined, same_uid = (results_of(output) for output in spawn_all(*specs))
    assert {name: confined[name] for name in same_uid if (same_uid[name] == "done") != (confined[name] == "done")} == {}
    return free, confined


@pytest.mark.parametrize("attempt", REFUSED)
def test_deno_with_all_permissions_is_refused(
    deno_results: tuple[dict[str, str], dict[str, str]], attempt: str
) -> None:
    free, confined = deno_results
    assert free[attempt] == "done"
    assert confined[attempt] != "done"


def test_what_a_worker_needs_is_allowed(deno_results: tuple[dict[str, str], dict[str, str]]) -> None:
    _, confined = deno_results
    assert {name: result for name, result in confined.items() if name not in REFUSED} == dict.fromkeys(ALLOWED, "done")


# --- raw system calls

RAW_CALLS = r"""
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
results = {}
for name, number, *arguments in json.loads(sys.argv[1]):
    values = [ctypes.c_char_p(a.encode()) if isinstance(a, str) else ctypes.c_long(a) for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *values)
    if name == "fork" and result == 0:
        os._exit(0)
    results[name] = ctypes.get_errno()
print(json.dumps(results))
"""
SIGCHLD = 17
NEW_USER_NAMESPACE = 0x10000000
EXEC_FD = Confinement().open_files

# What succeeds without confinement, done so that it harms nobody: call, arguments, errno under confinement.
HARMLESS: dict[str, tuple[str, tuple[int | str, ...], int]] = {
    "socket of netlink": ("socket", (socket.AF_NETLINK, socket.SOCK_RAW, 0), errno.EAFNOSUPPORT),
    "socket of IPv6": ("socket", (socket.AF_INET6, socket.SOCK_STREAM, 0), errno.EAFNOSUPPORT),
    "fork": ("clone", (SIGCHLD, 0, 0, 0, 0), errno.EPERM),
    "memory without a file": ("memfd_create", ("x", 0), errno.EPERM),
    "process group": ("setpgid", (0, 0), errno.EPERM),
    "priority": ("setpriority", (0, 0, 0), errno.EPERM),
    "watch": ("inotify_init1", (0,), errno.EPERM),
    "personality": ("personality", (0xFFFFFFFF,), errno.EPERM),
    "chmod": ("fchmodat", (-100, "{own}", 0o600), errno.EPERM),
}
# What needs privileges, or would do harm: arguments that the kernel finds fault with, were it asked.
REFUSED_ALWAYS: dict[str, tuple[str, tuple[int | str, ...], int]] = {
    "socket of packets": ("socket", (socket.AF_PACKET, socket.SOCK_RAW, 0), errno.EAFNOSUPPORT),
    "socket of vsock": ("socket", (socket.AF_VSOCK, socket.SOCK_STREAM, 0), errno.EAFNOSUPPORT),
    "multipath TCP": ("socket", (socket.AF_INET, socket.SOCK_STREAM, 262), errno.EPROTONOSUPPORT),
    "raw IP": ("socket", (socket.AF_INET, socket.SOCK_RAW, 1), errno.EPROTONOSUPPORT),
    "listen": ("listen", (-1, 0), errno.EPERM),
    "user namespace": ("clone", (NEW_USER_NAMESPACE, 0, 0, 0, 0), errno.EPERM),
    "clone3": ("clone3", (0, 0), errno.ENOSYS),
    "another program": ("execve", ("/bin/true", 0, 0), errno.EPERM),
    "another program by descriptor": ("execveat", (3, "", 0, 0, 0x1000), errno.EPERM),
    "another program as the first": ("execveat", (EXEC_FD, "", 0, 0, 0x1000), errno.EBADF),
    "the number of the first": ("dup2", (0, EXEC_FD), errno.EBADF),
    "limits of another": ("prlimit64", (1, 7, 0, 0), errno.EPERM),
    "terminal input": ("ioctl", (0, 0x5412, 0), errno.EPERM),
    "unknown call": ("unknown", (), errno.ENOSYS),
    **{
        name: (name, (-1, -1, -1, -1, -1), errno.EPERM)
        for table in seccomp._ALWAYS_REFUSED
        for name, numbers in table.items()
        if numbers[seccomp._ARCHITECTURES[os.uname().machine][0]] is not None
    },
}


def number_of(call: str) -> int:
    column = seccomp._ARCHITECTURES[os.uname().machine][0]
    if call == "unknown":
        return seccomp._LAST_KNOWN + 1
    if call == "dup2":  # aarch64 has dup3 only; with flags of 0 the first two arguments mean the same
        return (33, 24)[column]
    tables = (*seccomp._ALWAYS_REFUSED, seccomp._FILE_METADATA, seccomp._JUDGED_BY_ARGUMENTS, seccomp._START_PROCESS)
    for table in tables:
        if call in table and (number := table[call][column]) is not None:
            return number
    raise LookupError(call)


def raw_spec(
    calls: Mapping[str, tuple[str, tuple[int | str, ...], int]], confinement: Confinement | None, own: str = ""
) -> SpawnSpec:
    interpreter = sys.executable if os.geteuid() else shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if interpreter is None:
        pytest.skip("no Python that an unprivileged uid may read")
    wire = json.dumps(
        [
            (name, number_of(call), *(own if a == "{own}" else a for a in args))
            for name, (call, args, _) in calls.items()
        ]
    )
    return SpawnSpec(argv=(os.path.realpath(interpreter), "-I", "-S", "-c", RAW_CALLS, wire), confinement=confinement)


PYTHON = Confinement(read_only=("/usr", "/lib", "/lib64", "/etc/ld.so.cache", sys.base_prefix))


@pytest.mark.parametrize("drop_privileges", [True, False], ids=["own uid", "same uid"])
def test_raw_calls_are_refused(open_directory: Path, drop_privileges: bool) -> None:
    own = open_directory / "own"
    own.write_text("x")
    confinement = replace(PYTHON, drop_privileges=drop_privileges)
    free, confined, always = spawn_all(
        raw_spec(HARMLESS, None, str(own)),
        raw_spec(HARMLESS, confinement, str(own)),
        raw_spec(REFUSED_ALWAYS, confinement),
    )
    assert results_of(free) == dict.fromkeys(HARMLESS, 0)
    assert results_of(confined) == {name: code for name, (_, _, code) in HARMLESS.items()}
    assert results_of(always) == {name: code for name, (_, _, code) in REFUSED_ALWAYS.items()}


def test_what_is_switched_on_is_allowed() -> None:
    calls = {
        "IPv6": ("socket", (socket.AF_INET6, socket.SOCK_STREAM, 0), 0),
        "IPv4": ("socket", (socket.AF_INET, socket.SOCK_DGRAM | 0o2000000, 17), 0),
        "Unix": ("socket", (socket.AF_UNIX, socket.SOCK_STREAM, 0), 0),
        "fork": ("clone", (SIGCHLD, 0, 0, 0, 0), 0),
        "own limits": ("prlimit64", (0, 7, 0, 0), 0),
    }
    open_ends = replace(PYTHON, allow_ipv6=True, allow_subprocess=True)
    closed = replace(PYTHON, allow_network=False, allow_unix=False)
    allowed, refused = spawn_all(raw_spec(calls, open_ends), raw_spec(calls, closed))
    assert results_of(allowed) == dict.fromkeys(calls, 0)
    no_family = errno.EAFNOSUPPORT
    assert results_of(refused) == {
        "IPv6": no_family,
        "IPv4": no_family,
        "Unix": no_family,
        "fork": errno.EPERM,
        "own limits": 0,
    }


def test_a_second_program_is_refused_though_it_may_be_read() -> None:
    """Even with a subprocess allowed, only what is on the list runs; without, nothing does."""
    shell = Confinement(
        read_only=("/bin/sh", "/lib", "/lib64", "/usr/lib"), read_write=("/dev/null",), allow_subprocess=True
    )
    argv = ("/bin/sh", "-c", "exec /bin/echo ran")
    listed = replace(shell, read_only=(*shell.read_only, "/bin/echo"))
    none = replace(listed, allow_subprocess=False)
    outputs = [
        output for _, output in spawn_all(*(SpawnSpec(argv=argv, confinement=each) for each in (listed, shell, none)))
    ]
    assert outputs[0] == b"ran\n"
    assert b"Permission denied" in outputs[1]
    assert b"Operation not permitted" in outputs[2]


def test_status_says_what_was_taken() -> None:
    confinement = Confinement(read_only=("/bin", "/usr", "/lib", "/lib64", "/proc"), nice=5, open_files=99)
    argv = ("/bin/cat", "/proc/self/status", "/proc/self/limits", "/proc/self/oom_score_adj")
    ((_, output),) = spawn_all(SpawnSpec(argv=argv, confinement=confinement))
    lines = {line.split(":")[0]: line.split(":")[1].split() for line in output.decode().splitlines() if ":" in line}
    assert lines["NoNewPrivs"] == ["1"]
    assert lines["Seccomp"] == ["2"]
    assert {int(lines[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert b"Max open files            99                   99" in output
    assert b"Max core file size        0                    0" in output
    assert output.endswith(b"\n500\n")


# --- the filter itself, for machines that this one is not

X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def judge(program: list[seccomp.Instruction], architecture: int, number: int, *arguments: int) -> int:
    """Runs classic BPF as the kernel does, on struct seccomp_data."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, architecture, 0, *padded)
    accumulator = position = 0
    while True:
        code, jump_true, jump_false, constant = program[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x06:
                return constant
            case 0x15:
                position += jump_true if accumulator == constant else jump_false
            case 0x25:
                position += jump_true if accumulator > constant else jump_false
            case 0x45:
                position += jump_true if accumulator & constant else jump_false
            case _:
                pytest.fail(f"instruction {code:#x}")


def filter_for(machine: str, **options: bool) -> list[seccomp.Instruction]:
    defaults = {"allow_network": True, "allow_ipv6": False, "allow_unix": True, "allow_subprocess": False}
    return seccomp.compile_filter(machine, exec_fd=256, **(defaults | {"allow_file_metadata": False} | options))


@pytest.mark.parametrize(
    ("machine", "architecture", "read", "socket_call", "clone", "execveat"),
    [("x86_64", X86_64, 0, 41, 56, 322), ("aarch64", AARCH64, 63, 198, 220, 281)],
)
def test_filter_on_both_architectures(
    machine: str, architecture: int, read: int, socket_call: int, clone: int, execveat: int
) -> None:
    program = filter_for(machine)
    assert judge(program, architecture, read) == ALLOW
    assert judge(program, architecture, socket_call, 2, 1 | 0o2004000, 6) == ALLOW
    assert judge(program, architecture, socket_call, 10, 1, 0) == ERRNO | errno.EAFNOSUPPORT
    assert judge(program, architecture, socket_call, 2, 3, 0) == ERRNO | errno.EPROTONOSUPPORT
    assert judge(program, architecture, clone, 0x3D0F00) == ALLOW  # what pthread_create asks for
    assert judge(program, architecture, clone, 17) == ERRNO | errno.EPERM
    assert judge(program, architecture, execveat, 256, 0, 0, 0, 0x1000) == ALLOW
    assert judge(program, architecture, execveat, 255, 0, 0, 0, 0x1000) == ERRNO | errno.EPERM
    assert judge(program, architecture, execveat, 256, 0, 0, 0, 0) == ERRNO | errno.EPERM
    assert judge(program, I386, read) == KILL
    assert len(program) < 4096  # BPF_MAXINSNS


def test_the_second_numbering_of_x86_is_refused() -> None:
    assert judge(filter_for("x86_64"), X86_64, 0x40000000 + 41, 10, 1, 0) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_every_jump_of_every_filter_lands(machine: str, architecture: int) -> None:
    """Whatever the options, each call number ends in a return."""
    names = ("allow_network", "allow_ipv6", "allow_unix", "allow_subprocess", "allow_file_metadata")
    for bits in range(2 ** len(names)):
        options = {name: bool(bits >> position & 1) for position, name in enumerate(names)}
        program = filter_for(machine, **options)
        answers = {judge(program, architecture, number, 2, 1, 0) for number in range(470)}
        assert {ALLOW, ERRNO | errno.EPERM, ERRNO | errno.ENOSYS} <= answers
