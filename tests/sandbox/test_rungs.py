"""The rungs are told as they are: on this machine, on one that has none, and in words."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import v8box
from v8box.sandbox.landlock import supported_abi
from v8box.sandbox.rungs import Rungs
from v8box.sandbox.spawner import Spawner

SOURCE = str(Path(v8box.__file__).parent.parent)
STEPS = ("no_new_privs", "landlock", "seccomp", "uid", "capabilities", "parent death signal", "limits")
NONE_FAILED = dict.fromkeys(STEPS, 0)


def rungs(abi: int = 7, controllers: tuple[str, ...] = (), failures: Mapping[str, int] = NONE_FAILED) -> Rungs:
    return Rungs(
        failures={**NONE_FAILED, **failures},
        landlock_abi=abi,
        first_uid=60578,
        uid_count=606,
        machine="x86_64",
        cgroup_controllers=controllers,
    )


def test_nothing_missing_is_nothing_to_warn_of() -> None:
    assert rungs().missing() == ()
    assert {rung.name for rung in rungs().describe() if not rung.active} == {"cgroup v2"}


@pytest.mark.parametrize("step", STEPS)
def test_each_missing_rung_is_named_with_its_cause_and_advice(step: str) -> None:
    (rung,) = rungs(failures={step: errno.ENOSYS}).missing()
    assert not rung.active
    assert rung.advice
    assert rung.detail in ("not available: Function not implemented", "processes run under the uid of the box")


@pytest.mark.parametrize(
    ("abi", "covered", "open_ends"),
    [(1, "files;", "TCP bind"), (3, "truncation;", "device ioctls"), (5, "TCP bind, device ioctls;", "signals")],
)
def test_an_older_landlock_says_what_it_leaves_open(abi: int, covered: str, open_ends: str) -> None:
    detail = next(rung.detail for rung in rungs(abi=abi).describe() if rung.name == "Landlock")
    before, after = detail.split("not covered:")
    assert covered in before
    assert open_ends in after


def test_unused_cgroups_are_said_to_be_unused() -> None:
    rung = rungs(controllers=("memory", "pids")).describe()[-1]
    assert (rung.active, rung.detail) == (False, "not used, though there is: memory pids")


async def test_this_machine() -> None:
    spawner = await Spawner.start()
    found = spawner.rungs
    await spawner.stop()
    assert found.landlock_abi == supported_abi()
    assert found.active("landlock") == (supported_abi() > 0)
    assert found.active("no_new_privs")
    assert found.active("uid") <= (os.geteuid() == 0)


BARE_MACHINE = """
import asyncio, ctypes, json, os, sys
sys.path.insert(0, sys.argv[1])
from v8box.sandbox import seccomp
from v8box.sandbox.spawner import Confinement, Spawner, SpawnSpec

# Landlock is not in this kernel, a seccomp filter may not be added, setresuid is forbidden
column, architecture = seccomp._ARCHITECTURES[os.uname().machine]
setresuid, prctl, setgroups = ((117, 157, 116), (147, 167, 159))[column]
program = [seccomp._load(0)]
program += seccomp._if_equal(444, [seccomp._refuse(38)])
program += seccomp._if_equal(setresuid, [seccomp._refuse(1)]) + seccomp._if_equal(setgroups, [seccomp._refuse(1)])
add = seccomp._if_equal(seccomp._PR_SET_SECCOMP, [seccomp._refuse(22)])
program += seccomp._if_equal(prctl, [seccomp._load(16), *add, seccomp._return(seccomp._ALLOW)])
program.append(seccomp._return(seccomp._ALLOW))
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
seccomp.Filter(program).install()

async def main():
    spawner = await Spawner.start()
    missing = {rung.name: rung.detail for rung in spawner.rungs.missing()}
    child = await spawner.spawn(SpawnSpec(argv=("/bin/echo", "ran"), confinement=Confinement()))
    output = []
    child.on_output(output.append)
    await child.output_closed
    await child.exited
    await spawner.stop()
    print(json.dumps([missing, b"".join(output).decode()]))

asyncio.run(main())
"""


def test_a_machine_without_them_still_runs_and_says_so() -> None:
    command = [sys.executable, "-c", BARE_MACHINE, SOURCE]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert result.stderr == ""
    missing, output = json.loads(result.stdout)
    assert output == "ran\n"
    assert missing == {
        "Landlock": "not available: Function not implemented",
        "seccomp": "not available: Invalid argument",
        "own uid": "processes run under the uid of the box",
    }
