"""The spawner with real processes: output, figures, signals, failures, and that nothing is ever left behind."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

import v8box
from v8box.kit import procfs
from v8box.sandbox import spawner as spawning
from v8box.sandbox.spawner import Child, Confinement, ExitStatus, Spawner, SpawnError, SpawnSpec

SOURCE = str(Path(v8box.__file__).parent.parent)
SYSTEM = Confinement(read_only=("/bin", "/usr", "/lib", "/lib64", "/etc/ld.so.cache"), read_write=("/dev/null",))
MEGABYTE = 1024 * 1024
DEADLINE = 60.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    spawner = await Spawner.start()
    yield spawner
    await spawner.stop()


def python(program: str, **options: object) -> SpawnSpec:
    argv = (sys.executable, "-I", "-S", "-c", program)
    return SpawnSpec(argv=argv, confinement=None, **options)  # type: ignore[arg-type]


async def finish(child: Child) -> tuple[ExitStatus, bytes]:
    output = bytearray()
    child.on_output(output.extend)
    async with asyncio.timeout(DEADLINE):
        status = await child.exited
        await child.output_closed
    return status, bytes(output)


async def run(spawner: Spawner, spec: SpawnSpec) -> tuple[ExitStatus, bytes]:
    return await finish(await spawner.spawn(spec))


async def first_output(child: Child) -> bytes:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    child.on_output(lambda data: None if got.done() else got.set_result(data))
    async with asyncio.timeout(DEADLINE):
        return await got


def wait_ended(pidfds: list[int]) -> None:
    """Fails if one of the processes still runs after the deadline."""
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], DEADLINE)[0], "a process was left behind"


def lines_of(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def open_fds() -> set[str]:
    gc.collect()  # what earlier tests left to the collector is not this one's
    return set(os.listdir("/proc/self/fd"))


# --- what comes back


async def test_both_outputs_are_one_stream(spawner: Spawner) -> None:
    status, output = await run(spawner, python("import os; os.write(2, b'a'); os.write(1, b'b'); os._exit(7)"))
    assert (status.code, status.signal, output) == (7, None, b"ab")


async def test_a_signal_is_told_from_an_exit(spawner: Spawner) -> None:
    status, _ = await run(spawner, python("import os; os.kill(os.getpid(), 15)"))
    assert (status.code, status.signal) == (None, signal.SIGTERM)


async def test_a_process_that_asks_to_be_traced_is_ended(spawner: Spawner) -> None:
    """Its parent would be the tracer, and it would stop at its next signal for ever."""
    program = "import ctypes, os; ctypes.CDLL(None).ptrace(0, 0, 0, 0); os.kill(os.getpid(), 10); os.read(3, 1)"
    never, held = os.pipe()
    status, _ = await run(spawner, python(program, pass_fds=(never,)))
    assert (status.code, status.signal) == (None, signal.SIGKILL)
    os.close(never)
    os.close(held)


async def test_figures_at_exit(spawner: Spawner) -> None:
    program = f"import time\nmemory = b'x' * {64 * MEGABYTE}\nwhile time.process_time() < 0.3: pass"
    status, _ = await run(spawner, python(program))
    assert 0.3 <= status.cpu_seconds < 3
    assert 64 * MEGABYTE < status.max_rss_bytes < 200 * MEGABYTE


async def test_usage_while_it_runs_and_after(spawner: Spawner) -> None:
    program = f"import os, time\nm = b'x' * {32 * MEGABYTE}\nwhile time.process_time() < 0.2: pass\nos.write(1, b'.')"
    child = await spawner.spawn(python(program + "\nos.read(0, 1)\ntime.sleep(1000)"))
    await first_output(child)
    usage = child.usage()
    assert usage.cpu_seconds >= 0.2
    assert 32 * MEGABYTE < usage.private_bytes < 64 * MEGABYTE
    child.kill()
    await child.exited
    assert child.usage().private_bytes == 0
    assert child.usage().cpu_seconds >= usage.cpu_seconds
    child.close()


async def test_environment_and_directory_are_the_ones_given(spawner: Spawner, tmp_path: Path) -> None:
    spec = SpawnSpec(argv=("/usr/bin/env",), env={"ONE": "ü"}, cwd=str(tmp_path), confinement=None)
    assert (await run(spawner, spec))[1].decode() == "ONE=ü\n"
    assert (await run(spawner, python("import os; os.write(1, os.getcwdb())", cwd=str(tmp_path))))[1] == bytes(tmp_path)


async def test_stdin_and_other_descriptors(spawner: Spawner) -> None:
    pipes = [os.pipe() for _ in range(3)]
    for number, (_, write) in enumerate(pipes):
        os.write(write, b"%d" % number)
        os.close(write)
    reads = [read for read, _ in pipes]
    program = """
