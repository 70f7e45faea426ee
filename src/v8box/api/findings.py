"""How the API shows what is remarkable about a run."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from v8box.telemetry.records import Finding


class FindingInfo(BaseModel):
    """What is remarkable about a run, in words and figures."""

    kind: str = Field(description="`slow`: it took longer than `slow_ms`. `n_plus_one`: the same call again and again.")
    text: str
    binding: str
    operation: str
    what: str = Field(description="Upon what: the statement with `?` for its values, a bucket, the beginning of a key.")
    count: int
    duration_ms: float
    part: str = Field(description="Of what was slow: where most of the time went, as in `split`; empty: nobody knows.")
    part_ms: float
    limit_ms: float = Field(description="Of what was slow: `slow_ms`.")


def finding_fields(found: Finding) -> dict[str, Any]:
    """The fields of a `FindingInfo`."""
    return {
        "kind": found.kind,
        "text": found.text,
        "binding": found.binding,
        "operation": found.operation,
        "what": found.what,
        "count": found.count,
        "duration_ms": found.duration,
        "part": found.part,
        "part_ms": found.part_duration,
        "limit_ms": found.limit,
    }
