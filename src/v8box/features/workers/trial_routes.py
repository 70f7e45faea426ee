"""…/workers/{worker}/test: one run of a worker for whoever is working on it, and all that came of it in one answer."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from v8box.api.access import Role, Scope, needs
from v8box.api.deployed import Project, Worker
from v8box.api.v1 import answer, router_v1
from v8box.catalog.model import PRODUCTION
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.workers.workers import Workers
from v8box.gateway.trials import Trial, TrialAnswer, Trials

MAX_BODY_CHARS: Final = 8 * 1024 * 1024
_METHOD: Final = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,16384}")
_PATH: Final = re.compile(r"/[\x21-\x7e]{0,8191}")


class TestRequest(BaseModel):
    """The request that the worker is to get."""

    model_config = ConfigDict(extra="forbid")
    __test__ = False

    method: str = Field(default="GET", description="GET, POST, …")
    path: str = Field(default="/", description="With its query; escaped as in a URL.")
    headers: list[tuple[str, str]] = Field(default=[], max_length=200)
    body: str = Field(default="", max_length=MAX_BODY_CHARS)
    encoding: Literal["text", "base64"] = Field(default="text", description="What `body` is.")
    environment: str = Field(default=PRODUCTION, max_length=32)

    @field_validator("method")
    @classmethod
    def _method(cls, value: str) -> str:
        if not _METHOD.fullmatch(value) or value in ("CONNECT", "TRACE"):
            raise ValueError("is no method that a worker gets")
        return value

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        if not _PATH.fullmatch(value) or "#" in value:
            raise ValueError("begins with a slash, and is escaped as in a URL")
        return value

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: list[tuple[str, str]]) -> list[tuple[str, str]]:
        for name, text in value:
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is no name of a header")
            if not _VALUE.fullmatch(text):
                raise ValueError(f"the value of {name[:40]} has characters that no header has")
        return value


class TestResult(BaseModel):
    """What the worker answered. `run_id` finds its lines and spans among the runs."""

    __test__ = False

    status: int = Field(description="0: the connection was cut before there was one.")
    headers: list[tuple[str, str]]
    body: str
    encoding: Literal["text", "base64"] = Field(description="`text` where the answer is UTF-8.")
    bytes: int = Field(description="Of the body, as far as it was read.")
    truncated: bool = Field(description="There is more than the first 2 MiB, or it went on for over a minute.")
    broken: bool = Field(description="The worker failed in the middle of its answer.")
    duration_ms: float
    run_id: str


Over = Callable[[str], V8BoxError | None]
"""Why a project may run nothing more today; None: it may."""


def build_router(workers: Workers, trials: Trials, over: Over) -> APIRouter:
    """The route."""
    routes = router_v1("/projects/{project}/workers/{worker}/test", "workers")

    @routes.post("", response_model=TestResult, dependencies=[needs(Role.DEVELOPER, Scope.DEPLOY)])
    async def test_worker(project: Project, worker: Worker, body: TestRequest) -> Response:
        """Runs the worker with this request, as it is live now, and answers all that came of it. Policies, API keys and
        the response cache are passed by, the project's quotas are not; the run is in the log with `test` as its
        trigger."""
        workers.check_project(project)
        if workers.catalog.routes.live(worker, project, body.environment) is None:
            raise NotFound(f"{worker} is not live in {body.environment}. Deploy it there first.")
        if (used_up := over(project)) is not None:
            raise used_up
        trial = Trial(
            project=project,
            worker=worker,
            environment=body.environment,
            method=body.method,
            path=body.path,
            headers=body.headers,
            body=_body(body),
        )
        return answer(_shown(await trials.run(trial)))

    return routes


def _body(asked: TestRequest) -> bytes:
    if asked.encoding == "text":
        return asked.body.encode()
    try:
        return base64.b64decode(asked.body, validate=True)
    except ValueError as error:  # also of what is no ASCII
        raise BadRequest("The body is not base64.") from error


def _shown(told: TrialAnswer) -> TestResult:
    encoding: Literal["text", "base64"] = "text"
    try:
        # A character that the end of what was read cuts in two is not what makes it binary.
        text = bytes(told.body).decode("utf-8") if not told.truncated else _whole_characters(bytes(told.body))
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(told.body).decode(), "base64"
    return TestResult(
        status=told.status,
        headers=told.headers,
        body=text,
        encoding=encoding,
        bytes=len(told.body),
        truncated=told.truncated,
        broken=told.broken,
        duration_ms=round(told.duration_ms, 3),
        run_id=told.run,
    )


def _whole_characters(data: bytes) -> str:
    for end in range(len(data), max(len(data) - 4, 0), -1):
        try:
            return data[:end].decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                raise
    return data.decode("utf-8")
