"""docs/cli-reference.md is generated; docs/cli.md names no command that is not there; docs/data-api.md has every route,
and its examples run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from fastapi.routing import APIRoute
from tests.cli.conftest import Served

from v8box.cli.lazy import Words
from v8box.cli.main import WORDS, app
from v8box.cli.reference import reference
from v8box.features.database.imports import routes as imports
from v8box.features.database.routes import build_router as database_router
from v8box.features.objects import clearing, links, uploads
from v8box.features.objects.routes import build_router as objects_router

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text()
API = (ROOT / "docs" / "data-api.md").read_text()


def commands(group: Any, words: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command


ALL = dict(commands(typer.main.get_command(app), "v8box"))


def test_the_reference_is_that_of_the_commands() -> None:
    assert (ROOT / "docs" / "cli-reference.md").read_text() == reference(), "make gen"


def test_the_guide_names_every_word_and_no_command_that_does_not_exist() -> None:
    code = "\n".join(code_of(GUIDE))
    said = set(re.findall(r"\bv8box ([a-z0-9]+)", code))
    assert said == set(Words(WORDS))
    for group, word in re.findall(r"\bv8box ([a-z0-9]+) ([a-z-]+)", code):
        known = {words.split()[2] for words in ALL if words.startswith(f"v8box {group} ")}
        assert not known or word in known, f"v8box {group} {word}"


def code_of(document: str) -> list[str]:
    blocks = re.findall(r"^```sh[^\n]*\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("words", ALL)
def test_a_command_and_its_options_say_what_they_are(words: str) -> None:
    assert ALL[words].help
    assert [each.name for each in ALL[words].params if each.param_type_name == "option" and not each.help] == []


def routes() -> Iterator[tuple[str, str]]:
    store: Any = None
    for router in (
        database_router(store),
        imports.build_router(store, store, store, store),
        objects_router(store),
        links.build_router(store, store),
        uploads.build_router(store),
        clearing.build_router(store, store),
    ):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                yield method, re.sub(r":\w+\}", "}", route.path)


def test_every_route_has_a_heading_and_every_heading_a_route() -> None:
    named = re.findall(r"^### `([A-Z]+) (\S+)`$", API, re.MULTILINE)
    assert sorted(named) == sorted(routes())


def test_the_examples_run(served: Served) -> None:
    """Each `curl` of the page, in order, as it stands."""
    (served.directory / "people.csv").write_text("id,name\n1,Ada\n")
    (served.directory / "README.md").write_text("hello\n" * 100)
    blocks = re.findall(r"^```sh\n(.*?)^```", API, re.MULTILINE | re.DOTALL)
    ran = set()
    with httpx.Client(trust_env=False, timeout=60, headers=served.headers) as client:
        for line in _calls(blocks):
            method, url, options = _request(line, f"http://127.0.0.1:{served.port}", served.directory)
            response = client.request(method, url, **options)
            assert response.is_success, (line, response.text)
            ran.add(method)
    assert ran == {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}


def _calls(blocks: list[str]) -> Iterator[list[str]]:
    for block in blocks:
        for call in re.split(r"^(?=curl )", block.replace("\\\n", " "), flags=re.MULTILINE):
            if call.strip():
                yield shlex.split(call)


def _request(words: list[str], box: str, directory: Path) -> tuple[str, str, dict[str, Any]]:
    """What curl would ask."""
    assert words.pop(0) == "curl"
    method, url = "", ""
    headers: dict[str, str] = {}
    options: dict[str, Any] = {"headers": headers}
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-I":
                method = "HEAD"
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-o":
                words.pop(0)
            case "-T":
                method, options["content"] = method or "PUT", (directory / words.pop(0)).read_bytes()
            case "--json":
                method, options["content"] = method or "POST", words.pop(0)
                headers["content-type"] = "application/json"
            case address:
                url = address.replace("$BOX", box)
    return method or "GET", url, options
