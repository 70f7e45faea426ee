"""What a command that asks a box is given: the options that all of them share, the box, its project, and a way to show
what it found.

`@on_box` adds the options to a function whose first parameter is a `Command`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec

import typer

from v8box.cli.console import DEFAULT_PROJECT, Dir, Json, Project, Token, Url, say, show, show_fields, told

if TYPE_CHECKING:
    from v8box.cli.client import BoxClient, Place
    from v8box.cli.v1 import V1

_HERE: Final = Path()

P = ParamSpec("P")

Environment = Annotated[
    str, typer.Option("--env", "-e", help="Which environment: production, staging, or a preview's name.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many at most.")]


class Command:
    """One command under way."""

    def __init__(self, *, url: str | None, token: str | None, directory: Path, project: str, as_json: bool) -> None:
        self._url = url
        self._token = token
        self._directory = directory
        self._stack = ExitStack()
        self.project = project
        self.as_json = as_json

    def close(self) -> None:
        self._stack.close()

    @functools.cached_property
    def place(self) -> Place:
        """The box that is meant, looked up when it is first asked for."""
        from v8box.cli.client import find_box

        return find_box(self._url, self._directory, self._token, project=self.project)

    @functools.cached_property
    def api(self) -> V1:
        """The box's /api/v1."""
        from v8box.cli.v1 import V1

        return self._stack.enter_context(V1(self.place))

    @functools.cached_property
    def admin(self) -> BoxClient:
        """The box's /admin: the data of its projects."""
        from v8box.cli.client import BoxClient

        return self._stack.enter_context(BoxClient(self.place))

    def at(self, *parts: str) -> str:
        """A path in the project: `at("workers", name)`."""
        return path("projects", self.project, *parts)

    def show(self, data: Any, columns: Sequence[str] = (), rows: Sequence[Sequence[Any]] = ()) -> None:
        """`data` as JSON, or the rows as a table."""
        show(data, as_json=self.as_json, columns=columns, rows=rows)

    def show_fields(self, data: Any, fields: Mapping[str, Any]) -> None:
        """`data` as JSON, or a line for each field that has a value."""
        if self.as_json:
            self.show(data)
            return
        show_fields(fields)

    def say(self, text: str) -> None:
        """A line for people, on stderr."""
        say(text)


def path(*parts: str) -> str:
    """Names as an address below /api/v1."""
    from v8box.cli.client import segment

    return "/".join(segment(part) for part in parts)


def _shared(
    project: Project = DEFAULT_PROJECT,
    url: Url = None,
    token: Token = None,
    directory: Dir = _HERE,
    as_json: Json = False,
) -> None:
    """The options of every command that asks a box."""


def on_box(function: Callable[Concatenate[Command, P], None]) -> Callable[..., None]:
    """A command that asks a box: whatever goes wrong is told on stderr and ends it with an exit code. A shared option
    that the function has itself, it has in its own way: the folder as an argument, for one."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    names = {each.name for each in own}
    shared = inspect.signature(_shared, eval_str=True).parameters

    @functools.wraps(function)
    def run(**values: Any) -> None:
        command = Command(**{name: values[name] if name in names else values.pop(name) for name in shared})
        try:
            with told():
                function(command, **values)  # type: ignore[call-arg] # what the signature says
        finally:
            command.close()

    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for each in (*own, *(each for each in shared.values() if each.name not in names))
    ]
    del run.__wrapped__  # typer would look at that one's annotations
    run.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
