"""Metrics as the API shows them: arrays as long as `times`, and the same as one sum."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from v8box.api.v1 import Time

Counts = list[int]
Figures = list[float | None]

Field_ = Literal[
    "requests",
    "errors",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "mean_ms",
    "cold_starts",
    "queued",
    "cpu_ms",
    "memory_bytes",
    "bytes_in",
    "bytes_out",
    "binding_calls",
    "binding_ms",
    "terminations",
]
"""What the busiest may be ordered by."""


class BindingSeries(BaseModel):
    """The calls of one service."""

    calls: Counts
    errors: Counts
    ms: list[float] = Field(description="What they took together.")
    bytes: Counts


class ChartSeries(BaseModel):
    """A value for each of `times`. `null`: nothing ran, so there is none."""

    requests: Counts
    errors: Counts = Field(description="Runs that answered 5xx, or ended in a way that no caller asked for.")
    error_rate: Figures = Field(description="Errors by requests, 0 to 1.")
    status: dict[str, Counts] = Field(description="Requests by class: `none`, `1xx` to `5xx`.")
    p50_ms: Figures
    p95_ms: Figures
    p99_ms: Figures
    mean_ms: Figures
    cold_starts: Counts = Field(description="Runs that waited for a sandbox to start.")
    cold_ms: Figures = Field(description="How long these waited on average.")
    cold_ratio: Figures
    queued: Counts = Field(description="Runs that waited for a sandbox to have room.")
    queue_ms: Figures = Field(description="How long these waited on average.")
    cpu_ms: list[float] = Field(description="Processor time of all runs.")
    memory_bytes: Figures = Field(description="The most that one sandbox had in use.")
    inflight: Figures = Field(description="The most runs at a time.")
    sandboxes: Figures = Field(description="The most sandboxes at a time.")
    bytes_in: Counts
    bytes_out: Counts
    binding_calls: Counts
    binding_bytes: Counts
    binding_ms: list[float] = Field(description="Time that runs spent in calls of services.")
    log_lines: dict[str, Counts] = Field(description="By level.")
    terminations: Counts = Field(description="Sandboxes that ended for a reason their owner should know.")
    outcomes: dict[str, Counts] = Field(description="Runs that were not `ok`, by outcome.")
    termination_reasons: dict[str, Counts]
    bindings: dict[str, BindingSeries] = Field(description="By service: `db`, `cache`, `s3` …")


class BindingTotals(BaseModel):
    calls: int
    errors: int
    ms: float
    bytes: int


class Totals(BaseModel):
    """A stretch of time in numbers; the same fields as in `series`."""

    requests: int
    errors: int
    error_rate: float | None
    status: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    mean_ms: float | None
    cold_starts: int
    cold_ms: float | None
    cold_ratio: float | None
    queued: int
    queue_ms: float | None
    cpu_ms: float
    memory_bytes: float | None
    inflight: float | None
    sandboxes: float | None
    bytes_in: int
    bytes_out: int
    binding_calls: int
    binding_bytes: int
    binding_ms: float
    log_lines: dict[str, int]
    terminations: int
    outcomes: dict[str, int]
    termination_reasons: dict[str, int]
    bindings: dict[str, BindingTotals]


class LiveSecond(Totals):
    """The event `second`."""

    time: Time


class Marker(BaseModel):
    """Something that was deployed, for a line across the chart."""

    at: Time
    worker: str
    environment: str
    change: str = Field(examples=["deployed", "rolled_back"])
    version: str
    version_number: int | None = Field(description="`null`: the version has been forgotten since.")
    deployment: int
    by: str
    message: str


class Chart(BaseModel):
    """A stretch of time in steps of the same length."""

    project: str | None
    worker: str | None
    environment: str | None
    version: str | None
    from_: Time = Field(alias="from")
    to: Time
    step_seconds: int
    times: list[Time] = Field(description="When each step begins.")
    series: ChartSeries
    box: dict[str, Figures] | None = Field(
        description="Of the whole box: its memory, processors and disk. `null` for a project."
    )
    totals: Totals
    markers: list[Marker]


class TopWorker(Totals):
    """One of the busiest."""

    project: str
    worker: str
    environment: str


class TopWorkers(BaseModel):
    """Those with most, in this order."""

    by: str
    items: list[TopWorker]


class CustomMetric(BaseModel):
    """Something that workers count themselves."""

    name: str = Field(examples=["orders"])
    kind: Literal["counter", "gauge", "histogram"]
    workers: list[str]
    series: int = Field(description="How many time series it has: one for each worker, environment and set of labels.")


class CustomList(BaseModel):
    """By name."""

    items: list[CustomMetric]


class CustomSeries(BaseModel):
    """One time series."""

    worker: str
    environment: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: dict[str, str]
    values: Figures = Field(
        description="Of a counter by how much it grew in each step, of a gauge its last value, of a histogram the mean."
    )
    counts: Figures | None = Field(description="Of a histogram: how many values there were.")
    p50: Figures | None
    p95: Figures | None
    p99: Figures | None


class CustomChart(BaseModel):
    """A stretch of time of one metric."""

    name: str
    from_: Time = Field(alias="from")
    to: Time
    step_seconds: int
    times: list[Time]
    items: list[CustomSeries] = Field(description="Those with most first, 50 at most.")
    left_out: int = Field(description="How many more there are.")
