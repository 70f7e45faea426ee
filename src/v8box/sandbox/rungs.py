"""Which rungs of the confinement this machine gives, in words for `v8box doctor` and for the warning at start.

The facts are not guessed from versions: the nursery takes every rung once in a process of its own and reports how it
went. A rung that could not be taken is left out of every later confinement; one that could must succeed every time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from v8box.kit.phrases import phrase

LANDLOCK_COVERAGE = (
    (1, "files"),
    (2, "moves between directories"),
    (3, "truncation"),
    (4, "TCP bind"),
    (5, "device ioctls"),
    (6, "abstract Unix sockets and signals"),
)
"""ABI version from which the kernel's Landlock covers it."""


@dataclass(frozen=True, slots=True)
class Rung:
    name: str
    active: bool
    detail: str
    advice: str = ""
    """What to do about it where it is not active; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """What the nursery found. `failures` maps a step to the errno it failed with, 0 where it succeeded."""

    failures: Mapping[str, int]
    landlock_abi: int
    """0 without Landlock."""
    first_uid: int
    uid_count: int
    machine: str = field(default_factory=lambda: os.uname().machine)
    cgroup_controllers: tuple[str, ...] = ()
    """Controllers of the cgroup v2 hierarchy, empty without one."""

    def active(self, step: str) -> bool:
        return self.failures.get(step) == 0

    def describe(self) -> tuple[Rung, ...]:
        return (
            self._plain("no_new_privs", "setuid programs give no privileges"),
            self._landlock(),
            self._seccomp(),
            self._uid(),
            self._plain("capabilities", "all dropped"),
            self._plain("parent death signal", "no process outlives the box"),
            self._plain("limits", f"open files,{' threads,' if self.active('uid') else ''} no core files"),
            self._cgroup(),
        )

    def missing(self) -> tuple[Rung, ...]:
        """The rungs that a warning at start should name: not active, and something can be done."""
        return tuple(rung for rung in self.describe() if not rung.active and rung.advice)

    def _plain(self, step: str, detail: str) -> Rung:
        if self.active(step):
            return Rung(step, True, detail)
        advice = phrase("allow_rung", "look for a container or security profile that forbids it")
        return Rung(step, False, self._why(step), advice)

    def _landlock(self) -> Rung:
        if not self.active("landlock"):
            advice = phrase(
                "newer_linux", "use Linux 5.13 or newer with landlock in the lsm= list (6.12 covers all of it)"
            )
            return Rung("Landlock", False, self._why("landlock"), advice)
        covered = [what for abi, what in LANDLOCK_COVERAGE if abi <= self.landlock_abi]
        open_ends = [what for abi, what in LANDLOCK_COVERAGE if abi > self.landlock_abi]
        detail = f"ABI {self.landlock_abi}: {', '.join(covered)}"
        return Rung("Landlock", True, detail + (f"; not covered: {', '.join(open_ends)}" if open_ends else ""))

    def _seccomp(self) -> Rung:
        if self.active("seccomp"):
            return Rung("seccomp", True, f"filter for {self.machine}")
        advice = phrase("allow_seccomp", "use Linux with seccomp filters on x86_64 or aarch64")
        return Rung("seccomp", False, self._why("seccomp"), advice)

    def _uid(self) -> Rung:
        if self.active("uid"):
            last = self.first_uid + self.uid_count - 1
            return Rung("own uid", True, f"every process has its own, from {self.first_uid} to {last}")
        advice = phrase("start_as_root", "start the box as root, with the capabilities SETUID, SETGID and KILL")
        return Rung("own uid", False, "processes run under the uid of the box", advice)

    def _cgroup(self) -> Rung:
        if not self.cgroup_controllers:
            return Rung("cgroup v2", False, "not used; this machine has no cgroup v2 controllers")
        return Rung("cgroup v2", False, f"not used, though there is: {' '.join(self.cgroup_controllers)}")

    def _why(self, step: str) -> str:
        code = self.failures.get(step, errno.ENOSYS)
        return f"not available: {os.strerror(code)}"


def cgroup_controllers() -> tuple[str, ...]:
    """Controllers of the cgroup v2 hierarchy at its usual place; empty if there is none (version 1, or no mount)."""
    try:
        with open("/sys/fs/cgroup/cgroup.controllers") as file:
            return tuple(file.read().split())
    except OSError:
        return ()
