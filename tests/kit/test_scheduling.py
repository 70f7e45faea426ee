"""The gateway's time slice."""

from __future__ import annotations

import os
import threading

from v8box.kit.scheduling import wake_promptly


def test_it_changes_nothing_but_the_slice() -> None:
    told: list[tuple[bool, int, int]] = []

    def ask() -> None:
        told.append((wake_promptly(), os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)))

    thread = threading.Thread(target=ask)  # a thread of its own: the slice is kept for good
    thread.start()
    thread.join()
    taken, policy, nice = told[0]
    assert policy == os.SCHED_OTHER
    assert nice == os.getpriority(os.PRIO_PROCESS, 0)
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    assert taken or release < (6, 12)
