"""What the bundler complained about, as one error with a place in the user's own file.

`deno bundle` reports faults of two kinds. Those that Deno found itself (syntax, missing modules) are in terms of the
source. Those of the bundler behind it are in terms of the JavaScript that Deno made of a TypeScript file, which it
keeps in its cache with a source map; so the place can be found again.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from v8box.errors import BadRequest
from v8box.kit.sourcemap import SourceMap, SourceMapError

_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_AT: Final = re.compile(r"^\s+at (?P<url>\S+?):(?P<line>\d+):(?P<column>\d+)$")
_SNIPPET: Final = re.compile(r"^\s*\d*\s*\|")
_FROM_DENO: Final = (
    *("SyntaxError", "Module not found", "Requires import access", "Import '", "The import attribute type"),
    *("The Wasm module", "Expected a JavaScript", "Relative import path", "Unsupported scheme", "Unable to load"),
)
_INLINE_MAP: Final = re.compile(r"^//# sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)$", re.MULTILINE)
_TRANSPILED: Final = (".ts", ".tsx", ".mts", ".jsx", ".cts")
_NOISE: Final = ("error: bundling failed", "Stack backtrace:", "Download ", "Warning ", "⚠️", "note:", "Initialize ")
_MAX_MESSAGE: Final = 2_000
_MAX_READ: Final = 1_000_000
MAX_DIAGNOSTICS: Final = 100
_TYPE_ERROR: Final = re.compile(
    r"^(?P<code>TS\d+) \[(?:ERROR|WARN)\]: (?P<message>(?:.*\n)+?)\s+at (?P<url>file://\S+?):(?P<line>\d+):(?P<column>\d+)$",
    re.MULTILINE,
)
_REFUSED_IMPORT: Final = re.compile(
    r'Requires import access to "([^"]+?)(?::443)?", run again with the --allow-import flag'
)


class Diagnostic(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong with a worker's code or manifest, and where. Line and column count from 1."""

    message: str
    severity: str = "error"
    file: str | None = None
    line: int | None = None
    column: int | None = None
    code: str | None = None
    """TypeScript's own: TS2322."""
    worker: str | None = None


class BundleError(BadRequest):
    """The worker's code cannot be bundled."""

    code = "bundle"

    def __init__(
        self, message: str, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.message = message
        self.file = file
        """Relative to the served folder; a package's as npm:name@version/file. None: no one file is to blame."""
        self.line = line
        self.column = column
        """Line and column count from 1."""
        self.diagnostics = [msgspec.to_builtins(self.diagnostic())]
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)

    def diagnostic(self, worker: str | None = None) -> Diagnostic:
        return Diagnostic(self.message, file=self.file, line=self.line, column=self.column, worker=worker)


def read_diagnostics(output: str, directory: Path, deno_dir: Path) -> list[Diagnostic]:
    """What `deno check` wrote: each error of types, or the one that kept it from looking at them."""
    text = _ANSI.sub("", output[:_MAX_READ]).replace("\r", "")
    found: list[Diagnostic] = []
    for match in _TYPE_ERROR.finditer(text):
        path = Path(unquote(urlsplit(match["url"]).path))
        message = _without_snippet(match["message"]).replace(f"file://{directory}/", "")
        file = _relative(path, directory)
        found.append(
            Diagnostic(message, file=file, line=int(match["line"]), column=int(match["column"]), code=match["code"])
        )
        if len(found) >= MAX_DIAGNOSTICS:
            break
    return found or [read_error(output, directory, deno_dir).diagnostic()]


def _without_snippet(text: str) -> str:
    """The message without the source lines that are shown beneath: they end in a line of tildes."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) > 2 and re.fullmatch(r"\s*~+", lines[-1]):
        lines = lines[:-2]
    return "\n".join(line.rstrip() for line in lines)[:_MAX_MESSAGE]


def read_error(output: str, directory: Path, deno_dir: Path) -> BundleError:
    """The first fault in what `deno bundle` wrote, or its last line when it wrote none."""
    lines = _ANSI.sub("", output).replace("\r", "").split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("error: ") and not line.startswith(_NOISE)]
    if not starts:
        told = [line.strip() for line in lines if line.strip() and not line.strip().startswith(_NOISE)]
        return BundleError((told[-1] if told else "the bundler failed and did not say why")[:_MAX_MESSAGE])
    message: list[str] = []
    at: re.Match[str] | None = None
    for line in lines[starts[0] :]:
        if message and (line.startswith(("error: ", *_NOISE)) or at is not None):
            break
        at = _AT.match(line)
        if at is None and line.strip() and not _SNIPPET.match(line):
            message.append(line.removeprefix("error: ").strip())
    text = " ".join(message).replace(f"file://{directory}/", "").replace(str(deno_dir), "…")
    return _placed(text[:_MAX_MESSAGE], at, directory, deno_dir)


def in_words(message: str) -> str:
    """A message of Deno's without advice that nobody can follow here."""
    advice = (
        r"Imports from \1 are refused: import the package as npm:… or jsr:…, or put a copy of the file into the folder"
    )
    return _REFUSED_IMPORT.sub(advice, message)


def _placed(message: str, at: re.Match[str] | None, directory: Path, deno_dir: Path) -> BundleError:
    if at is None:
        return BundleError(in_words(message))
    line, column = int(at["line"]), int(at["column"])
    if not at["url"].startswith("file://"):
        return BundleError(in_words(message), at["url"].removeprefix("deno:"), line, column)
    path = Path(unquote(urlsplit(at["url"]).path))
    if not message.startswith(_FROM_DENO):
        line, column = _in_source(path, line, column, deno_dir)
    return BundleError(in_words(message), _relative(path, directory), line, column)


def _in_source(path: Path, line: int, column: int, deno_dir: Path) -> tuple[int, int]:
    """A place the bundler gave (line from 1, column from 0) as one in the source, both from 1."""
    if path.suffix in _TRANSPILED:
        emitted = deno_dir / "gen" / "file" / f"{str(path).lstrip('/')}.js"
        try:
            found = _INLINE_MAP.search(emitted.read_text(encoding="utf-8"))
            source_map = SourceMap.parse(base64.b64decode(found[1])) if found else None
        except (OSError, ValueError, SourceMapError):
            source_map = None
        if source_map is not None and (at := source_map.find(line - 1, column)) is not None:
            return at.line + 1, at.column + 1
    return line, column + 1


def _relative(path: Path, directory: Path) -> str:
    return os.path.relpath(path, directory) if path.is_relative_to(directory) else path.name
