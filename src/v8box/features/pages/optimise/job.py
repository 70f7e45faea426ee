"""One release made smaller: what is known of its files is taken over, the rest is worked on, one file after the other.

What the process makes is staged, taken into the store in batches and remembered at once, so that a job that is cut off
goes on where it was.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from v8box.errors import V8BoxError
from v8box.features.pages.optimise.outcomes import Name, Outcome, Outcomes, name_of
from v8box.features.pages.optimise.process import OptimiserProcess, Unfinished
from v8box.features.pages.optimise.recipes import Recipe, media_type, recipe, scan
from v8box.features.pages.optimise.wire import Reply
from v8box.gateway.pages.release import Asset, Release, Stored
from v8box.storage import FolderBlobs

_BATCH_FILES: Final = 256
_BATCH_BYTES: Final = 32 * 1024 * 1024
_MAX_PINS: Final = 1_000
_MAX_DEATHS: Final = 20
MAX_LEFT: Final = 100
"""Files that the report names; the rest is counted."""


class TooManyDeaths(V8BoxError):
    """The optimiser process died again and again."""

    code = "optimiser_failed"


class Superseded(Exception):
    """Another release went live meanwhile: its files are more urgent."""


@dataclass(slots=True)
class Progress:
    """How far a job is."""

    total: int = 0
    done: int = 0


@dataclass(slots=True)
class _Staged:
    """What was made and is not in the store yet."""

    folder: Path
    replies: dict[Name, Reply] = field(default_factory=dict)
    size: int = 0


class Job:
    """`run` it once. `goes_on` is asked before every file."""

    def __init__(
        self,
        project: str,
        release: Release,
        *,
        blobs: FolderBlobs,
        outcomes: Outcomes,
        process: OptimiserProcess,
        staging: Path,
        goes_on: Callable[[], bool],
    ) -> None:
        self.progress = Progress()
        self._project = project
        self._release = release
        self._blobs = blobs
        self._outcomes = outcomes
        self._process = process
        self._staging = staging
        self._goes_on = goes_on
        self._deaths = 0

    async def run(self) -> tuple[Release, Mapping[str, Any]]:
        """The release with what is smaller, and what there is to tell. Raises `Superseded`, `V8BoxError`."""
        files = self._release.files
        wanted: Collection[str] = self._release.settings.optimise
        pins = await self._pins(wanted)
        if len(pins) > _MAX_PINS:
            wanted, pins = [each for each in wanted if each == "images"], frozenset()
        recipes = {path: found for path, asset in files.items() if (found := recipe(path, asset, wanted, pins))}
        made = await self._make(list(recipes.values()))
        kept = await self._there({key for outcome in made.values() for key in outcome.keys})
        left: list[tuple[str, str]] = []
        improved = dict(files)
        for path, each in recipes.items():
            outcome = made[name_of(each)]
            improved[path] = _asset(files[path], outcome, kept)
            if outcome.left:
                left.append((path, outcome.left))
        return msgspec.structs.replace(self._release, files=improved), _report(files, improved, left)

    async def _pins(self, wanted: Collection[str]) -> frozenset[str]:
        """The hashes that pages and headers name."""
        if not {"html", "css", "js", "svg"} & set(wanted):
            return frozenset()
        looked_at = [found for asset in self._release.files.values() if (found := scan(asset))]
        made = await self._make(looked_at)
        values = [value for block in self._release.headers for _, value in block.headers if value]
        named = {word.strip("'\";") for value in values for word in value.split() if "sha" in word}
        return frozenset(named | {pin for outcome in made.values() for pin in outcome.pins})

    async def _make(self, recipes: Sequence[Recipe]) -> dict[Name, Outcome]:
        wanted = {name_of(each): each for each in recipes}
        known = await self._outcomes.find(self._project, list(wanted.values()))
        there = await self._there({key for outcome in known.values() for key in outcome.keys})
        made = {name: outcome for name, outcome in known.items() if there.issuperset(outcome.keys)}
        todo = [each for name, each in wanted.items() if name not in made]
        todo.sort(key=lambda each: each.request.picture)  # they take longest
        self.progress.total += len(wanted)
        self.progress.done += len(made)
        if not todo:
            return made
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._staging))
        try:
            staged = _Staged(folder)
            for each in todo:
                if not self._goes_on():
                    raise Superseded
                await self._work(each, staged, made)
                self.progress.done += 1
                if len(staged.replies) >= _BATCH_FILES or staged.size >= _BATCH_BYTES:
                    made |= await self._take(staged)
                    staged = _Staged(folder)
            made |= await self._take(staged)
        finally:
            await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)))
        return made

    async def _work(self, each: Recipe, staged: _Staged, made: dict[Name, Outcome]) -> None:
        try:
            reply = await self._process.work(each.request)
        except Unfinished as error:
            self._deaths += 1
            if self._deaths > _MAX_DEATHS:
                raise TooManyDeaths from error
            made[name_of(each)] = Outcome(left=error.detail)  # not remembered: it may have been the machine's fault
            return
        staged.replies[name_of(each)] = reply
        staged.size += sum(len(form) for _, form in _forms(reply))

    async def _take(self, staged: _Staged) -> dict[Name, Outcome]:
        """Into the store, all at once: a flush of the disk serves a whole batch."""
        if not staged.replies:
            return {}
        sizes, paths = await asyncio.to_thread(_write, staged)
        stored = [Stored(key, size) for key, size in zip(await self._blobs.adopt(paths), sizes, strict=True)]
        outcomes: dict[Name, Outcome] = {}
        position = 0
        for name, reply in staged.replies.items():
            forms = dict(zip([form for form, _ in _forms(reply)], stored[position:], strict=False))
            position += len(forms)
            outcomes[name] = Outcome(
                content=forms.get("content"),
                encodings={encoding: forms[f"encoding {encoding}"] for encoding in reply.encodings},
                variants={kind: forms[f"variant {kind}"] for kind in reply.variants},
                pins=reply.pins,
                left=reply.left,
            )
        await self._outcomes.keep(self._project, outcomes)
        return outcomes

    async def _there(self, keys: Collection[str]) -> set[str]:
        """Which of these the store has; they are not swept for a while."""
        return set(await self._blobs.keep(keys))


def _forms(reply: Reply) -> list[tuple[str, bytes]]:
    forms = [] if reply.content is None else [("content", reply.content)]
    forms += [(f"encoding {name}", form) for name, form in reply.encodings.items()]
    return forms + [(f"variant {name}", form) for name, form in reply.variants.items()]


def _write(staged: _Staged) -> tuple[list[int], list[Path]]:
    sizes: list[int] = []
    paths: list[Path] = []
    for reply in staged.replies.values():
        for _, form in _forms(reply):
            path = staged.folder / str(len(paths))
            path.write_bytes(form)
            sizes.append(len(form))
            paths.append(path)
    return sizes, paths


def _asset(asset: Asset, outcome: Outcome, kept: Collection[str]) -> Asset:
    first = asset.deployed
    content = outcome.content if outcome.content is not None and outcome.content.hash in kept else None
    if outcome.content is not None and content is None:
        return Asset(first, asset.type)
    return Asset(
        content=content or first,
        type=asset.type,
        encodings={name: form for name, form in outcome.encodings.items() if form.hash in kept},
        variants={name: form for name, form in outcome.variants.items() if form.hash in kept},
        original=first if content is not None else None,
    )


def _report(
    before: Mapping[str, Asset], after: Mapping[str, Asset], left: Sequence[tuple[str, str]]
) -> Mapping[str, Any]:
    """What a visitor's browser that takes the smallest form is spared."""
    by_type: dict[str, dict[str, int]] = defaultdict(lambda: {"files": 0, "bytes": 0, "smallest": 0})
    for path, asset in after.items():
        first = before[path].deployed
        forms = [asset.content, *asset.encodings.values(), *asset.variants.values()]
        smallest = min(form.size for form in forms)
        if smallest < first.size:
            counted = by_type[media_type(asset)]
            counted["files"] += 1
            counted["bytes"] += first.size
            counted["smallest"] += smallest
    return {
        "files": sum(each["files"] for each in by_type.values()),
        "saved_bytes": sum(each["bytes"] - each["smallest"] for each in by_type.values()),
        "by_type": dict(sorted(by_type.items())),
        "left": [{"path": path, "reason": reason} for path, reason in left[:MAX_LEFT]],
        "left_count": len(left),
    }
