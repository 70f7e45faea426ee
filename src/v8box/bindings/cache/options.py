"""Commands whose keys stand among their options: where they are, and what else of their arguments is bounded.

A parser here reads the options as the server does, in order. What the server itself would refuse is passed on as it is,
as long as every argument that could be a key has been found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Argument = str | bytes

MAX_SCAN_COUNT: Final = 10_000  # keys looked at by one SCAN; the server does nothing else meanwhile
MAX_RANDOM_COUNT: Final = 10_000  # members one SRANDMEMBER or HRANDFIELD may repeat: a reply of any size otherwise


class Refused(Exception):
    """The command may not run. The text says why."""


def word(argument: Argument) -> str:
    """An option's name, lower case."""
    return (argument.decode("latin-1") if isinstance(argument, bytes) else argument).lower()


def with_prefix(prefix: str, key: Argument) -> Argument:
    return prefix + key if isinstance(key, str) else prefix.encode() + key


def no_other_database(args: Sequence[Argument]) -> None:
    """COPY source destination [DB n] [REPLACE]"""
    if any(word(argument) == "db" for argument in args[2:]):
        raise Refused("COPY into another database is not available")


def bounded_random(args: Sequence[Argument]) -> None:
    """A negative count may repeat members, so that the reply is as long as one likes."""
    if len(args) > 1:
        try:
            count = int(args[1])
        except ValueError:
            return  # the server says so
        if count < -MAX_RANDOM_COUNT:
            raise Refused(f"a negative count may be {-MAX_RANDOM_COUNT} at most")


def only_usage(args: Sequence[Argument]) -> None:
    if args and word(args[0]) != "usage":
        raise Refused("of MEMORY only MEMORY USAGE is available")


def only_load_and_exists(args: Sequence[Argument]) -> None:
    if args and word(args[0]) not in ("load", "exists"):
        raise Refused("of SCRIPT only LOAD and EXISTS are available")


def stream_keys(args: Sequence[Argument]) -> list[int]:
    """XREAD [COUNT n] [BLOCK ms] STREAMS key… id…; XREADGROUP GROUP group consumer before that, and NOACK."""
    start = streams_at(args) + 1
    return list(range(start, start + (len(args) - start) // 2))


def streams_at(args: Sequence[Argument]) -> int:
    """The index of STREAMS; the number of arguments where there is none."""
    index = 0
    while index < len(args):
        match word(args[index]):
            case "streams":
                return index
            case "group":
                index += 3
            case "count" | "block":
                index += 2
            case "noack":
                index += 1
            case other:
                raise Refused(f"XREAD has no option {other[:40]}")
    return len(args)


def block_option(args: Sequence[Argument]) -> int | None:
    """The index of the value of BLOCK, in an XREAD that has one."""
    index, end = 0, streams_at(args)
    found = None
    while index < end:
        match word(args[index]):
            case "block":
                found = index + 1 if index + 1 < end else None
                index += 2
            case "group":
                index += 3
            case "count":
                index += 2
            case _:
                index += 1
    return found


def sort_keys(args: Sequence[Argument]) -> list[int]:
    """SORT key … [STORE destination]; BY and GET hold patterns of keys and are `sort_patterns`."""
    return [index for index, option in _sort_options(args) if option in ("key", "store")]


def sort_patterns(args: Sequence[Argument]) -> list[int]:
    """Where BY and GET name other keys. `GET #` is the element itself; a BY without `*` only means not to sort."""
    found = []
    for index, option in _sort_options(args):
        value = args[index]
        star = b"*" in value if isinstance(value, bytes) else "*" in value
        if (option == "get" and value not in ("#", b"#")) or (option == "by" and star):
            found.append(index)
    return found


def _sort_options(args: Sequence[Argument]) -> list[tuple[int, str]]:
    found = [(0, "key")] if args else []
    index = 1
    while index < len(args):
        match word(args[index]):
            case "by" | "get" | "store" as option:
                if index + 1 < len(args):
                    found.append((index + 1, option))
                index += 2
            case "limit":
                index += 3
            case "asc" | "desc" | "alpha":
                index += 1
            case other:
                raise Refused(f"SORT has no option {other[:40]}")
    return found


def radius_keys(args: Sequence[Argument]) -> list[int]:
    """GEORADIUS key longitude latitude radius unit [options], the last of them STORE or STOREDIST with a key."""
    return _radius_keys(args, 5)


def radius_by_member_keys(args: Sequence[Argument]) -> list[int]:
    return _radius_keys(args, 4)


def _radius_keys(args: Sequence[Argument], index: int) -> list[int]:
    found = [0] if args else []
    while index < len(args):
        match word(args[index]):
            case "store" | "storedist":
                if index + 1 < len(args):
                    found.append(index + 1)
                index += 2
            case "count":
                index += 2
            case "withcoord" | "withdist" | "withhash" | "asc" | "desc" | "any":
                index += 1
            case other:
                raise Refused(f"GEORADIUS has no option {other[:40]}")
    return found


def confine_scan(args: Sequence[Argument], prefix: str) -> list[Argument]:
    """`SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`, always with a pattern that only the prefix matches."""
    if not args or len(args) % 2 == 0:
        raise Refused("scan takes a cursor, then MATCH, COUNT and TYPE with a value each")
    pattern: Argument = "*"
    confined: list[Argument] = [args[0]]
    for option, value in zip(args[1::2], args[2::2], strict=True):
        match word(option):
            case "match":
                pattern = value
            case "count":
                try:
                    count = int(value)
                except ValueError:
                    raise Refused("scan: COUNT is not an integer") from None
                confined += ["COUNT", str(max(1, min(count, MAX_SCAN_COUNT)))]
            case "type":
                confined += ["TYPE", value]
            case other:
                raise Refused(f"scan has no option {other[:40]}")
    # A prefix has no character that is special in a pattern: project names are [a-z0-9_-].
    return [*confined, "MATCH", with_prefix(prefix, pattern)]
