"""Hrana 3 over HTTP: the pipeline's requests and answers as structs. `hrana_client.py` sends them.

The format is https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md. What of an answer only passes
through stays encoded.
"""

from __future__ import annotations

import msgspec


class Null(msgspec.Struct, tag_field="type", tag="null", frozen=True):
    """NULL."""


class Integer(msgspec.Struct, tag_field="type", tag="integer", frozen=True):
    """An integer of 64 bits, in decimal."""

    value: str


class Float(msgspec.Struct, tag_field="type", tag="float", frozen=True):
    """A double. None is what the server makes of an infinity, for which JSON has no word."""

    value: float | None


class Text(msgspec.Struct, tag_field="type", tag="text", frozen=True):
    """A string."""

    value: str


class Blob(msgspec.Struct, tag_field="type", tag="blob", frozen=True):
    """Bytes in base64, with or without its padding."""

    base64: str


Value = Null | Integer | Float | Text | Blob


class NamedArg(msgspec.Struct, frozen=True):
    """A value and the parameter it is for."""

    name: str
    value: Value


class Stmt(msgspec.Struct, omit_defaults=True, frozen=True):
    """One statement."""

    sql: str
    args: list[Value] = []
    named_args: list[NamedArg] = []


class StepIs(msgspec.Struct, tag_field="type", tag="ok", frozen=True):
    """Whether a step of the batch ran and succeeded."""

    step: int


class StepIsNot(msgspec.Struct, tag_field="type", tag="not", frozen=True):
    """The opposite of a condition."""

    cond: StepIs


class Step(msgspec.Struct, omit_defaults=True, frozen=True):
    """A statement of a batch, and on what it depends."""

    stmt: Stmt
    condition: StepIs | StepIsNot | None = None


class Steps(msgspec.Struct, frozen=True):
    """The steps of a batch."""

    steps: list[Step]


class Execute(msgspec.Struct, tag_field="type", tag="execute", frozen=True):
    """Run one statement; answered by an `ExecuteAnswer`."""

    stmt: Stmt


class Batch(msgspec.Struct, tag_field="type", tag="batch", frozen=True):
    """Run statements under conditions; answered by a `BatchAnswer`."""

    batch: Steps


class Sequence(msgspec.Struct, tag_field="type", tag="sequence", frozen=True):
    """Run a script and throw its results away."""

    sql: str


class Describe(msgspec.Struct, tag_field="type", tag="describe", frozen=True):
    """Compile a statement; answered by a `DescribeAnswer`."""

    sql: str


class GetAutocommit(msgspec.Struct, tag_field="type", tag="get_autocommit", frozen=True):
    """Ask whether the stream has no transaction; answered by an `AutocommitAnswer`."""


class Close(msgspec.Struct, tag_field="type", tag="close", frozen=True):
    """Close the stream; what is open in it is rolled back."""


Ask = Execute | Batch | Sequence | Describe | GetAutocommit | Close


class Pipeline(msgspec.Struct, frozen=True):
    """Requests on one stream: a new one, or the one that the last answer's baton names."""

    baton: str | None
    requests: list[Ask]


class HranaError(msgspec.Struct, frozen=True):
    """What the server says of a request that failed."""

    message: str
    code: str | None = None


class Done(msgspec.Struct, tag_field="type", tag="ok", frozen=True):
    """A request that succeeded."""

    response: msgspec.Raw


class Failed(msgspec.Struct, tag_field="type", tag="error", frozen=True):
    """A request that failed."""

    error: HranaError


class PipelineAnswer(msgspec.Struct, frozen=True):
    """One entry per request; `baton` is None when the stream is closed."""

    baton: str | None
    results: list[Done | Failed]


class Column(msgspec.Struct, frozen=True):
    """A column of a result."""

    name: str | None
    decltype: str | None = None


class StmtResult(msgspec.Struct, frozen=True):
    """What one statement gave; the rows are still encoded."""

    cols: list[Column]
    rows: list[msgspec.Raw]
    affected_row_count: int
    last_insert_rowid: str | None = None
    replication_index: str | None = None


class ExecuteAnswer(msgspec.Struct, frozen=True):
    """The result of `Execute`, encoded: see `StmtResult`."""

    result: msgspec.Raw


class BatchResult(msgspec.Struct, frozen=True):
    """Per step its result or null, and its error or None; both are null for a step whose condition did not hold."""

    step_results: list[msgspec.Raw]
    step_errors: list[HranaError | None]
    replication_index: str | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """The result of `Batch`."""

    result: BatchResult


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a statement."""

    name: str | None = None


class DescribeResult(msgspec.Struct, frozen=True):
    """What a statement takes and gives."""

    params: list[Parameter]
    cols: list[Column]
    is_explain: bool
    is_readonly: bool


class DescribeAnswer(msgspec.Struct, frozen=True):
    """The result of `Describe`, encoded: see `DescribeResult`."""

    result: msgspec.Raw


class AutocommitAnswer(msgspec.Struct, frozen=True):
    """The answer to `GetAutocommit`."""

    is_autocommit: bool
