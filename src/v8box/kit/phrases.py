"""English for people that also knows what it says: a code and values, so that a screen can say it in another language.

A `Phrase` is a `str` wherever only the text is wanted, but msgspec writes no subclass of it: what is stored or sent on
is made plain first, with `str`. The API shows its parts beside the text, as `PhraseInfo` has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is said. Numbers are in the unit that their name ends with: `free_bytes`, `error_ms`."""

    code: str
    values: dict[str, str | float]


class Phrase(str):
    """A text with its parts."""

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __new__(cls, text: str, parts: tuple[Part, ...]) -> Self:
        made = super().__new__(cls, text)
        made.parts = parts
        return made


def phrase(code: str, text: str, /, **values: str | float) -> Phrase:
    """`phrase("disk_free", "3.1 GB free", free_bytes=3328599654)`. The code is a literal: a test looks for each of them
    in the dashboard."""
    return Phrase(text, (Part(code, values),))


def joined(texts: Iterable[str], separator: str = "; ") -> str:
    """All of them, each once. Where something else than a phrase is among them, only the text is known."""
    told = list(dict.fromkeys(filter(None, texts)))
    parts = [parts_of(each) for each in told]
    whole = separator.join(told)
    return Phrase(whole, tuple(part for each in parts for part in each)) if all(parts) else whole


def parts_of(text: str) -> tuple[Part, ...]:
    """None of what is no phrase."""
    return text.parts if isinstance(text, Phrase) else ()


def plain(text: str) -> list[dict[str, Any]]:
    """The parts as JSON has them."""
    return [{"code": part.code, "values": part.values} for part in parts_of(text)]
