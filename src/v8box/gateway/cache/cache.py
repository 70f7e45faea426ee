"""One request through the cache, top to bottom: whether it is one for the cache, what is kept, what is on its way, and
else a run whose answer may be kept.

At most one run for each key is on its way for those that wait; what turns out not to be kept lets them go,
and for a moment nobody waits for it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Final

from v8box.errors import StopReason, V8BoxError
from v8box.gateway.cache.answers import NAME, pass_on, send_entry
from v8box.gateway.cache.call import CacheCall, Message
from v8box.gateway.cache.counts import Counts
from v8box.gateway.cache.directives import Freshness, judge
from v8box.gateway.cache.disk import DiskTier
from v8box.gateway.cache.entries import Belongs, Entry, HeaderList, merge, read_tags, storable
from v8box.gateway.cache.fills import Fill, GivenUp, NotWhole, Room
from v8box.gateway.cache.groups import Groups
from v8box.gateway.cache.keys import Key, vary_names
from v8box.gateway.cache.purges import Purges
from v8box.gateway.cache.store import Store
from v8box.gateway.invoke import BrokenResponse
from v8box.kit.tasks import TaskSet
from v8box.sandbox.interface import Death, RunFailed, RunKilled, StartupFailed
from v8box.settings import ResponseCache as CacheSettings

COLLAPSE_SECONDS: Final = 5.0
"""For how long a request waits for another one's answer."""
PASS_SECONDS: Final = 10.0
"""For how long nobody waits for what could not be kept."""
RETRY_SECONDS: Final = 5.0
"""When a refresh in the background is tried again after it failed."""
MAX_PASSING: Final = 8_192
_MAX_ATTEMPTS: Final = 4
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_PATH: Final = Key("", "", "", "")

_logger: Final = logging.getLogger(__name__)

Flight = tuple[Key, bool]
"""What requests wait for together: a key, and whether they carry credentials."""


class NotCached(V8BoxError):
    """The request wants an answer from the cache only, and there is none that is fresh."""

    status = 504
    code = "not_cached"


