"""The environment and v8box.toml as one source of raw values, which collects the faults with where each stands."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from v8box.kit import toml
from v8box.settings.readers import Reader

WORKERS_TABLE: Final = "workers"

T = TypeVar("T")


class Source:
    """The environment and the file as one; collects the faults with where each stands."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self._file = file
        self._environ = environ
        self._asked: set[str] = set()
        self._values, self._lines = self._parse_file()

    def _parse_file(self) -> tuple[dict[str, Any], toml.Lines]:
        try:
            return toml.parse(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except toml.TomlSyntaxError as error:
            self.faults.append(f"{self._place(error.line)}: {error.message}")
        except UnicodeDecodeError:
            self.faults.append(f"{self._file.name}: is not UTF-8 text")
        except OSError as error:
            self.faults.append(f"{self._file.name}: cannot be read: {error.strerror}")
        return {}, toml.Lines({})

    def _place(self, line: int | None) -> str:
        return self._file.name if line is None else f"{self._file.name}:{line}"

    def given(self, key: str, variable: str) -> Any:
        """The raw value, or None."""
        if self._environ.get(variable, "").strip():
            return self._environ[variable]
        table, name = key.split(".")
        values = self._values.get(table)
        return values.get(name) if isinstance(values, dict) else None

    def read(self, variable: str, key: str, read: Reader[T], *, hidden: bool) -> T | None:
        self._asked.add(key)
        raw = self.given(key, variable)
        if raw is None:
            return None
        try:
            return read(raw)
        except ValueError as error:
            shown = "" if hidden else f", not {_shorten(raw)}"
            self.fault(variable, key, f"{error}{shown}")
            return None

    def fault(self, variable: str, key: str, message: str) -> None:
        """Note a fault where the value came from; one that came from nowhere is named by its variable."""
        table, name = key.split(".")
        from_file = not self._environ.get(variable, "").strip() and name in self._table(table)
        if from_file:
            self.faults.append(f"{self._place(self._lines.of(table, name))}: {key} {message}")
        else:
            self.faults.append(f"{variable}: {message}")

    def _table(self, name: str) -> Mapping[str, Any]:
        values = self._values.get(name)
        return values if isinstance(values, dict) else {}

    def refuse_unknown(self) -> None:
        tables = {key.split(".")[0] for key in self._asked}
        for table, values in self._values.items():
            place = self._place(self._lines.of(table))
            if table == WORKERS_TABLE:
                continue  # checked worker by worker, so that one bad manifest stops one worker and not the box
            if table not in tables:
                self.faults.append(f"{place}: [{table}] is not known{_hint(table, {*tables, WORKERS_TABLE})}")
            elif not isinstance(values, dict):
                self.faults.append(f"{place}: {table} must be a table: [{table}]")
            else:
                known = {key.split(".")[1] for key in self._asked if key.startswith(f"{table}.")}
                for name in values:
                    if name not in known:
                        place = self._place(self._lines.of(table, name))
                        self.faults.append(f"{place}: {table}.{name} is not known{_hint(name, known)}")


def _hint(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _shorten(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}…"
