"""The words of `v8box`, each in a module that is imported when the word is said: a start loads one, not forty.

`Words` is what the command group believes to be its commands. Help and the generated reference ask for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


class Words(MutableMapping[str, Any]):
    """Commands by name. A module has `app`: a group of that name, or the commands of that name among others."""

    def __init__(self, panels: Mapping[str, Mapping[str, str]]) -> None:
        """`panels`: heading of the help -> word -> module."""
        self._modules = {word: module for words in panels.values() for word, module in words.items()}
        self._panels = {word: panel for panel, words in panels.items() for word in words}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, word: str) -> Any:
        if word not in self._loaded:
            app: typer.Typer = import_module(self._modules[word]).app
            group: Any = typer.main.get_group(app)
            command = group if app.info.name == word else group.commands[word]
            command.rich_help_panel = self._panels[word]
            self._loaded[word] = command
        return self._loaded[word]

    def __setitem__(self, word: str, command: Any) -> None:
        self._loaded[word] = command

    def __delitem__(self, word: str) -> None:
        del self._modules[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


def group_of(panels: Mapping[str, Mapping[str, str]]) -> type[TyperGroup]:
    """The class of a group with these words."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**{**attributes, "commands": Words(panels)})
            self._begins_with_a_word = False

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            self._begins_with_a_word = bool(args) and not args[0].startswith("-")
            return super().parse_args(ctx, args)

        def get_params(self, ctx: Any) -> list[Any]:
            """Without those for completion where they are not asked for: typer loads pydantic to convert what is not
            given, too, and that takes as long as all the rest."""
            return [] if self._begins_with_a_word else super().get_params(ctx)

    return LazyGroup
