"""The origin of a run that answers a request: its trace is the caller's, or begins here."""

from __future__ import annotations

from v8box.gateway.headers import Incoming
from v8box.kit.trace_context import TraceIds, format_parent, parse_parent, parse_state
from v8box.telemetry.origin import Origin


class Origins:
    """Reads what a caller says of its trace. What is not valid is as if it were not there."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.ids = TraceIds(ratio)

    def of(self, incoming: Incoming, request_id: str, client: str) -> Origin:
        if incoming.trace_parent is not None and (parent := parse_parent(incoming.trace_parent)) is not None:
            state = parse_state(incoming.trace_state) if incoming.trace_state else ""
            header = format_parent(parent.trace, self.ids.span(), parent.sampled)
            return Origin(request_id, client, header, parent.span, state)
        return Origin(request_id, client, self.ids.begin())
