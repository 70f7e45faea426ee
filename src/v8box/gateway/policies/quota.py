"""Whether the worker's project has used up what it may use. How much that is, is for `Usage` to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from v8box.catalog.model import Placement
from v8box.gateway.policies.passage import Passage

if TYPE_CHECKING:
    from v8box.gateway.policies.order import Usage


class QuotaCheck:
    """The step."""

    __slots__ = ("_project", "_usage")

    def __init__(self, project: str, usage: Usage) -> None:
        self._project = project
        self._usage = usage

    def ask(self, passage: Passage) -> None:
        if (error := self._usage.over(self._project)) is not None:
            raise error


def compile_step(placement: Placement, usage: Usage) -> QuotaCheck:
    return QuotaCheck(placement.project, usage)