class ResponseCache:
    """The cache of one box."""

    def __init__(self, settings: CacheSettings, folder: Path) -> None:
        self.purges = Purges()
        self.groups = Groups(self.purges)
        self._disk = DiskTier(folder, settings.disk_bytes)
        self.store = Store(settings.ram_bytes, self._disk, self.purges)
        self.counts = Counts()
        self._most_bytes = settings.entry_bytes
        self._room = Room(settings.ram_bytes)
        self._fills: dict[Flight, Fill] = {}
        self._running: dict[Key, set[Fill]] = {}
        self._passing: OrderedDict[Flight, float] = OrderedDict()
        self._tasks = TaskSet()

    async def open(self) -> None:
        await self._disk.open()

    async def stop(self) -> None:
        await self._tasks.cancel()
        await asyncio.to_thread(self._disk.stop)

    async def answer(self, call: CacheCall) -> None:
        """Answers, or raises what the run raised while nothing was sent."""
        why = call.why_not()
        address = call.address
        if why is not None or address is None:
            await self._forward(call, why or b"fwd=bypass")
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + COLLAPSE_SECONDS
        store = self.store
        for _ in range(_MAX_ATTEMPTS):
            key = store.locate(address, call.pairs)
            now = loop.time()
            entry = store.find(call.owner, key, now)
            if entry is None and store.disk.has(key):
                entry = await store.load(call.owner, key, now)
            if entry is not None:
                if call.is_credentialed and not entry.fresh.shared:
                    await self._forward(call, b"fwd=bypass; detail=authorization")
                    return
                if await self._answer_from(call, key, entry, now):
                    return
            if call.only_if_cached:
                call.told = b"fwd=bypass; detail=only-if-cached"
                raise NotCached
            if call.method == "HEAD" or "range" in call.found:
                await self._forward(call, b"fwd=miss" if call.method == "HEAD" else b"fwd=bypass; detail=range")
                return
            flight = (key, call.is_credentialed)
            if self._is_passing(flight, now):
                if entry is not None:
                    await self._lead(call, address, flight, entry, alone=True)
                else:
                    await self._forward(call, b"fwd=miss; detail=hit-for-miss", plain=False)
                return
            fill = self._fills.get(flight)
            if fill is None or self.purges.concerns(self._belongs(call, ()), fill.born):
                await self._lead(call, address, flight, entry)
                return
            if await self._follow(call, address, fill, entry, deadline):
                return
        await self._forward(call, b"fwd=miss; detail=collapse-failed")

    # ---- from what is kept

    async def _answer_from(self, call: CacheCall, key: Key, entry: Entry, now: float) -> bool:
        """Answers with the entry, if it may be used as it is."""
        if call.wants_fresh:
            return False
        left = entry.left(now)
        if left > 0:
            self.counts.add(call.owner, "hit")
            await send_entry(call, entry, now, b"hit; ttl=%d" % left)
            return True
        if left + entry.fresh.while_revalidating <= 0:
            return False
        self._refresh(call, key, entry, now)
        self.counts.add(call.owner, "stale")
        await send_entry(call, entry, now, b"hit; ttl=%d; detail=stale-while-revalidate" % left)
        return True

    def _refresh(self, call: CacheCall, key: Key, entry: Entry, now: float) -> None:
        """Asks for the answer again, once, and lets nobody wait for it."""
        flight = (key, call.is_credentialed)
        if flight in self._fills or now < entry.retry_at:
            return
        fill = self._fill(call, entry, led=False)
        self._fills[flight] = fill
        self._tasks.add(self._fetch(fill, call, key._replace(variant=b""), flight), "response cache refresh")

    async def _answer_stale(self, call: CacheCall, entry: Entry | None, status: int) -> bool:
        """Answers with an entry that is stale because who should answer fails, if it allows that."""
        now = asyncio.get_running_loop().time()
        if entry is None or not self._may_stand_in(entry, now):
            return False
        self.counts.add(call.owner, "stale")
        failed = b"; fwd-status=%d" % status if status else b""
        await send_entry(call, entry, now, b"fwd=stale%s; ttl=%d; detail=stale-if-error" % (failed, entry.left(now)))
        return True

    def _may_stand_in(self, entry: Entry, now: float) -> bool:
        return entry.left(now) + entry.fresh.if_error > 0 and self.store.survives(entry)

    # ---- behind another request

    async def _follow(self, call: CacheCall, address: Key, fill: Fill, stale: Entry | None, deadline: float) -> bool:
        """Waits for the run that another request began; False: what there is now has to be looked at again."""
        fill.waiting += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(max(0.0, deadline - loop.time())):
                await fill.settled.wait()
        except TimeoutError:
            await self._forward(call, b"fwd=miss; detail=collapse-timeout", plain=False)
            return True
        finally:
            fill.waiting -= 1
        entry = fill.kept
        if entry is not None and fill.stored:
            if call.is_credentialed and not entry.fresh.shared:
                await self._forward(call, b"fwd=bypass; detail=authorization")
                return True
            same = self.store.locate(address, call.pairs) == fill.key
            if same and entry.fresh.lifetime > entry.fresh.age and self.store.survives(entry):
                self.counts.add(call.owner, "collapsed")
                why = b"miss" if stale is None else b"stale"
                await send_entry(call, entry, loop.time(), b"fwd=%s; collapsed" % why)
                return True
            return False
        if fill.error is not None and not _left(fill.error):
            if _is_failure(fill.error) and await self._answer_stale(call, stale, 0):
                return True
            await self._forward(call, b"fwd=miss", plain=False)
            return True
        if fill.passing:
            await self._forward(call, b"fwd=miss; detail=" + fill.detail.encode(), plain=False)
            return True
        return await self._answer_stale(call, stale, fill.status) if fill.status >= 500 else False

    # ---- a run whose answer may be kept

    async def _lead(
        self, call: CacheCall, address: Key, flight: Flight, entry: Entry | None, *, alone: bool = False
    ) -> None:
        fill = self._fill(call, entry, led=True)
        if not alone:
            self._fills[flight] = fill
        why = b"stale" if entry is not None else b"vary-miss" if self.store.varies(address) else b"miss"
        task = self._tasks.add(self._fetch(fill, call, address, flight), "response cache fill")
        try:
            await self._relay(call, fill, entry, why)
        finally:
            fill.leave()
            if not fill.done and (fill.passing or not fill.waiting):
                task.cancel()

    def _fill(self, call: CacheCall, stale: Entry | None, *, led: bool) -> Fill:
        return Fill(
            partial(self._judge, call, stale),
            self._room,
            born=self.purges.moment,
            most_bytes=self._most_bytes,
            led=led,
            stale=stale,
        )

    def _judge(self, call: CacheCall, stale: Entry | None, status: int, headers: HeaderList) -> Freshness | str:
        if status >= 500 and stale is not None and self._may_stand_in(stale, asyncio.get_running_loop().time()):
            raise GivenUp
        return judge(
            status,
            headers,
            credentialed=call.is_credentialed,
            default_ttl=call.rules.default_ttl_seconds,
            now=time.time(),
        )

    async def _fetch(self, fill: Fill, call: CacheCall, address: Key, flight: Flight) -> None:
        """The run, on its own: who began it may leave while others wait."""
        self._running.setdefault(address, set()).add(fill)
        error: BaseException | None = None
        try:
            receive = fill.receive_of(call.receive if fill.led else None)
            await call.fetch(receive, fill.send, _asking(call, fill.stale), call.passed_query)
            self._keep(fill, call, address, flight)
        except GivenUp:
            self._dismiss(fill, call, flight)
        except asyncio.CancelledError:
            error = RunKilled(Death(reason=StopReason.CLIENT_GONE, detail="the client went away"))
            raise
        except Exception as failure:
            error = failure
            self._dismiss(fill, call, flight)
            if not fill.led:
                _logger.info("an answer of %s could not be refreshed: %s", call.owner.name, failure)
        finally:
            if self._fills.get(flight) is fill:
                del self._fills[flight]
            running = self._running[address]
            running.discard(fill)
            if not running:
                del self._running[address]
            fill.end(error)

    def _keep(self, fill: Fill, call: CacheCall, address: Key, flight: Flight) -> None:
        """Makes an entry of what came, if it may be one."""
        stale = fill.stale
        now = asyncio.get_running_loop().time()
        if fill.status == 304 and stale is not None and stale.can_be_validated:
            verdict = self._judge(call, None, stale.status, merge(stale.headers, fill.headers))
            fresh = verdict if isinstance(verdict, Freshness) else Freshness(0.0)
            fill.kept = stale.revalidated(fill.headers, fresh, stored_at=now, born=fill.born)
            if not isinstance(verdict, Freshness) or fill.spoiled:
                fill.detail = "spoiled" if fill.spoiled else str(verdict)
                self._dismiss(fill, call, flight)
                self.store.remove(call.owner, flight[0])
                return
        elif fill.is_whole and fill.fresh is not None:
            tags = read_tags(value for name, value in fill.headers if name == b"cache-tag")
            fill.kept = Entry(
                fill.status,
                storable(fill.headers),
                fill.body,
                fill.fresh,
                self._belongs(call, tags),
                stored_at=now,
                born=fill.born,
                varies=vary_names(value for name, value in fill.headers if name == b"vary"),
            )
        else:
            self._dismiss(fill, call, flight)
            return
        fill.key = self.store.put(address, call.pairs, fill.kept) or _NO_PATH
        fill.stored = fill.key is not _NO_PATH
        if not fill.stored:
            fill.detail = "vary"
        if not fill.stored or fill.kept.fresh.lifetime <= fill.kept.fresh.age:
            self._remember_passing(flight)

    def _dismiss(self, fill: Fill, call: CacheCall, flight: Flight) -> None:
        """What came is not kept."""
        now = asyncio.get_running_loop().time()
        if fill.passing:
            self._remember_passing(flight)
        if fill.stale is None:
            return
        if fill.passing and fill.status < 500:
            self.store.remove(call.owner, flight[0])  # there is a newer one, and it is not to be kept
        else:
            fill.stale.retry_at = now + RETRY_SECONDS

    async def _relay(self, call: CacheCall, fill: Fill, stale: Entry | None, why: bytes) -> None:
        """Gives the first client what comes."""
        await fill.head()
        kept = fill.kept
        if kept is not None:
            self.counts.add(call.owner, "revalidated" if fill.status == 304 else "miss")
            told = b"fwd=%s" % why
            if stale is not None:
                told += b"; fwd-status=%d" % fill.status
            told += b"; stored" if fill.stored else b"; detail=" + fill.detail.encode()
            await send_entry(call, kept, asyncio.get_running_loop().time(), told)
            return
        if fill.done and (fill.error is not None or not (fill.passing or fill.fresh)):
            failed = fill.error is None or _is_failure(fill.error)
            if failed and await self._answer_stale(call, stale, 0 if fill.error is not None else fill.status):
                return
            call.told = b"fwd=%s" % why
            if isinstance(fill.error, RunFailed | RunKilled | StartupFailed | V8BoxError):
                raise fill.error
            raise NotWhole from fill.error  # nothing was sent yet, so it can be told
        self.counts.add(call.owner, "miss")
        told = b"fwd=%s" % why
        if stale is not None:
            told += b"; fwd-status=%d" % fill.status
        if fill.detail:
            told += b"; detail=" + fill.detail.encode()
        await self._stream(call, fill, told)

    async def _stream(self, call: CacheCall, fill: Fill, told: bytes) -> None:
        call.status = fill.status
        headers = pass_on(call, fill.headers, told)
        await call.send({"type": "http.response.start", "status": fill.status, "headers": headers})
        try:
            while (chunk := await fill.read()) is not None:
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (RunFailed, RunKilled, V8BoxError) as error:
            raise BrokenResponse(str(error)) from error
        await call.send({"type": "http.response.body", "body": b"", "more_body": False})

    # ---- past the cache

    async def _forward(self, call: CacheCall, told: bytes, *, plain: bool = True) -> None:
        """A run for this request alone. `plain`: it is asked as the client asked."""
        self.counts.add(call.owner, "bypass" if plain else "miss")
        call.told = told
        unsafe = call.method not in _SAFE

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = status = message["status"]
                message["headers"] = pass_on(call, message["headers"], told)
                if unsafe and 200 <= status < 400:
                    self._invalidate(call)
            await call.send(message)

        await call.fetch(call.receive, send, call.pairs, None)

    def _invalidate(self, call: CacheCall) -> None:
        """What is kept of the address has been changed by a client (RFC 9111 §4.4)."""
        address = call.address
        if address is None:
            return
        self.store.forget(call.owner, address)
        for fill in self._running.get(address, ()):
            fill.spoiled = True

    def _is_passing(self, flight: Flight, now: float) -> bool:
        until = self._passing.get(flight)
        if until is None:
            return False
        if until > now:
            return True
        del self._passing[flight]
        return False

    def _remember_passing(self, flight: Flight) -> None:
        self._passing[flight] = asyncio.get_running_loop().time() + PASS_SECONDS
        self._passing.move_to_end(flight)
        while len(self._passing) > MAX_PASSING:
            self._passing.popitem(last=False)

    @staticmethod
    def _belongs(call: CacheCall, tags: tuple[str, ...]) -> Belongs:
        return Belongs(call.owner, call.group, "" if call.address is None else call.address.path, tags)


def _left(error: BaseException) -> bool:
    """Whether a run ended only because its client left."""
    return isinstance(error, RunKilled) and error.death.reason is StopReason.CLIENT_GONE


def _is_failure(error: BaseException) -> bool:
    """Whether a stale answer may stand in; a worker that throws a status below 500 has answered."""
    if isinstance(error, RunFailed):
        return not error.caller and (error.status is None or error.status >= 500)
    return not _left(error)


def _asking(call: CacheCall, stale: Entry | None) -> list[tuple[str, str]]:
    """The headers of a run whose answer may be kept: it is asked about the stale entry, not about the client's."""
    pairs = call.unconditional()
    if stale is None:
        return pairs
    about = [("if-none-match", stale.etag)] if stale.etag is not None else []
    if stale.last_modified is not None:
        about.append(("if-modified-since", stale.last_modified))
    return [*pairs, *about]


__all__ = ["COLLAPSE_SECONDS", "NAME", "PASS_SECONDS", "RETRY_SECONDS", "NotCached", "ResponseCache"]
