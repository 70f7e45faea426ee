"""Brings what this node counted to Valkey and what the others counted back, behind the requests' backs.

About every 100 ms, and at once when a client is new here, so that neither a second node nor a restart gives anybody a
fresh window for longer than a round trip. While Valkey is away each node goes on with what it knows, and what it let
through is owed until it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, Final

from v8box.bindings.interface import BindingError
from v8box.gateway.policies.limiter import Limiter, Owed

_log: Final = logging.getLogger(__name__)

Execute = Callable[[Sequence[str | bytes]], Awaitable[Any]]
"""Runs one command on Valkey. Raises `BindingError`."""

SYNC_SECONDS: Final = 0.1
_PING_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 2.0
_MAX_WAIT_SECONDS: Final = 2.0
_BATCH: Final = 500
_SCRIPT: Final = resources.files("v8box.gateway.policies").joinpath("limit_sync.lua").read_text()
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class LimitSync:
    """Runs beside the gateway, for one limiter."""

    def __init__(self, limiter: Limiter, execute: Execute) -> None:
        self._limiter = limiter
        self._execute = execute
        self._wake = asyncio.Event()
        limiter.on_stranger = self._wake.set

    async def run(self) -> None:
        """Until cancelled."""
        limiter = self._limiter
        asked = 0.0
        wait = SYNC_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            if not limiter.is_waiting and now - asked < _PING_SECONDS:
                continue
            asked = now
            if await self.sync():
                wait = SYNC_SECONDS
            else:
                await asyncio.sleep(wait)  # strangers must not make it ask again and again
                wait = min(wait * 2, _MAX_WAIT_SECONDS)

    async def stop(self) -> None:
        """Tells what is still owed, if that is possible soon."""
        self._limiter.on_stranger = _nobody
        for _ in range(20):
            if not self._limiter.is_waiting or not await self.sync():
                return

    async def sync(self) -> bool:
        """One round trip. Tells whether it succeeded."""
        limiter = self._limiter
        told = limiter.owed(_BATCH)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                if told:
                    shared = await self._run(told)
                else:
                    shared = []
                    await self._execute(("PING",))
        except (BindingError, TimeoutError, OSError, ValueError) as error:
            limiter.give_back(told)
            if limiter.down_since is None:
                limiter.down_since = time.time()
                _log.warning("rate limits are counted on this node alone: %s", error or "Valkey does not answer")
            return False
        except BaseException:
            limiter.give_back(told)
            raise
        limiter.settle(zip(told, shared, strict=True))
        if limiter.down_since is not None:
            limiter.down_since = None
            _log.warning("rate limits are counted together again")
        return True

    async def _run(self, told: Sequence[Owed]) -> list[float]:
        arguments: list[str | bytes] = [str(len(told)), *(_name(owed) for owed in told), repr(time.time())]
        for owed in told:
            arguments += (repr(owed.owed), repr(owed.since), repr(owed.tat), repr(owed.bucket.burst))
        try:
            reply = await self._execute(("EVALSHA", _SHA, *arguments))
        except BindingError as error:
            if error.code != "NOSCRIPT":
                raise
            reply = await self._execute(("EVAL", _SCRIPT, *arguments))  # a server forgets scripts as it restarts
        if not isinstance(reply, list) or len(reply) != len(told):
            raise ValueError("a strange reply to the script")
        return [float(value) for value in reply]


def _name(owed: Owed) -> str:
    """One slot of a cluster holds all of them; who a client is does not stand in it."""
    return "{v8box:limits}:" + hashlib.blake2b(owed.bucket.key.encode(), digest_size=16).hexdigest()


def _nobody() -> None:
    """The box is stopping."""
