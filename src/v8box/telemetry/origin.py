"""Where a run comes from: the request it serves, its place in a trace, and the runs that called it.

Made by whoever starts a run; it goes with the run, so that what the run calls can be told whose doing it is.
"""

from __future__ import annotations

from v8box.kit.trace_context import TraceIds, format_parent


class Family:
    """What all runs of one request have in common."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs = 1


class Origin:
    """`trace` is 32 hex digits, `span` is this run's and `parent` the caller's (16 each, or empty)."""

    __slots__ = ("_family", "above", "client", "parent", "request_id", "sampled", "span", "state", "trace")

    def __init__(
        self, request_id: str, client: str, trace: str, span: str, parent: str, sampled: bool, state: str = ""
    ) -> None:
        self.request_id = request_id
        self.client = client
        """The address of the client that all of it is for."""
        self.trace = trace
        self.span = span
        self.parent = parent
        self.sampled = sampled
        self.state = state
        self.above: tuple[str, ...] = ()
        """The ids of the runs that called this one, the first of them first."""
        self._family: Family | None = None

    @property
    def family(self) -> Family:
        if self._family is None:
            self._family = Family()
        return self._family

    @property
    def header(self) -> str:
        """The `traceparent` for what this run calls."""
        return format_parent(self.trace, self.span, self.sampled)

    def child(self, ids: TraceIds, caller: str, span: str) -> Origin:
        """The origin of a run that the run `caller` starts by a call whose span is `span`."""
        made = Origin(self.request_id, self.client, self.trace, ids.span(), span, self.sampled, self.state)
        made.above = (*self.above, caller)
        made._family = self.family
        return made
