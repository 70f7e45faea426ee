"""Groups of commands with one that is meant when none is named."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class OrList(TyperGroup):
    """What is no command of the group is an argument, or an option, of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)
