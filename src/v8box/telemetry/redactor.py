"""Secrets out of log lines: a worker that prints its own secret does not put it into the box's log.

Best effort by its nature: a secret that is printed in pieces or encoded passes. Values shorter than eight characters
are left alone, since they would take ordinary words out of every line.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Any, Final

from v8box.telemetry.audit import MASK

MIN_CHARACTERS: Final = 8
_MAX_WORKERS: Final = 20_000
_MAX_VALUES: Final = 2_048


class Redactor:
    """Replaces values. Made once for the sandboxes of a worker, asked for every line."""

    __slots__ = ("_values",)

    def __init__(self, values: Collection[str] = ()) -> None:
        # A secret of several lines (a key in PEM) is printed line by line as often as whole.
        lines = {line.strip() for value in values for line in value.splitlines()}
        long = {each for each in {*values, *lines} if len(each) >= MIN_CHARACTERS}
        self._values = sorted(long, key=lambda each: (-len(each), each))  # one that holds another goes first

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, text: str) -> str:
        """The line without them; the same object when there are none in it."""
        for value in self._values:  # faster than one pattern of all: a search for a text skips, an alternation does not
            if value in text:
                text = text.replace(value, MASK)
        return text

    def value(self, value: Any) -> Any:
        """The same for the fields of a line: texts, and lists and tables of them."""
        if not self._values:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.value(key): self.value(each) for key, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value


_NOTHING: Final = Redactor()


class Redactors:
    """The redactor of each worker in each environment. What it knew before stays for a while: sandboxes that started
    with the values of before still run."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, str, str], dict[str, None]] = OrderedDict()
        self._redactors: dict[tuple[str, str, str], Redactor] = {}

    def learn(self, project: str, environment: str, worker: str, secrets: Collection[str]) -> None:
        """A sandbox starts with these."""
        key = (project, environment, worker)
        known = self._values.get(key)
        if known is None and not secrets:
            return
        known = self._values.setdefault(key, {})
        self._values.move_to_end(key)
        fresh = not known.keys() >= set(secrets)
        for secret in secrets:
            known.pop(secret, None)
            known[secret] = None  # at the end: the last to be forgotten
        while len(known) > _MAX_VALUES:
            del known[next(iter(known))]
        if fresh:
            self._redactors[key] = Redactor(known)
        while len(self._values) > _MAX_WORKERS:
            oldest, _ = self._values.popitem(last=False)
            self._redactors.pop(oldest, None)

    def of(self, project: str, environment: str, worker: str) -> Redactor:
        return self._redactors.get((project, environment, worker), _NOTHING)
