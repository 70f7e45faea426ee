"""`/api/v1/projects/{project}/workers/{worker}/memory`: what each process of a worker uses, and whether it leaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box.api.access import Role, needs
from v8box.api.deployed import Worker
from v8box.api.v1 import Page, Paged, answer, router_v1
from v8box.pool.pool import Process

_MIB: Final = 1024 * 1024


class Source(Protocol):
    """Who knows the processes: the pool."""

    def memory(self, project: str, worker: str) -> Sequence[Process]: ...


class ProcessInfo(BaseModel):
    """One process of a worker."""

    environment: str
    version: str
    state: str = Field(examples=["ready"])
    age_seconds: float
    runs: int = Field(description="How many it has had.")
    memory_bytes: int = Field(description="Heap and buffers now, garbage included.")
    peak_bytes: int = Field(description="The most that was seen.")
    limit_bytes: int
    leak_mb_per_1000_requests: float | None = Field(
        description="What it keeps for good, as far as could be seen; `null`: it does not leak, or too little was seen."
    )
    requests_left: int | None = Field(description="Until a leak reaches the limit.")
    finding: str | None = Field(description="The same in words.")

    @classmethod
    def of(cls, process: Process) -> ProcessInfo:
        memory, placement = process.memory, process.placement
        leak, left = memory.leak_bytes_per_run, None
        finding = None
        if leak is not None:
            left = round(max(0, memory.limit_bytes - memory.used_bytes) / leak)
            finding = (
                f"leaks about {leak * 1000 / _MIB:.1f} MiB per 1,000 requests; the limit is reached in about {left} "
                "more. It is replaced before that. `v8box heap` shows what is kept"
            )
        return cls(
            environment=placement.environment,
            version=placement.id,
            state=process.state,
            age_seconds=round(process.age_seconds, 1),
            runs=memory.runs,
            memory_bytes=memory.used_bytes,
            peak_bytes=memory.peak_bytes,
            limit_bytes=memory.limit_bytes,
            leak_mb_per_1000_requests=None if leak is None else round(leak * 1000 / _MIB, 2),
            requests_left=left,
            finding=finding,
        )


def build_router(source: Source) -> APIRouter:
    """The route on a worker's memory."""
    routes = router_v1("/projects/{project}/workers/{worker}/memory", "memory")

    @routes.get("", response_model=Page[ProcessInfo], dependencies=[needs(Role.VIEWER)])
    async def list_memory(project: str, worker: Worker, page: Paged) -> Response:
        """The processes that the worker has at this moment, the oldest first; empty while it sleeps."""
        found = sorted(source.memory(project, worker), key=lambda process: -process.age_seconds)
        last = page.after(int)
        start = 0 if last is None else int(last[0])
        more = (start + page.limit,) if len(found) > start + page.limit else None
        return answer(page.page_up_to([ProcessInfo.of(each) for each in found[start : start + page.limit]], more))

    return routes
