"""One request for a site: a preview's password, what answers (`decide`), and the answer itself.

What a path means is remembered with the release when no rule of the site looks at the request itself.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Final

from v8box.errors import NotFound, OnlyRead
from v8box.gateway.headers import SERVER
from v8box.gateway.invoke import Send
from v8box.gateway.pages.answers import Conditions, HotFiles, choose, prepare, send_file, send_prepared
from v8box.gateway.pages.decide import Outcome, SiteRequest, ToFile, ToHost, ToPlace, ToWorker, decide, decide_file
from v8box.gateway.pages.release import Releases
from v8box.gateway.policies.refusals import Refused

_CONDITIONS: Final = {name.replace("_", "-"): name for name in Conditions._fields if name != "method"}
_MAX_REMEMBERED: Final = 4_096
_MAX_REMEMBERED_CHARACTERS: Final = 512
"""Of an address, and of what a client accepts: longer ones are no page that many ask for."""
_PRIVATE: Final = ((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex"))
_MAX_PREPARED: Final = 8
"""So many kinds of clients for each path."""


class PasswordNeeded(Refused):
    """This preview asks for a password."""

    status = 401
    code = "password_needed"

    def __init__(self, label: str, site: str) -> None:
        # A browser asks whoever looks, and asks anew for each preview: what it knows goes by the realm.
        realm = f'Basic realm="{label}--{site}", charset="UTF-8"'.encode()
        super().__init__(headers=[(b"www-authenticate", realm), *_PRIVATE])


class Pages:
    """Answers requests for sites. `verify` tells whether a password is the one of a preview's hash; it is told the
    client's address, too, and raises `V8BoxError` for who guesses."""

    def __init__(
        self, releases: Releases, hot: HotFiles, verify: Callable[[str, str, str | None], Awaitable[bool]]
    ) -> None:
        self._releases = releases
        self._hot = hot
        self._verify = verify
        self._remembered: dict[tuple[str, str, str, str, bool], ToFile] = {}

    def forget(self) -> None:
        """The sites have changed: what was remembered of their paths counts no more."""
        self._remembered.clear()

    async def answer(self, request: SiteRequest, send: Send) -> ToWorker | ToHost | int:
        """Answers and gives the status, or tells whose answer it is instead. Raises `V8BoxError`."""
        route = request.route
        if route.label:
            await self._admit_preview(request)
        known = (route.key, request.host, request.path, request.prefix, request.secure)
        outcome: Outcome | None = self._remembered.get(known)
        if outcome is None:
            release = self._releases.ready(route.key) or await self._releases.get(route.key)
            outcome = decide(release, request)
            if (
                isinstance(outcome, ToFile)
                and outcome.lasts
                and len(request.host) + len(request.path) <= _MAX_REMEMBERED_CHARACTERS
            ):
                if len(self._remembered) >= _MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[known] = outcome
        match outcome:
            case ToFile():
                return await self._send(outcome, request, send)
            case ToPlace():
                return await _send_place(outcome, request, send)
            case _:
                return outcome

    async def answer_file(self, request: SiteRequest, send: Send, *, follow: bool) -> int:
        """Answers from the files alone, whatever is mounted or leads elsewhere. `follow`: instead of sending to another
        spelling of the path, gives the file there. Raises `V8BoxError`."""
        release = await self._releases.get(request.route.key)
        outcome = decide_file(release, request, follow=follow)
        if isinstance(outcome, ToFile):
            return await self._send(outcome, request, send)
        return await _send_place(outcome, request, send)

    async def worker_at(self, request: SiteRequest) -> ToWorker | None:
        """The worker that is mounted where a WebSocket is opened. Raises `V8BoxError`."""
        if request.route.label:
            await self._admit_preview(request)
        outcome = decide(await self._releases.get(request.route.key), request)
        return outcome if isinstance(outcome, ToWorker) else None

    async def _admit_preview(self, request: SiteRequest) -> None:
        route = request.route
        if route.expires_at is not None and time.time() >= route.expires_at:
            raise NotFound("This preview has expired.")
        if route.password_hash is None:
            return
        given = request.incoming.first("authorization") or ""
        scheme, _, coded = given.partition(" ")
        try:
            password = b64decode(coded, validate=True).decode("utf-8").partition(":")[2]
        except ValueError:
            password = ""
        if scheme.lower() != "basic" or not password:
            raise PasswordNeeded(route.label, route.site)
        if not await self._verify(password, route.password_hash, request.incoming.client):
            raise PasswordNeeded(route.label, route.site)

    async def _send(self, outcome: ToFile, request: SiteRequest, send: Send) -> int:
        if request.method not in ("GET", "HEAD"):
            raise OnlyRead
        accept = accept_encoding = None
        conditions: dict[str, str] = {}
        for name, value in request.incoming.pairs:
            if name == "accept-encoding":
                accept_encoding = value
            elif name == "accept":
                accept = value
            elif name in _CONDITIONS:
                conditions[_CONDITIONS[name]] = value
        own = [*request.extra, (b"x-request-id", request.request_id.encode())]
        plain = not conditions and request.method == "GET"
        if plain and (known := outcome.prepared.get((accept, accept_encoding))) is not None:
            return await send_prepared(send, self._hot, known, own)
        body = choose(outcome.asset, accept, accept_encoding)
        headers = list(outcome.headers.items())
        kept = plain and outcome.lasts and len(accept or "") + len(accept_encoding or "") <= _MAX_REMEMBERED_CHARACTERS
        if kept and (made := prepare(body, outcome.status, headers, outcome.at)) is not None:
            if len(outcome.prepared) >= _MAX_PREPARED:
                outcome.prepared.clear()
            outcome.prepared[accept, accept_encoding] = made
            return await send_prepared(send, self._hot, made, own)
        asked = Conditions(request.method, **conditions)
        status, _ = await send_file(send, self._hot, body, outcome.status, headers + own, outcome.at, asked)
        return status


async def _send_place(outcome: ToPlace, request: SiteRequest, send: Send) -> int:
    if request.method not in ("GET", "HEAD") and not outcome.location:
        raise OnlyRead
    head = [SERVER, *outcome.headers.items(), *request.extra, (b"x-request-id", request.request_id.encode())]
    if outcome.location:
        head.append((b"location", outcome.location.encode("ascii", "ignore")))  # which it is, as rules are read
    head.append((b"content-length", b"0"))
    await send({"type": "http.response.start", "status": outcome.status, "headers": head})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return outcome.status
