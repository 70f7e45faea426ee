"""How long a body may be. One whose length is declared is refused here; another as soon as it is too long."""

from __future__ import annotations

from typing import Final

from v8box.catalog.policies import RequestRules
from v8box.gateway.policies.refusals import BodyTooLarge

_MIB: Final = 1_048_576
_ANY: Final = 1 << 62


class SizeCheck:
    """The bound of one worker."""

    __slots__ = ("most",)

    def __init__(self, requests: RequestRules) -> None:
        self.most = _ANY if requests.max_body_mb is None else requests.max_body_mb * _MIB

    def check(self, length: int | None) -> None:
        """Raises `BodyTooLarge`."""
        if length is not None and length > self.most:
            raise BodyTooLarge(f"The request body is longer than {self.most} bytes.", fields={"limit": self.most})