import os
os.write(1, os.read(0, 9) + os.read(3, 9) + os.read(4, 9) + b" ")
os.write(1, " ".join(sorted(os.listdir("/proc/self/fd"))).encode())
"""
    spec = python(program, stdin=reads[0], pass_fds=(reads[2], reads[1]))
    child = await spawner.spawn(spec)
    for read in reads:
        os.close(read)
    _, output = await finish(child)
    assert output == b"021 0 1 2 3 4 5"  # 5 is the listing itself


async def test_signals_are_as_in_a_new_process(spawner: Spawner) -> None:
    spec = SpawnSpec(argv=("/bin/cat", "/proc/self/status"), confinement=None)
    lines = (await run(spawner, spec))[1].decode().splitlines()
    masks = {
        line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Sig") and "/" not in line
    }
    # Signals 32 and 33 are glibc's own; GNU make hands them on ignored.
    assert masks["SigBlk"] == masks["SigIgn"] & ~(0b11 << 31) == 0


# --- failures are errors that name the step


async def test_missing_program(spawner: Spawner) -> None:
    with pytest.raises(SpawnError, match=r"/nowhere/deno failed at executable: No such file") as caught:
        await spawner.spawn(SpawnSpec(argv=("/nowhere/deno",), confinement=SYSTEM))
    assert (caught.value.step, caught.value.errno) == ("executable", errno.ENOENT)


@pytest.mark.parametrize("confinement", [None, SYSTEM], ids=["free", "confined"])
async def test_a_file_that_is_no_program(spawner: Spawner, tmp_path: Path, confinement: Confinement | None) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF, or not")
    program.chmod(0o755)
    with pytest.raises(SpawnError, match="Exec format error") as caught:
        await spawner.spawn(SpawnSpec(argv=(str(program),), confinement=confinement))
    assert caught.value.step == "exec"


async def test_missing_directory(spawner: Spawner) -> None:
    with pytest.raises(SpawnError, match="failed at cwd"):
        await spawner.spawn(SpawnSpec(argv=("/bin/true",), cwd="/nowhere", confinement=None))


async def test_a_request_too_long(spawner: Spawner) -> None:
    with pytest.raises(SpawnError, match="failed at request"):
        await spawner.spawn(SpawnSpec(argv=("/bin/true", "x" * 200_000), confinement=None))


# --- output


async def test_unread_output_makes_the_process_wait(spawner: Spawner) -> None:
    """The child fills its pipe, says on descriptor 3 how much that took, and does it again when told to on stdin."""
    program = """
import os
os.set_blocking(1, False)
while os.read(0, 1):
    written = 0
    try:
        while True:
            written += os.write(1, b"x" * 4096)
    except BlockingIOError:
        os.write(3, b"%d" % written)
