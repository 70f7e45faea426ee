"""Where a run comes from: the request it serves, its place in a trace, and the runs that called it.

Made by whoever starts a run; it goes with the run, so that what the run calls can be told whose doing it is. One is
made for every request, so it keeps little: the header says the trace, the span and whether it is sampled.
"""

from __future__ import annotations

import msgspec

from v8box.kit.trace_context import TraceIds, format_parent


class Family(msgspec.Struct):
    """What all runs of one request have in common."""

    runs: int = 1


class Origin(msgspec.Struct):
    """Of one run."""

    request_id: str
    client: str
    """The address of the client that all of it is for."""
    header: str
    """The `traceparent` for what this run calls: this run's span in its trace."""
    parent: str = ""
    """The caller's span, 16 hex digits, if there is one."""
    state: str = ""
    """The `tracestate` that goes with it."""
    above: tuple[str, ...] = ()
    """The ids of the runs that called this one, the first of them first."""
    shared: Family | None = None

    @property
    def trace(self) -> str:
        """32 hex digits."""
        return self.header[3:35]

    @property
    def span(self) -> str:
        """16 hex digits."""
        return self.header[36:52]

    @property
    def sampled(self) -> bool:
        return self.header[-1] == "1"

    @property
    def family(self) -> Family:
        if self.shared is None:
            self.shared = Family()
        return self.shared

    def child(self, ids: TraceIds, caller: str, span: str) -> Origin:
        """The origin of a run that the run `caller` starts by a call whose span is `span`."""
        header = format_parent(self.trace, ids.span(), self.sampled)
        return Origin(self.request_id, self.client, header, span, self.state, (*self.above, caller), self.family)
