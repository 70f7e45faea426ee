"""Which paths the files in a site's `functions/` answer, and which workers they make. The rules are Cloudflare Pages'.

A file answers the path it lies at: `api/hello.ts` is /api/hello, `index.ts` its folder, `[id].ts` any one part,
`[[rest]].ts` all the rest; `_middleware.ts` runs around all below its folder. Other names with an underscore in front
are modules to share. All that begins with the same part is one worker, `<site>--<part>`; what begins with a
placeholder, and the index at the top, is `<site>--index`. A part longer than 21 characters is cut in the name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from v8box.catalog import ENTRY_SUFFIXES
from v8box.errors import BadRequest
from v8box.gateway.pages.patterns import PatternError, check_pattern
from v8box.gateway.pages.release import Mount

FOLDER: Final = "functions"
GENERATED: Final = "_v8box"
"""In `functions/`: what is made of the files' names. No site may have such a folder."""
ROUTER: Final = f"{FOLDER}/{GENERATED}/functions.ts"
MAX_FUNCTIONS: Final = 500
_INDEX: Final = "index"
_MIDDLEWARE: Final = "_middleware"
_STATIC: Final = re.compile(r"[A-Za-z0-9~-][A-Za-z0-9._~-]*")
_ONE: Final = re.compile(r"\[([A-Za-z]\w*)\]", re.ASCII)
_REST: Final = re.compile(r"\[\[([A-Za-z]\w*)\]\]", re.ASCII)
_EXPORTS_HANDLER: Final = re.compile(r"\bexport\s*\*|\bexport\b[^;]*?\bonRequest", re.DOTALL)
_EXPORTS: Final = re.compile(r"\bexport\s*\*|\bexport\b[^;]*?\b(?:onRequest|default\b)", re.DOTALL)
_GROUP_LENGTH: Final = 21
"""With the longest name of a site and the dashes between them it is as long as a worker's name may be."""


