"""Writes docs/cli-reference.md from the commands themselves: `python -m v8box.cli.reference`, which `make gen` does."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

from v8box.cli.lazy import Words
from v8box.cli.main import WORDS, app

_HEAD: Final = """# The `v8box` command: reference

Generated from the command itself (`make gen`); [The `v8box` command](cli.md) tells how it is used. Options that many
commands share are listed once.
"""
SHARED: Final = ("--url", "--token", "--dir", "--project", "--json")
"""Described once: what each of them is, is the same everywhere."""


def reference() -> str:
    """The whole document."""
    root: Any = typer.main.get_command(app)
    words: Words = root.commands
    parts = [_HEAD, _shared(words)]
    for panel, modules in WORDS.items():
        parts.append(f"## {panel}\n")
        for word in modules:
            parts += [_command(name, command) for name, command in _commands(f"v8box {word}", words[word])]
    return "\n".join(parts)


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for word, below in command.commands.items():
            yield from _commands(f"{name} {word}", below)
    else:
        yield name, command


def _shared(words: Mapping[str, Any]) -> str:
    """The shared options, as the commands describe them."""
    found: dict[str, str] = {}
    for word in words:
        for _name, command in _commands(word, words[word]):
            for parameter in command.params:
                if parameter.param_type_name == "option" and parameter.opts[0] in SHARED:
                    found.setdefault(parameter.opts[0], _option(parameter))
    return "## Shared options\n\n" + "\n".join(found[name] for name in SHARED if name in found) + "\n"


def _command(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    own = [each for each in options if each.opts[0] not in SHARED]
    usage = " ".join([name, *(_usage(each) for each in arguments)])
    lines = [f"### `{usage}`", "", " ".join((command.help or "").split()), ""]
    described = [f"- `{_usage(each)}`: {_sentence(each.help)}{_default(each)}" for each in arguments if each.help]
    described += [_option(each) for each in own]
    if described:
        lines += [*described, ""]
    if shared := [f"`{each.opts[0]}`" for each in options if each.opts[0] in SHARED]:
        lines += [f"Also: {', '.join(sorted(shared, key=lambda each: SHARED.index(each.strip('`'))))}.", ""]
    return "\n".join(lines)


def _usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    many = argument.nargs == -1 and not name.endswith("...")
    shown = name.rstrip(".") + ("…" if many or name.endswith("...") else "")
    return shown if argument.required else f"[{shown}]"


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted((*option.opts, *option.secondary_opts), key=len, reverse=True))
    variable = f" `{option.envvar}` in the environment says it too." if option.envvar else ""
    value = "" if option.is_flag else f" {_kind(option)}"
    again = " May be said again." if option.multiple and "again" not in (option.help or "") else ""
    return f"- {names}{value}: {_sentence(option.help)}{again}{_default(option)}{variable}"


def _kind(option: Any) -> str:
    name = str(option.metavar or option.name.upper())
    return name.removesuffix("S") if option.multiple else name


def _sentence(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if text.endswith((".", "…")) else f"{text}."


def _default(parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str) and shown:
        return f" Default: {shown}."
    default = parameter.default
    if default in (None, False, True, (), []) or parameter.required or callable(default):
        return ""
    return f" Default: `{default}`."


def main() -> None:
    sys.stdout.write(reference())


if __name__ == "__main__":
    main()
