"""Answers taken apart: the data of a success, the error of a failure."""

from __future__ import annotations

from typing import Any

import httpx


def data(response: httpx.Response, status: int = 200) -> Any:
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"success", "data", "timestamp"}
    assert body["success"] is True
    return body["data"]


def error(response: httpx.Response, status: int, code: str) -> str:
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (status, False, code), body
    message = body["error"]
    assert isinstance(message, str)
    assert message
    return message
