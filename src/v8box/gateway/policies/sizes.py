"""How long a body may be. One whose length is declared is refused here; another as soon as it is too long."""

from __future__ import annotations

from typing import Final

from v8box.catalog.policies import RequestRules
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import BodyTooLarge

_MIB: Final = 1_048_576
_ANY: Final = 1 << 62


class SizeCheck:
    """The step."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        self._most = most

    def __call__(self, passage: Passage) -> None:
        length = passage.incoming.content_length
        if length is not None and length > self._most:
            raise BodyTooLarge(f"The request body is longer than {self._most} bytes.", fields={"limit": self._most})


def max_body_bytes(requests: RequestRules) -> int:
    return _ANY if requests.max_body_mb is None else requests.max_body_mb * _MIB


def compile_step(requests: RequestRules) -> SizeCheck | None:
    return None if requests.max_body_mb is None else SizeCheck(max_body_bytes(requests))
