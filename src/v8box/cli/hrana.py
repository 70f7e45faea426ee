"""A transaction on a database of the box, over Hrana: `v8box db export` sees one moment, `import` does all or nothing.

The token that it needs is made for it, good for this database and an hour, and ended at the end.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from v8box.cli.client import BoxClient, Place, http_client, segment
from v8box.cli.exits import CommandFailed, Exit

Value = int | float | str | bytes | None

_TOKEN_SECONDS: Final = 3_600
_ANSWER_SECONDS: Final = 150.0


class Transaction:
    """Statements on one stream, between BEGIN and COMMIT. Every method raises `CommandFailed`."""

    def __init__(self, http: httpx.Client, address: str) -> None:
        self._http = http
        self._address = address
        self._baton: str | None = None

    def rows(self, sql: str, args: Sequence[Value] = ()) -> list[list[Value]]:
        """Of one statement."""
        [result] = self._ask([{"type": "execute", "stmt": _statement(sql, args)}])
        return [[_read(cell) for cell in row] for row in result["rows"]]

    def run(self, statements: Sequence[tuple[str, Sequence[Value]]]) -> None:
        """All of them, one after the other, up to the first that fails. Without values a text may hold several."""
        self._ask(
            [
                {"type": "execute", "stmt": _statement(sql, args)} if args else {"type": "sequence", "sql": sql}
                for sql, args in statements
            ]
        )

    def close(self) -> None:
        with suppress(CommandFailed):
            self._ask([{"type": "close"}])

    def _ask(self, requests: list[dict[str, Any]]) -> list[Any]:
        try:
            response = self._http.post(self._address, json={"baton": self._baton, "requests": requests})
            answer = response.json()
        except httpx.TransportError as error:
            raise CommandFailed(f"The connection to the database broke off: {error}", Exit.UNREACHABLE) from error
        except ValueError:
            raise CommandFailed(f"What answers at {self._address} is no database of a V8Box") from None
        if response.status_code != 200:
            raise CommandFailed(str(answer.get("message") or answer.get("detail") or answer.get("error")))
        self._baton = answer["baton"]
        results = []
        for each in answer["results"]:
            if each["type"] != "ok":
                raise CommandFailed(str(each["error"]["message"]))
            results.append(each["response"].get("result"))
        return results


@contextmanager
def transaction(client: BoxClient, place: Place, database: str, *, write: bool) -> Iterator[Transaction]:
    """Committed when the block ends well, rolled back else."""
    name = "default" if database == "global" else database
    body = {
        "label": f"v8box db {'import' if write else 'export'}",
        "databases": [name],
        "access": "write" if write else "read",
        "expires_in_seconds": _TOKEN_SECONDS,
    }
    made = client.post("database/tokens", body)
    address, host = _place(place, name)
    headers = {"authorization": f"Bearer {made['token']}"} | ({} if host is None else {"host": host})
    try:
        with http_client(address, headers=headers, timeout=_ANSWER_SECONDS) as http:
            opened = Transaction(http, address)
            try:
                opened.run([("BEGIN IMMEDIATE" if write else "BEGIN", ())])
                yield opened
                opened.run([("COMMIT", ())])
            finally:
                opened.close()  # what is not committed is rolled back
    finally:
        with suppress(CommandFailed):
            client.delete(f"database/tokens/{segment(made['id'])}")


def _place(place: Place, database: str) -> tuple[str, str | None]:
    """Where the database answers, and the Host to ask for. Below a domain databases have a host of their own."""
    path = f"/{segment(database)}/v3/pipeline"
    parts = urlsplit(place.address)
    if place.host is not None:
        return place.address + path, f"db.{place.host.removeprefix('admin.')}"
    if parts.netloc.startswith("admin.") and parts.hostname != "admin.localhost":
        return urlunsplit((parts.scheme, f"db.{parts.netloc.removeprefix('admin.')}", path, "", "")), None
    return f"{place.address}/db{path}", None


def _statement(sql: str, args: Sequence[Value]) -> dict[str, Any]:
    return {"sql": sql, "args": [_written(value) for value in args], "want_rows": True}


def _written(value: Value) -> Mapping[str, Any]:
    match value:
        case None:
            return {"type": "null"}
        case bool() | int():
            return {"type": "integer", "value": str(int(value))}
        case float():
            return {"type": "float", "value": value}
        case bytes():
            return {"type": "blob", "base64": base64.b64encode(value).decode()}
        case _:
            return {"type": "text", "value": value}


def _read(cell: Any) -> Value:
    match cell["type"]:
        case "null":
            return None
        case "integer":
            return int(cell["value"])
        case "float":
            return float(cell["value"])
        case "blob":
            text = cell["base64"]
            return base64.b64decode(text + "=" * (-len(text) % 4))
        case _:
            return str(cell["value"])
