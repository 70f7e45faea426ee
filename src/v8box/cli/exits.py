"""How a command ends: its exit code, and the error that carries one. `docs/cli.md` lists the codes for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from v8box.errors import V8BoxError


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1  # the box, or the command itself, said no for another reason than those below
    USAGE = 2  # a mistake in the words of the command
    NOT_FOUND = 3  # what was named is not there
    NOT_ALLOWED = 4  # sign in, or ask for the role or scope
    CONFLICT = 5  # it exists already, or somebody has changed it meanwhile
    UNREACHABLE = 6  # no box answers


_BY_STATUS: Final[Mapping[int, Exit]] = MappingProxyType(
    {
        401: Exit.NOT_ALLOWED,
        403: Exit.NOT_ALLOWED,
        404: Exit.NOT_FOUND,
        409: Exit.CONFLICT,
        412: Exit.CONFLICT,
    }
)


class CommandFailed(V8BoxError):
    """The command did not do what it was asked to."""

    code = "command_failed"

    def __init__(self, detail: str | None = None, exit_code: Exit = Exit.FAILED, *, answer: str = "") -> None:
        super().__init__(detail)
        self.exit_code = exit_code
        self.answer = answer
        """The `code` of the box's answer, when it was the box that refused."""


def exit_of(status: int) -> Exit:
    """The exit code for an answer of the box."""
    return _BY_STATUS.get(status, Exit.FAILED)
