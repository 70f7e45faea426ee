"""`v8box run` and `v8box open`: a worker as its callers reach it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit, urlunsplit

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import DEFAULT_PROJECT, fail, printable
from v8box.cli.exits import CommandFailed, Exit, exit_of

if TYPE_CHECKING:
    import httpx

    from v8box.cli.client import Place

app = typer.Typer()

PRODUCTION: Final = "production"
_SECONDS: Final = 900.0  # the longest that a worker may be allowed
_MAX_SHOWN: Final = 64 * 1024 * 1024

Worker = Annotated[str, typer.Argument(metavar="WORKER[/PATH]", help="With a path and query of its own: hello/a?x=1.")]
Environment = Annotated[
    str, typer.Option("--env", "-e", help="In which environment: production, staging, or a preview's name.")
]


@app.command("run")
@on_box
def run(
    command: Command,
    worker: Worker,
    method: Annotated[str | None, typer.Option("--method", "-X", help="GET, or POST where there is data.")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="The body; @FILE for a file, @- for stdin.")] = None,
    headers: Annotated[list[str] | None, typer.Option("--header", "-H", help="Name: value; may be said again.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", "-k", envvar="V8BOX_API_KEY", help="An API key, for a worker that asks for one."),
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="Of two live versions this one: v3.")] = None,
    environment: Environment = PRODUCTION,
) -> None:
    """Call a worker: shows its answer, and on stderr the status, the time it took and the id of the run."""
    from v8box.cli.client import http_client

    url, host = worker_url(command.place, command.project, worker, environment)
    sent = _headers(headers or [])
    if host is not None:
        sent["host"] = host
    if key is not None:
        sent["x-api-key"] = key
    if version is not None:
        sent["v8box-version"] = f"{worker.partition('/')[0].partition('?')[0]}={version}"
    body = _body(data)
    if body is not None and not any(name.lower() == "content-type" for name in sent):
        sent["content-type"] = "application/json" if _is_json(body) else "text/plain; charset=utf-8"
    chosen = (method or ("GET" if body is None else "POST")).upper()
    began = time.perf_counter()
    with _told(command.place.address), http_client(url, timeout=_SECONDS) as client:
        response = client.request(chosen, url, headers=sent, content=body)
    _show(command, response, (time.perf_counter() - began) * 1_000)
    if response.status_code >= 400:
        raise typer.Exit(int(exit_of(response.status_code)))


@app.command("open")
@on_box
def open_in_browser(
    command: Command,
    worker: Annotated[str | None, typer.Argument(help="The worker; left out: the admin.")] = None,
    environment: Environment = PRODUCTION,
) -> None:
    """Open a worker, or the box's admin, in the browser, and print the address."""
    if worker is None:
        url = f"{command.place.address}/admin"
    else:
        url = worker_url(command.place, command.project, worker, environment, public=True)[0]
    if command.as_json:
        command.show({"url": url})
    else:
        typer.echo(url)
    if sys.stdout.isatty():
        typer.launch(url)


def worker_url(
    place: Place, project: str, worker: str, environment: str, *, public: bool = False
) -> tuple[str, str | None]:
    """Where a worker answers, and the Host to ask for where the address has another. Workers have hosts of their own
    below a domain; `public`: with that host in the address."""
    parts = urlsplit(place.address)
    admin = place.host or parts.netloc
    name, slash, rest = worker.partition("/")
    if "?" in name:
        name, slash, rest = name.partition("?")
    named = name if project == DEFAULT_PROJECT else f"{project}:{name}"
    path = f"/run/{named}" + (f"@{environment}" if environment != PRODUCTION else "") + slash + rest
    host = f"api.{admin.removeprefix('admin.')}" if admin.startswith("admin.") else None
    if host is not None and (public or place.host is None):
        return urlunsplit((parts.scheme, host, "", "", "")) + path, None
    return place.address + path, host


def _show(command: Command, response: httpx.Response, milliseconds: float) -> None:
    run_id = response.headers.get("x-request-id", "")
    if command.as_json:
        command.show(
            {
                "status": response.status_code,
                "milliseconds": round(milliseconds, 1),
                "run_id": run_id,
                "headers": dict(response.headers),
                "body": _value(response),
            }
        )
        return
    content = response.content[:_MAX_SHOWN]
    if sys.stdout.isatty():
        value = _value(response)
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        for line in text.splitlines():
            typer.echo(printable(line.replace("\t", "    ")))
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    if not content.endswith(b"\n") and content and not sys.stdout.isatty() and sys.stderr.isatty():
        typer.echo()
    command.say(f"{response.status_code} {response.reason_phrase}   {milliseconds:.0f} ms   run {run_id}")


def _value(response: httpx.Response) -> Any:
    if "json" in response.headers.get("content-type", ""):
        try:
            return response.json()
        except ValueError:
            pass
    return response.text


def _headers(given: list[str]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            fail(f"{line} is no header: it looks like Name: value", Exit.USAGE)
        headers[name.strip()] = value.strip()
    return headers


def _body(data: str | None) -> bytes | None:
    if data is None:
        return None
    if not data.startswith("@"):
        return data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        fail(f"{data[1:]} cannot be read: {error.strerror or error}")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Tells what went wrong on the way as a command's error."""
    import httpx

    try:
        yield
    except (httpx.LocalProtocolError, httpx.InvalidURL, ValueError) as error:
        raise CommandFailed(f"That cannot be sent: {error}", Exit.USAGE) from error
    except httpx.TransportError as error:
        raise CommandFailed(f"The box at {address} does not answer: {error}. Is it up?", Exit.UNREACHABLE) from error
