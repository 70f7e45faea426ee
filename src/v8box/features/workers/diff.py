"""What is different between two versions: texts of files, packages, the manifest. Pure, bounded in time and size."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

MAX_FILE_BYTES: Final = 512 * 1024
"""A longer file is told to be different, not how."""
MAX_DIFF_CHARACTERS: Final = 1024 * 1024
"""Of all files together."""
_MAX_WORK: Final = 1_000_000
"""Lines of one side times lines of the other, beyond which all is shown as replaced: the time grows like that."""
_CONTEXT: Final = 3
_UNENDED: Final = "\n\\ No newline at end of file\n"

Status = Literal["added", "removed", "changed"]


class FileDiff(BaseModel):
    """A file that is not the same in both."""

    path: str
    status: Status
    diff: str | None = Field(description="In the unified format; `null`: it is no text, or too long to be shown.")
    added: int = Field(default=0, description="Lines.")
    removed: int = 0


class PackageDiff(BaseModel):
    """A package that is not the same in both."""

    registry: Literal["npm", "jsr", "url"]
    name: str
    status: Status
    before: list[str] = Field(description="Its versions.")
    after: list[str]


class KeyDiff(BaseModel):
    """A key of the manifest that is not the same in both; `null` where it is not set."""

    key: str
    before: Any
    after: Any


class VersionDiff(BaseModel):
    """All that is different between two versions."""

    a: str
    b: str
    files: list[FileDiff]
    packages: list[PackageDiff]
    manifest: list[KeyDiff]
    truncated: bool = Field(description="Not every difference of text is shown: there is too much of it.")


class _Room:
    """What is left of the space for texts."""

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.was_short = False

    def take(self, text: str) -> str | None:
        if len(text) > self.left:
            self.was_short = True
            return None
        self.left -= len(text)
        return text


def diff_files(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]) -> tuple[list[FileDiff], bool]:
    """The files that differ, by path, and whether some texts were left out. Given are only files that may differ; None
    is one that is too long or lost."""
    room = _Room(MAX_DIFF_CHARACTERS)
    found: list[FileDiff] = []
    for path in sorted({*before, *after}):
        status: Status = "changed" if path in before and path in after else "added" if path in after else "removed"
        old, new = _lines(before.get(path, b"")), _lines(after.get(path, b""))
        if old is None or new is None:
            found.append(FileDiff(path=path, status=status, diff=None))
            continue
        lines = list(_unified(path, status, old, new))
        added = sum(1 for line in lines[2:] if line.startswith("+"))
        removed = sum(1 for line in lines[2:] if line.startswith("-"))
        text = room.take("".join(line if line.endswith("\n") else f"{line}{_UNENDED}" for line in lines))
        found.append(FileDiff(path=path, status=status, diff=text, added=added, removed=removed))
    return found, room.was_short


def _lines(data: bytes | None) -> list[str] | None:
    if data is None or len(data) > MAX_FILE_BYTES or b"\0" in data:
        return None
    try:
        *lines, last = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _unified(path: str, status: Status, old: list[str], new: list[str]) -> Iterator[str]:
    """As `diff -u` has it."""
    yield f"--- {'/dev/null' if status == 'added' else f'a/{path}'}\n"
    yield f"+++ {'/dev/null' if status == 'removed' else f'b/{path}'}\n"
    for group in _groups(_opcodes(old, new)):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[a1:a2])
                continue
            yield from (f"-{line}" for line in old[a1:a2])
            yield from (f"+{line}" for line in new[b1:b2])


_Opcode = tuple[str, int, int, int, int]


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[_Opcode]:
    """difflib's, after what both begin and end with is cut off; of texts too long for it, the middle is replaced."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    if len(a) * len(b) > _MAX_WORK:
        middle: list[_Opcode] = [("replace", 0, len(a), 0, len(b))]
    else:
        middle = list(difflib.SequenceMatcher(None, a, b).get_opcodes())
    made = [("equal", 0, start, 0, start)] if start else []
    made += [(tag, a1 + start, a2 + start, b1 + start, b2 + start) for tag, a1, a2, b1, b2 in middle]
    if end:
        made.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return made


def _groups(opcodes: Sequence[_Opcode]) -> Iterator[list[_Opcode]]:
    """Changes with the lines around them, as `SequenceMatcher.get_grouped_opcodes` cuts them."""
    matcher: Any = difflib.SequenceMatcher(None, "", "")
    matcher.opcodes = list(opcodes)  # where it keeps what get_opcodes has worked out
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if any(tag != "equal" for tag, *_ in group):
            yield group


def _range(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def diff_packages(before: bytes | None, after: bytes | None) -> list[PackageDiff]:
    """What two deno.lock files have of each package."""
    old, new = _packages(before), _packages(after)
    found: list[PackageDiff] = []
    for key in sorted({*old, *new}):
        had, has = sorted(old.get(key, ())), sorted(new.get(key, ()))
        if had != has:
            status: Status = "changed" if had and has else "added" if has else "removed"
            registry, name = key
            found.append(PackageDiff(registry=registry, name=name, status=status, before=had, after=has))
    return found


_Package = tuple[Literal["npm", "jsr", "url"], str]


def _packages(lock: bytes | None) -> dict[_Package, set[str]]:
    found: dict[_Package, set[str]] = {}
    try:
        read = json.loads(lock or b"{}")
    except (ValueError, RecursionError):
        return found
    if not isinstance(read, dict):
        return found
    nested = read.get("packages")
    sections = nested if isinstance(nested, dict) else read  # version 3 has one more level
    for registry in ("npm", "jsr"):
        table = sections.get(registry)
        for key in table if isinstance(table, dict) else ():
            at = key.find("@", 1)
            name, version = (key[:at], key[at + 1 :]) if at > 0 else (key, "")
            found.setdefault((registry, name), set()).add(version)
    remote = read.get("remote")
    for url, digest in remote.items() if isinstance(remote, dict) else ():
        found.setdefault(("url", str(url)), set()).add(str(digest)[:16])
    return found


def diff_manifests(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[KeyDiff]:
    """The keys that differ, with a dot between table and key."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        KeyDiff(key=key, before=old.get(key), after=new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value
