"""What the kernel says about a process and its descendants: who they are and what memory they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Megabytes of one process. `private` is what its end would give back; `pss` also has its share of shared pages."""

    private: float
    anonymous: float
    pss: float


def descendants(root: int) -> list[int]:
    """`root` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def program(pid: int) -> str:
    """The name of the file a process runs, or "" when it has gone."""
    try:
        return (_PROC / str(pid) / "exe").readlink().name
    except OSError:
        return ""


def sandboxes(root: int) -> list[int]:
    """The Deno processes below `root`: workers, blanks, and a build that happens to run."""
    return [pid for pid in descendants(root) if program(pid) == "deno"]


def memory(pid: int) -> Memory | None:
    """None when the process has gone."""
    try:
        fields = dict(
            line.split(":", 1)
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            if line.endswith("kB")
        )
    except OSError:
        return None

    def megabytes(field: str) -> float:
        return int(fields[field].split()[0]) / 1024

    return Memory(
        private=megabytes("Private_Clean") + megabytes("Private_Dirty"),
        anonymous=megabytes("Anonymous"),
        pss=megabytes("Pss"),
    )


def anonymous_now(pid: int) -> float:
    """Megabytes of anonymous memory, cheap enough to ask every millisecond; 0 when the process has gone."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0.0
    _, found, rest = status.partition("RssAnon:")
    return int(rest.split(maxsplit=1)[0]) / 1024 if found else 0.0