class FunctionsRefused(BadRequest):
    """The site's functions cannot be deployed, and nothing of the deploy was kept."""

    code = "functions_refused"

    def __init__(self, diagnostics: Sequence[Mapping[str, Any]]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__("\n".join(_said(each) for each in diagnostics[:20]))


@dataclass(frozen=True, slots=True)
class FunctionFile:
    """One file. `path`: the parts of what it answers, `:name` for any one, `*name` for all the rest."""

    file: str
    path: tuple[str, ...]

    @property
    def answers_below(self) -> bool:
        """Whether it also answers what lies below its path, where there is no file of the site: a name says so, an
        index and a placeholder mean one path."""
        is_index = PurePosixPath(self.file).stem == _INDEX
        return bool(self.path) and not is_index and self.path[-1][0] not in ":*"


@dataclass(frozen=True, slots=True)
class FunctionTree:
    """All of a site's. In the order in which they are looked at: the more exact path first."""

    files: tuple[FunctionFile, ...]
    middleware: tuple[FunctionFile, ...]

    @property
    def all(self) -> tuple[FunctionFile, ...]:
        return self.files + self.middleware

    def groups(self) -> dict[str, list[FunctionFile]]:
        """The files of each worker, by the part of its name that follows the site's. A folder that has middleware only
        is a worker as well: it stands before the site's files."""
        found: dict[str, list[FunctionFile]] = {}
        for each in self.files:
            found.setdefault(_group(each.path), []).append(each)
        for each in self.middleware:
            found.setdefault(_group(each.path), [])
        return dict(sorted(found.items()))

    def mounts(self, workers: Mapping[str, Mount]) -> tuple[Mount, ...]:
        """Where the workers answer; `workers` has by group the mount that each of its own is like."""
        first: list[tuple[tuple[int, ...], str, Mount]] = []
        last: list[tuple[tuple[int, ...], str, Mount]] = []

        def add(kept: list[tuple[tuple[int, ...], str, Mount]], path: tuple[str, ...], before_files: bool) -> None:
            pattern = pattern_of(path)
            like = workers[_group(path)]
            kept.append((_rank(path), pattern, Mount(pattern, like.worker, before_files, like.version)))

        for each in self.files:
            add(first, each.path, True)
            if each.answers_below:
                below = (*each.path, "*")
                if self._is_covered(below):  # then the worker looks for the file itself
                    add(first, below, True)
                else:
                    add(last, below, False)
        for each in self.middleware:
            add(first, (*each.path, "*"), True)
        ordered = sorted(first, key=lambda each: each[:2]) + sorted(last, key=lambda each: each[:2])
        return tuple(dict.fromkeys(mount for *_, mount in ordered))

    def _is_covered(self, path: tuple[str, ...]) -> bool:
        return any(_begins(path, each.path) for each in self.middleware)

    def entry(self, group: str, files: Sequence[FunctionFile]) -> str:
        """The main module of a worker."""
        around = [each for each in self.middleware if not each.path or _group(each.path) in (group, _INDEX)]
        lines = [f'import {{ route }} from "./{PurePosixPath(ROUTER).name}";']
        lines += [f"import * as f{number} from {_import(each)};" for number, each in enumerate(files)]
        lines += [f"import * as m{number} from {_import(each)};" for number, each in enumerate(around)]
        lines.append(f"export default route([{_listed('f', files)}], [{_listed('m', around)}]);")
        return "\n".join(lines) + "\n"


def is_function_file(path: str) -> bool:
    """Whether a file of a site (`/functions/…`) belongs to its functions."""
    return path.startswith(f"/{FOLDER}/")


def find_functions(paths: Iterable[str]) -> FunctionTree | None:
    """The functions among the files of a site, by their paths within it (`functions/hello.ts`); None when there are
    none. Raises `FunctionsRefused` with all that is wrong."""
    files: list[FunctionFile] = []
    middleware: list[FunctionFile] = []
    wrong: list[dict[str, Any]] = []
    for path in sorted(paths):
        try:
            if (found := _read(path)) is not None:
                (middleware if PurePosixPath(path).stem == _MIDDLEWARE else files).append(found)
        except PatternError as error:
            wrong.append({"message": str(error), "file": path})
    wrong += [*_twice(files), *_twice(middleware)]
    if len(files) > MAX_FUNCTIONS:
        wrong.append({"message": f"a site has up to {MAX_FUNCTIONS} functions", "file": files[-1].file})
    if wrong:
        raise FunctionsRefused(wrong)
    if not files and not middleware:
        return None
    middleware.sort(key=lambda each: (len(each.path), each.path))
    return FunctionTree(tuple(sorted(files, key=lambda each: (_rank(each.path), each.path))), tuple(middleware))


def worker_name(site: str, group: str) -> str:
    """`blog--api`."""
    return f"{site}--{group}"


def pattern_of(path: Sequence[str]) -> str:
    """As mounts have it, and reports: `/api/:id`, `/files/*`."""
    return "/" + "/".join("*" if part[0] == "*" else part for part in path)


def _read(path: str) -> FunctionFile | None:
    """None for what is no function. Raises `PatternError`."""
    *folders, name = PurePosixPath(path).parts[1:]
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if folders[:1] == [GENERATED]:
        raise PatternError(f"{FOLDER}/{GENERATED}/ is the box's own: give the folder another name")
    if suffix not in ENTRY_SUFFIXES or stem.endswith(".d") or any(_is_shared(part) for part in folders):
        return None
    if stem[0] in "._" and stem != _MIDDLEWARE:
        return None
    named = [*folders] if stem in (_INDEX, _MIDDLEWARE) else [*folders, stem]
    parts = tuple(_part(part, is_last=index == len(named) - 1) for index, part in enumerate(named))
    if stem in (_INDEX, _MIDDLEWARE) and parts and parts[-1][0] == "*":
        raise PatternError("[[…]] is a file's name: nothing lies below all the rest")
    check_pattern(pattern_of(parts))
    return FunctionFile(path, parts)


def _is_shared(folder: str) -> bool:
    return folder[0] in "._" or folder == "node_modules"


def exports_nothing(each: FunctionFile, text: str) -> str | None:
    """What to tell of a file that is a function by its name and offers none. A look at the text: what it exports by way
    of another module is found out when the worker starts."""
    is_middleware = PurePosixPath(each.file).stem == _MIDDLEWARE
    if (_EXPORTS_HANDLER if is_middleware else _EXPORTS).search(text):
        return None
    shown = "export const onRequest = …" if is_middleware else "export const onRequest = …, or export default …"
    return f"exports no function ({shown}); a module to share has an underscore in front of its name"


def _part(text: str, *, is_last: bool) -> str:
    if (rest := _REST.fullmatch(text)) is not None:
        if not is_last:
            raise PatternError(f"{text} stands at the end of a path only")
        return f"*{rest[1]}"
    if (one := _ONE.fullmatch(text)) is not None:
        return f":{one[1]}"
    if not _STATIC.fullmatch(text):
        raise PatternError(
            f"{text[:80]!r} is no part of a path: letters, digits, dot, dash, tilde and underscore, or [name], [[name]]"
        )
    return text


def _twice(files: Sequence[FunctionFile]) -> list[dict[str, Any]]:
    seen: dict[tuple[str, ...], str] = {}
    wrong = []
    for each in files:
        path = tuple(part[0] if part[0] in ":*" else part for part in each.path)
        other = seen.setdefault(path, each.file)
        if other != each.file:
            wrong.append({"message": f"answers {pattern_of(each.path)}, and so does {other}", "file": each.file})
    return wrong


def _group(path: tuple[str, ...]) -> str:
    if not path or path[0][0] in ":*":
        return _INDEX
    return re.sub(r"[^a-z0-9_-]", "-", path[0].lower())[:_GROUP_LENGTH]


def _rank(path: tuple[str, ...]) -> tuple[int, ...]:
    """Smaller for the more exact: a name goes before a placeholder, and that before all the rest."""
    return tuple({":": 1, "*": 2}.get(part[0], 0) for part in path)


def _begins(path: tuple[str, ...], start: tuple[str, ...]) -> bool:
    return len(path) >= len(start) and all(
        wanted[0] == ":" or wanted == part for part, wanted in zip(path, start, strict=False)
    )


def _import(each: FunctionFile) -> str:
    return json.dumps(f"../{each.file.removeprefix(f'{FOLDER}/')}")


def _listed(letter: str, files: Sequence[FunctionFile]) -> str:
    return ", ".join(
        f"{{ path: {json.dumps(each.path)}, file: {json.dumps(each.file)}, module: {letter}{number} }}"
        for number, each in enumerate(files)
    )


def _said(each: Mapping[str, Any]) -> str:
    place = ":".join(str(each[part]) for part in ("file", "line", "column") if each.get(part) is not None)
    return f"{place}: {each['message']}" if place else str(each["message"])
