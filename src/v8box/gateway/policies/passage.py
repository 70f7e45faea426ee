"""One request on its way through the policies of its worker: what they look at, and what they leave on the answer.

`FREE` is the passage of a request to a worker that has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from v8box.errors import V8BoxError
from v8box.gateway.errors import ErrorAnswer
from v8box.gateway.policies.refusals import CORS_NAMES, HeaderList

if TYPE_CHECKING:
    from v8box.catalog.model import Placement
    from v8box.gateway.headers import Incoming
    from v8box.gateway.policies.keyring import ApiKey
    from v8box.gateway.policies.order import Policies
    from v8box.sandbox.interface import Invocation

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_LIMITS: Final = frozenset({b"ratelimit", b"ratelimit-policy"})
_SAID_HERE: Final = _LIMITS | CORS_NAMES


class FreePassage:
    """Nothing is asked, nothing is left on the answer."""

    __slots__ = ()

    def max_body_bytes(self, most: int) -> int:
        """How long the body may be that the worker is given."""
        return most

    def admit(self) -> None:
        """Asks every policy, in their order; of a request with a body not yet whether it fits. Raises `Refused`, and
        `V8BoxError` for a project that is over its quota."""

    async def admit_body(self, receive: Receive) -> Receive:
        """Looks at the body, if that has to fit. Gives what reads it, now that it may have been read. Raises
        `Refused`."""
        return receive

    def finish(self, headers: HeaderList) -> HeaderList:
        """The headers of the worker's own answer."""
        return headers

    def refused(self, error: V8BoxError) -> None:
        """Counts a refusal."""

    def dress(self, answer: ErrorAnswer, sandboxed: HeaderList) -> None:
        """Puts on an answer of the box's own what the policies say. `sandboxed` goes with a page of the user's, where
        it shares a host with the admin."""


FREE: Final = FreePassage()


class Passage(FreePassage):
    """A request to a worker with policies."""

    __slots__ = ("client", "headers", "incoming", "invocation", "key", "left", "path", "policies", "upgrade")

    def __init__(
        self, policies: Policies, invocation: Invocation, incoming: Incoming, client: str, path: str, upgrade: bool
    ) -> None:
        self.policies = policies
        self.invocation = invocation
        self.incoming = incoming
        self.headers = dict(incoming.pairs)
        """By name in lower case; of several the last. What is compared is what is used."""
        self.client = client
        self.path = path
        self.upgrade = upgrade
        # what policies find out
        self.key: ApiKey | None = None
        self.left: HeaderList | None = None
        """What goes on the answer: how much of a limit is left."""

    @property
    def placement(self) -> Placement:
        return self.policies.placement

    def max_body_bytes(self, most: int) -> int:
        return min(most, self.policies.size.most)

    def admit(self) -> None:
        policies = self.policies
        for step in policies.steps:
            step(self)
        if not self.incoming.has_body:
            policies.validation.check(self, b"")

    async def admit_body(self, receive: Receive) -> Receive:
        self.policies.size.check(self.incoming.content_length)
        return await self.policies.validation.read(self, receive)

    def finish(self, headers: HeaderList) -> HeaderList:
        left, cors = self.left, self.policies.cors
        for name, _ in headers:
            if name in _SAID_HERE:
                if left is not None:
                    headers = [pair for pair in headers if pair[0] not in _LIMITS] + left
                return cors.replace(headers, self.headers)
        if left is not None:
            headers += left
        headers += cors.of(self.headers.get("origin"))
        return headers

    def refused(self, error: V8BoxError) -> None:
        if error.status >= 400:  # an answered preflight is none
            self.policies.counts.refused(self.placement, error.code)

    def dress(self, answer: ErrorAnswer, sandboxed: HeaderList) -> None:
        answer.headers = self.policies.cors.add(answer.headers, self.headers) + (self.left or [])
        self.policies.pages.put_on(answer, self.headers, sandboxed)
