"""Every failure has an answer, and no answer tells what is the box's or the worker's own business."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

import v8box
from v8box.errors import BadRequest, NoCapacity, NotFound, PayloadTooLarge, StopReason, V8BoxError
from v8box.gateway import errors
from v8box.sandbox.interface import Death, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.spawner import SpawnError

INNER = "/srv/secret/path.py line 12"


def fields(answer: errors.ErrorAnswer) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(answer.body)
    return decoded


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_has_an_answer(reason: StopReason, envelope: bool) -> None:
    death = Death(reason=reason, detail="it broke", limit=5, used=6, last_output=INNER)
    answer = errors.answer(RunKilled(death), "id-1", envelope=envelope)
    assert answer.status in (499, 502, 503, 504)
    assert (b"x-v8box-termination", reason.encode()) in answer.headers
    assert (b"x-request-id", b"id-1") in answer.headers
    assert ((b"retry-after", b"1") in answer.headers) is (answer.status == 503)
    got = fields(answer)
    assert (got["reason"], got["request_id"], got["limit"], got["used"]) == (reason, "id-1", 5, 6)
    assert INNER not in answer.body.decode()


@pytest.mark.parametrize(
    ("reason", "status"),
    [("wall", 504), ("cpu", 503), ("memory", 503), ("crash", 502), ("exit", 502), ("protocol", 502), ("evicted", 503)],
)
def test_the_statuses_of_the_public_contract(reason: str, status: int) -> None:
    death = Death(reason=StopReason(reason), detail="x")
    assert errors.answer(RunKilled(death), "r", envelope=False).status == status


def test_problem_details() -> None:
    answer = errors.answer(NotFound("Nothing here."), "id-1", envelope=False)
    assert (b"content-type", b"application/problem+json") in answer.headers
    assert fields(answer) == {
        "type": "urn:v8box:error:not_found",
        "code": "not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "Nothing here.",
        "request_id": "id-1",
    }


def test_the_envelope() -> None:
    answer = errors.answer(RunFailed("E", "no such thing", "stack", 404, caller=False), "id-1", envelope=True)
    got = fields(answer)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(got.pop("timestamp")))
    assert got == {"success": False, "error": "no such thing"}
    assert answer.status == 404


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(INNER),
        V8BoxError(INNER),
        SpawnError("exec", 13, INNER),
        StartupFailed(INNER, INNER, Death(reason=StopReason.STARTUP, detail=INNER)),
        StartupFailed(INNER),
        RunFailed("Error", "ok", INNER, None, caller=False),
    ],
)
def test_no_answer_tells_inner_details(error: Exception, envelope: bool) -> None:
    answer = errors.answer(error, "r", envelope=envelope)
    assert answer.status in (500, 502)
    assert INNER not in answer.body.decode()


def test_a_thrown_message_is_the_envelopes_to_tell_only() -> None:
    error = RunFailed("Error", INNER, None, None, caller=False)
    assert INNER not in errors.answer(error, "r", envelope=False).body.decode()
    assert INNER in errors.answer(error, "r", envelope=True).body.decode()


@pytest.mark.parametrize("error", [BadRequest(), PayloadTooLarge("too long"), NoCapacity()])
def test_refusals_say_why(error: V8BoxError) -> None:
    answer = errors.answer(error, "r", envelope=False)
    assert (answer.status, fields(answer)["detail"]) == (error.status, error.detail)


UNNAMED = [status for status in range(400, 600) if status not in set(HTTPStatus) and status != 499]


@pytest.mark.parametrize("caller", [False, True])
def test_any_status_a_worker_throws_is_answered(caller: bool) -> None:
    for status in UNNAMED:
        assert errors.answer(RunFailed("E", "m", None, status, caller=caller), "r", envelope=False).status == status


def test_the_statuses_with_names_are_answered() -> None:
    for status in set(HTTPStatus) - set(range(400)):
        assert errors.answer(RunFailed("E", "m", None, status, caller=False), "r", envelope=False).status == status


def test_no_module_but_errors_makes_error_bodies() -> None:
    folder = Path(v8box.__file__).parent / "gateway"
    makers = [file.name for file in folder.glob("*.py") if "problem+json" in file.read_text()]
    assert makers == ["errors.py"]
