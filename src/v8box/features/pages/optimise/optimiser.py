"""Which release is made smaller next. Desired state, then repair: a live release whose report does not say that it was
made smaller is in the queue, after a deploy, after a rollback, and after a crash.

One release of a site waits at most, the one that is live; and one that somebody asked for.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from v8box.catalog.sites import ReleaseInfo, Sites, SiteTable
from v8box.errors import NotFound, V8BoxError
from v8box.features.pages.optimise.job import Job, Superseded
from v8box.features.pages.optimise.outcomes import Outcomes
from v8box.features.pages.optimise.process import OptimiserProcess
from v8box.gateway.pages.release import decode, encode
from v8box.storage import FolderBlobs

REPORTED: Final = "optimisation"
"""The part of a release's report that is written here."""
_log: Final = logging.getLogger(__name__)


class NothingToCancel(V8BoxError):
    """Nothing is being done to this release: it was done already, or never asked for."""

    status = 409
    code = "nothing_to_cancel"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A release in the queue. `asked`: somebody wants it done, also again."""

    project: str
    site: str
    number: int
    asked: bool = False


class Optimiser:
    """Call `follow` with every snapshot of the sites; `run` it until it is cancelled."""

    def __init__(
        self, sites: Sites, blobs: FolderBlobs, outcomes: Outcomes, process: OptimiserProcess, staging: Path
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._outcomes = outcomes
        self._process = process
        self._staging = staging
        self._seen: dict[str, str] = {}
        """By site, the key of the release that was live when it was last looked at."""
        self._live: dict[str, str] = {}
        """By site, its project: what is live there is to be looked at."""
        self._asked: dict[str, _Wanted] = {}
        self._running: tuple[_Wanted, Job | None] | None = None
        self._cancelled: set[_Wanted] = set()
        """Of what runs: it stops after the file at hand."""
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()

    def follow(self, table: SiteTable) -> None:
        """The sites have changed."""
        for name, route in table.sites.items():
            if self._seen.get(name) != route.key:
                self._live[name] = route.project
        self._seen = {name: route.key for name, route in table.sites.items()}
        if self._live:
            self._wake()

    async def ask(self, project: str, site: str, number: int) -> None:
        """Makes a release smaller, also one that is not live, or was done before. Raises `NotFound`."""
        await self._sites.release(project, site, number)
        self._asked[site] = _Wanted(project, site, number, asked=True)
        self._wake()

    async def cancel(self, project: str, site: str, number: int) -> None:
        """Takes a release out of the queue, or stops the work on it after the file at hand. It stays as it is, and is
        not done by itself any more. Raises `NotFound`, `NothingToCancel`."""
        info = await self._sites.release(project, site, number)
        found = self.state(info)
        if found is None:
            raise NothingToCancel
        asked = self._asked.get(site)
        if asked is not None and asked.number == number:
            del self._asked[site]
        running = self._running
        if running is not None and (running[0].site, running[0].number) == (site, number):
            self._cancelled.add(running[0])
            return
        if self._seen.get(site) == info.key:
            self._live.pop(site, None)
        await self._tell_cancelled(_Wanted(project, site, number), info)

    async def settle(self) -> None:
        """Wait until nothing is in the queue."""
        await self._idle.wait()

    def state(self, info: ReleaseInfo) -> Mapping[str, Any] | None:
        """Of a release that is in the queue or being worked on; None when its report says all."""
        running, asked = self._running, self._asked.get(info.site)
        if running is not None and (running[0].site, running[0].number) == (info.site, info.number):
            job = running[1]
            if job is None:
                return {"state": "queued"}
            return {"state": "running", "done": job.progress.done, "total": job.progress.total}
        waiting = info.site in self._live and self._seen.get(info.site) == info.key and REPORTED not in info.report
        if waiting or (asked is not None and asked.number == info.number):
            return {"state": "queued"}
        return None

    async def run(self) -> None:
        await asyncio.to_thread(shutil.rmtree, self._staging, ignore_errors=True)
        await asyncio.to_thread(lambda: self._staging.mkdir(parents=True, exist_ok=True, mode=0o700))
        try:
            while True:
                self._changed.clear()
                while (wanted := await self._next()) is not None:
                    await self._improve(wanted)
                if not (self._live or self._asked):
                    self._idle.set()
                    await self._changed.wait()
        finally:
            await self._process.stop()

    def _wake(self) -> None:
        self._idle.clear()
        self._changed.set()

    async def _next(self) -> _Wanted | None:
        while self._live:
            site = next(iter(self._live))
            project = self._live.pop(site)
            try:
                found = await self._sites.get(project, site)
                if found.live_number is None:
                    continue
                info = await self._sites.release(project, site, found.live_number)
            except NotFound:
                continue  # it is gone again
            except V8BoxError:
                _log.exception("what is live of %s cannot be looked at", site)
                continue
            if REPORTED not in info.report:
                return _Wanted(project, site, info.number)
        return self._asked.pop(next(iter(self._asked))) if self._asked else None

    async def _improve(self, wanted: _Wanted) -> None:
        self._running = (wanted, None)
        try:
            info = await self._sites.release(wanted.project, wanted.site, wanted.number)
        except V8BoxError:
            self._running = None
            return  # it is gone
        try:
            await self._improve_release(wanted, info)
        except Superseded:
            if wanted in self._cancelled:
                await self._tell_cancelled(wanted, info)
        except Exception as error:
            _log.warning("release %d of %s stays as it is: %s", info.number, info.site, error, exc_info=True)
            reason = error.detail if isinstance(error, V8BoxError) else type(error).__name__
            await self._tell(wanted, info, info.key, {"state": "failed", "reason": reason})
        finally:
            self._running = None
            self._cancelled.discard(wanted)

    async def _tell_cancelled(self, wanted: _Wanted, info: ReleaseInfo) -> None:
        """What was made of it before stays told."""
        if REPORTED not in info.report:
            await self._tell(wanted, info, info.key, {"state": "cancelled"})

    async def _improve_release(self, wanted: _Wanted, info: ReleaseInfo) -> None:
        began = time.monotonic()
        release = await asyncio.to_thread(decode, await self._blobs.get(info.key))
        job = Job(
            wanted.project,
            release,
            blobs=self._blobs,
            outcomes=self._outcomes,
            process=self._process,
            staging=self._staging,
            goes_on=lambda: wanted not in self._cancelled and (wanted.asked or self._seen.get(info.site) == info.key),
        )
        self._running = (wanted, job)
        try:
            improved, report = await job.run()
        finally:
            await self._process.stop()  # whatever a file made of it, the next release meets another one
        key = await self._blobs.put(await asyncio.to_thread(encode, improved))
        seconds = round(time.monotonic() - began, 3)
        await self._tell(wanted, info, key, {"state": "done", **report, "seconds": seconds})
        await self._outcomes.tidy()

    async def _tell(self, wanted: _Wanted, info: ReleaseInfo, key: str, told: Mapping[str, Any]) -> None:
        """Writes down how it ended, and puts the smaller files in the place of the others."""
        report = {**info.report, REPORTED: told}
        try:
            await self._sites.improve_release(
                wanted.project, wanted.site, wanted.number, before=info.key, key=key, report=report
            )
        except V8BoxError:
            _log.exception("what became of release %d of %s cannot be written down", info.number, info.site)