"""
    (told, tell), (answer, report) = os.pipe(), os.pipe()
    child = await spawner.spawn(python(program, stdin=told, pass_fds=(report,)))
    os.close(told)
    os.close(report)

    def fill() -> int:
        os.write(tell, b".")
        assert select.select([answer], [], [], DEADLINE)[0]
        return int(os.read(answer, 20))

    assert fill() == 65536
    received = 0
    drained = asyncio.Event()

    def take(data: bytes) -> None:
        nonlocal received
        received += len(data)
        if received == 65536:
            child.pause_output()
            drained.set()

    child.on_output(take)
    async with asyncio.timeout(DEADLINE):
        await drained.wait()
    assert fill() == 65536
    assert received == 65536
    os.close(tell)
    child.resume_output()
    async with asyncio.timeout(DEADLINE):
        await child.output_closed
    assert received == 2 * 65536
    os.close(answer)
    assert (await child.exited).code == 0


# --- many


async def test_fifty_at_once_leave_nothing(spawner: Spawner) -> None:
    await run(spawner, SpawnSpec(argv=("/bin/echo", "warm"), confinement=SYSTEM))
    before = open_fds()
    nursery_before = set(os.listdir(f"/proc/{spawner.nursery_pid}/fd"))
    specs = [SpawnSpec(argv=("/bin/echo", str(number)), confinement=SYSTEM) for number in range(50)]
    results = await asyncio.gather(*(run(spawner, spec) for spec in specs))
    assert [output for _, output in results] == [b"%d\n" % number for number in range(50)]
    assert {status.code for status, _ in results} == {0}
    assert open_fds() == before
    assert set(os.listdir(f"/proc/{spawner.nursery_pid}/fd")) == nursery_before
    assert procfs.children(spawner.nursery_pid) == ()  # no zombie
    assert spawner.children == ()


async def test_failed_spawns_leave_nothing(spawner: Spawner) -> None:
    before = open_fds()
    for _ in range(5):
        with pytest.raises(SpawnError):
            await spawner.spawn(SpawnSpec(argv=("/nowhere",), confinement=SYSTEM))
    assert open_fds() == before
    assert procfs.children(spawner.nursery_pid) == ()


async def test_more_requests_than_the_socket_holds(spawner: Spawner) -> None:
    specs = [SpawnSpec(argv=("/bin/echo", "x" * 50_000), confinement=None) for _ in range(12)]
    results = await asyncio.gather(*(run(spawner, spec) for spec in specs))
    assert {len(output) for _, output in results} == {50_001}


async def test_a_cancelled_spawn_leaves_nothing(spawner: Spawner) -> None:
    before = open_fds()
    task = asyncio.create_task(spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=SYSTEM)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await run(spawner, SpawnSpec(argv=("/bin/true",), confinement=None))  # answered after the cancelled one
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(child.exited for child in spawner.children))
    assert open_fds() == before


# --- control


async def test_kill_is_quiet_when_it_is_over(spawner: Spawner) -> None:
    child = await spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=SYSTEM))
    child.kill()
    child.kill()
    status, _ = await finish(child)
    assert status.signal == signal.SIGKILL
    child.kill()
    child.demote()
    child.limit_data_bytes(1)
    child.close()
    child.close()


async def test_subprocesses_are_killed_with_their_parent(spawner: Spawner) -> None:
    confinement = Confinement(read_only=SYSTEM.read_only, read_write=("/dev/null",), allow_subprocess=True)
    argv = ("/bin/sh", "-c", "/bin/sleep 1000 & echo $!; wait")
    child = await spawner.spawn(SpawnSpec(argv=argv, confinement=confinement))
    pidfd = os.pidfd_open(int(await first_output(child)))
    child.kill()
    async with asyncio.timeout(DEADLINE):
        await child.exited
    wait_ended([pidfd])
    os.close(pidfd)
    child.close()


async def test_demoted_in_all_threads(spawner: Spawner) -> None:
    program = "import os, _thread; _thread.start_new_thread(os.read, (0, 1)); os.write(1, b'.'); os.read(0, 1)"
    never, held = os.pipe()
    child = await spawner.spawn(python(program, stdin=never))
    await first_output(child)
    child.demote()
    threads = [int(thread) for thread in os.listdir(f"/proc/{child.pid}/task")]
    assert [os.sched_getscheduler(thread) for thread in threads] == [os.SCHED_IDLE, os.SCHED_IDLE]
    if child.restore():  # needs rights that an unprivileged run of the tests has not
        assert [os.sched_getscheduler(thread) for thread in threads] == [os.SCHED_OTHER, os.SCHED_OTHER]
    os.close(held)
    os.close(never)
    assert (await finish(child))[0].code == 0


async def test_limits_reach_a_child_with_a_uid_of_its_own(spawner: Spawner) -> None:
    child = await spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=SYSTEM))
    child.limit_data_bytes(50 * MEGABYTE)
    child.demote()
    await run(spawner, SpawnSpec(argv=("/bin/true",), confinement=None))  # behind them in the nursery's queue
    limits = lines_of(f"/proc/{child.pid}/limits")
    assert [line.split()[3:5] for line in limits if line.startswith("Max data")] == [[str(50 * MEGABYTE)] * 2]
    assert os.sched_getscheduler(child.pid) == os.SCHED_IDLE
    child.close()


@as_root
async def test_program_in_a_directory_that_only_root_may_enter(spawner: Spawner, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    shutil.copy("/bin/echo", private / "program")
    status, output = await run(spawner, SpawnSpec(argv=(str(private / "program"), "in"), confinement=SYSTEM))
    assert (status.code, output) == (0, b"in\n")


@as_root
async def test_every_child_has_another_uid(spawner: Spawner) -> None:
    specs = [SpawnSpec(argv=("/usr/bin/id",), confinement=SYSTEM) for _ in range(5)]
    outputs = {output.decode() for _, output in await asyncio.gather(*(run(spawner, spec) for spec in specs))}
    assert len(outputs) == 5
    for output in outputs:
        user, group, groups = (word.split("=")[1] for word in output.split())
        assert user == group == groups
        assert int(user) >= 60578


# --- nothing outlives the box

GATEWAY = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from v8box.sandbox.spawner import Confinement, Spawner, SpawnSpec

async def main():
    spawner = await Spawner.start()
    paths = {"read_only": ("/bin", "/usr", "/lib", "/lib64"), "read_write": ("/dev/null",)}
    confinements = [None, Confinement(**paths), Confinement(**paths, allow_subprocess=True)]
    children = [await spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=c)) for c in confinements]
    shell = SpawnSpec(argv=("/bin/sh", "-c", "/bin/sleep 1000 & echo $!; wait"), confinement=confinements[2])
    children.append(await spawner.spawn(shell))
    told = asyncio.get_running_loop().create_future()
    children[-1].on_output(told.set_result)
    print(spawner.nursery_pid, *(child.pid for child in children), int(await told), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_kill_minus_nine_of_the_gateway_leaves_no_orphan() -> None:
    with subprocess.Popen([sys.executable, "-c", GATEWAY, SOURCE], stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout
        try:
            pids = [int(word) for word in gateway.stdout.readline().split()]
            assert len(pids) == 6
            pidfds = [os.pidfd_open(pid) for pid in pids]
            assert select.select(pidfds, [], [], 0)[0] == []
        finally:
            gateway.kill()
    wait_ended(pidfds)
    for pidfd in pidfds:
        os.close(pidfd)


async def test_the_nurserys_death_is_told_and_takes_all_along() -> None:
    spawner = await Spawner.start()
    child = await spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=SYSTEM))
    shell = SpawnSpec(argv=("/bin/sh", "-c", "/bin/sleep 1000 & echo $!; wait"), confinement=None)
    parent = await spawner.spawn(shell)
    pidfds = [os.pidfd_open(pid) for pid in (child.pid, parent.pid, int(await first_output(parent)))]
    os.kill(spawner.nursery_pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        await spawner.died
        assert (await child.exited).signal == signal.SIGKILL
    wait_ended(pidfds)
    for pidfd in pidfds:
        os.close(pidfd)
    parent.close()
    with pytest.raises(SpawnError) as caught:
        await spawner.spawn(SpawnSpec(argv=("/bin/true",), confinement=None))
    assert caught.value.step == "nursery"
    child.close()
    await spawner.stop()


async def test_stop_kills_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "STOP_TIMEOUT_SECONDS", 10 * DEADLINE)  # it does not wait for that
    before = open_fds()
    spawner = await Spawner.start()
    children = [await spawner.spawn(SpawnSpec(argv=("/bin/sleep", "1000"), confinement=c)) for c in (None, SYSTEM)]
    pidfds = [os.pidfd_open(pid) for pid in (spawner.nursery_pid, *(child.pid for child in children))]
    async with asyncio.timeout(DEADLINE):
        await spawner.stop()
    wait_ended(pidfds)
    assert [child.exited.result().signal for child in children] == [signal.SIGKILL] * 2
    assert not spawner.died.done()
    for child in children:
        child.close()
    for pidfd in pidfds:
        os.close(pidfd)
    assert open_fds() == before


# --- the nursery itself


async def test_the_nursery_is_small(spawner: Spawner) -> None:
    assert procfs.private_bytes(spawner.nursery_pid) < 8 * MEGABYTE
    assert procfs.thread_count(spawner.nursery_pid) == 1


def test_the_nursery_imports_little() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import v8box.sandbox.nursery; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", program, SOURCE]
    loaded = set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
    assert not loaded & {"asyncio", "typing", "dataclasses", "enum", "re", "json", "socket", "signal", "subprocess"}


def test_works_on_uvloop() -> None:
    async def main() -> tuple[ExitStatus, bytes]:
        spawner = await Spawner.start()
        result = await run(spawner, SpawnSpec(argv=("/bin/echo", "uv"), confinement=SYSTEM))
        await spawner.stop()
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main())[1] == b"uv\n"
