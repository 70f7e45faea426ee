"""Every route of the box's admin API with every role, scope and project: it lets in whom it declares, no other."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from tests.fakes.principals import any_project, signed_in, somebody

from v8box.api.access import Needs, access_of
from v8box.api.app import build_api
from v8box.api.principals import EVERY_PROJECT, Principal, Role, Scope, nobody
from v8box.api.sockets import socket_access
from v8box.app import admin_routers

REACHED = 299
Clients = list[tuple[str, Principal, httpx.AsyncClient]]
PUBLIC = {
    ("POST", "/admin/login"),
    ("POST", "/admin/logout"),
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/manifest.schema.json"),
}
OWN = re.compile(r"/api/v1/(session|sessions|tokens|operations)(/.*)?|/api/deploy")
"""What is one's own to change, whatever one's role; the routes themselves ask whose it is. A deploy names its project
in its form, so its route asks for the role."""


class Anything:
    """Stands for every store: no route gets as far as asking one."""

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return Anything()


def _probe(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    async def reached(**_: Any) -> Response:
        return Response(None, REACHED)

    return reached


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The box's own routes; each says only that it was reached."""
    parts: Any = Anything()
    routers = admin_routers(parts)
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                route.endpoint = _probe(route.endpoint)
    return build_api(routers, project_exists=any_project)


@pytest.fixture(scope="module")
def routers() -> list[APIRouter]:
    """Not made in the module, which every tester imports: it takes seconds."""
    parts: Any = Anything()
    return list(admin_routers(parts))


@pytest.fixture(scope="module")
def routes(routers: list[APIRouter]) -> list[tuple[str, str, Needs]]:
    """Every method of every route, and what it declares."""
    found = []
    for route in (route for router in routers for route in router.routes):
        if socket_access(route) is not None:
            continue
        assert isinstance(route, APIRoute)
        declared = access_of(route)
        assert declared is not None
        found += [(method, route.path, declared) for method in sorted(route.methods or ())]
    assert len(found) > 200
    return found


@pytest.fixture(scope="module")
def sockets(routers: list[APIRouter]) -> list[tuple[str, Needs]]:
    found = [(route, socket_access(route)) for router in routers for route in router.routes]
    kept = [(getattr(route, "path", ""), declared) for route, declared in found if declared is not None]
    assert kept
    return kept


def people() -> Iterator[tuple[str, Principal]]:
    yield "nobody", nobody("192.0.2.1")
    yield "no role", somebody(None)
    for role in Role:
        yield f"{role.word} everywhere", somebody(role)
        yield f"{role.word} of this project", somebody(role, "default")
        yield f"{role.word} of another project", somebody(role, "other")
        yield f"{role.word}'s token for another project", somebody(role, confined_to="other")
    for scope in Scope:
        yield f"token with {scope}", somebody(Role.OWNER, scopes=frozenset({scope}))
    yield "token for this project", somebody(Role.OWNER, confined_to="default")


def may(who: Principal, declared: Needs) -> int:
    """The status that the rules ask for, written down a second time."""
    if declared.public:
        return REACHED
    if not who.known:
        return 401
    if declared.scope not in who.scopes:
        return 403
    if declared.role is None:
        return REACHED
    roles = dict(who.roles)
    if declared.box:
        found = roles.get(EVERY_PROJECT, 0) if who.project is None else 0
    elif who.project not in (None, "default"):
        found = 0
    else:
        found = max(roles.get(EVERY_PROJECT, 0), roles.get("default", 0))
    return REACHED if found >= declared.role else 403


async def test_a_route_lets_in_whom_it_declares_and_nobody_else(
    app: FastAPI, routes: list[tuple[str, str, Needs]], subtests: pytest.Subtests
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients: Clients = []
        for name, who in people():
            transport = httpx.ASGITransport(app=signed_in(app, who))
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
            clients.append((name, who, await stack.enter_async_context(client)))
        for method, path, declared in routes:
            with subtests.test(f"{method} {path}"):
                await let_in_as_declared(clients, method, path, declared)


async def let_in_as_declared(clients: Clients, method: str, path: str, declared: Needs) -> None:
    address = re.sub(r"\{project(:\w+)?\}", "default", path)
    address = re.sub(r"\{\w+(:\w+)?\}", "x", address)
    for name, who, client in clients:
        answer = await client.request(method, address)
        wanted = may(who, declared)
        if wanted == REACHED:  # what it is asked without a body may not fit, but who asks it does
            assert answer.status_code in (REACHED, 400), (name, answer.status_code, answer.text)
        else:
            assert answer.status_code == wanted, (name, answer.status_code, answer.text)


async def test_a_websocket_is_refused_to_whom_it_does_not_let_in(
    app: FastAPI, sockets: list[tuple[str, Needs]], subtests: pytest.Subtests
) -> None:
    for path, declared in sockets:
        with subtests.test(path):
            await refused_as_declared(app, path, declared)


async def refused_as_declared(app: FastAPI, path: str, declared: Needs) -> None:
    address = path.replace("{project}", "default")
    for name, who in people():
        sent: list[Any] = []
        messages = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])
        scope = {
            "type": "websocket",
            "path": address,
            "raw_path": address.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "subprotocols": [],
            "root_path": "",
        }

        async def receive(messages: Iterator[Any] = messages) -> Any:
            return next(messages)

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        reached = False
        try:
            await signed_in(app, who)(scope, receive, send)
        except TypeError:  # it got as far as asking a store that is none
            reached = True
        assert reached is (may(who, declared) == REACHED), name
        if not reached:
            assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)], name


def test_what_changes_something_is_neither_public_nor_a_viewers(
    routes: list[tuple[str, str, Needs]], subtests: pytest.Subtests
) -> None:
    for method, path, declared in routes:
        with subtests.test(f"{method} {path}"):
            for_those_who_may_change(method, path, declared)


def for_those_who_may_change(method: str, path: str, declared: Needs) -> None:
    assert declared.public is ((method, path) in PUBLIC)
    looks = path.endswith(("/search", "/{site}/try"))  # a POST only for what it is told
    if method in ("GET", "HEAD") or declared.public or OWN.fullmatch(path) or looks:
        return
    assert declared.role is not None
    assert declared.role >= Role.DEVELOPER
    assert declared.scope is not Scope.READ


async def test_a_temporary_password_opens_nothing_but_its_change(
    app: FastAPI, routes: list[tuple[str, str, Needs]]
) -> None:
    from dataclasses import replace

    who = replace(somebody(Role.OWNER), must_change_password=True)
    transport = httpx.ASGITransport(app=signed_in(app, who))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path, declared in routes:
            if declared.role is not None:
                answer = await client.request(method, re.sub(r"\{\w+(:\w+)?\}", "x", path))
                assert answer.status_code == 403, (method, path)
                if method != "HEAD":
                    assert "temporary" in answer.text
