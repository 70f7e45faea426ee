"""What the pool knows of a sandbox: start, load, invoke, drain, kill; and the words for its states.

`deno.py` is the real implementation; tests ship others, named for how they fail.
"""

from __future__ import annotations

from enum import StrEnum


class SandboxState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    DEAD = "dead"
